/* Hosts with ports, as in Host and in authorities. */
#include "proto_test.h"

#include "proto/uri.h"

#include <stdio.h>

struct good {
    const char *promise, *raw, *name, *port_text;
    unsigned port;
    bool literal, strict;
};

static const struct good goods[] = {
    { "a name", "a.example", "a.example", "", 0, false, true },
    { "a name with a port", "a:8080", "a", "8080", 8080, false, true },
    { "an empty port", "a:", "a", "", 0, false, true },
    { "the last port", "a:65535", "a", "65535", 65535, false, true },
    { "TARG-06 one trailing dot goes", "A.", "A", "", 0, false, true },
    { "TARG-06 a trailing dot and a port", "a.EXAMPLE.:80", "a.EXAMPLE", "80", 80, false, true },
    { "an underscore", "a_b.c", "a_b.c", "", 0, false, true },
    { "IPv4", "192.0.2.1:80", "192.0.2.1", "80", 80, true, true },
    { "IPv6", "[2001:DB8::1]", "[2001:DB8::1]", "", 0, true, true },
    { "IPv6 with a port", "[::1]:443", "[::1]", "443", 443, true, true },
    { "what a host may hold by RFC 3986", "a-._~!$&'()*+;=", "a-._~!$&'()*+;=", "", 0, false,
      false },
    { "a short address is no address", "127.1", "127.1", "", 0, false, false },
    { "a hexadecimal address", "0x7f.1", "0x7f.1", "", 0, false, false },
    { "a hexadecimal number", "0x7F000001", "0x7F000001", "", 0, false, false },
    { "a bare 0x is a number to some", "a.0x", "a.0x", "", 0, false, false },
    { "a decimal number", "2130706433", "2130706433", "", 0, false, false },
    { "octal digits", "0177.0.0.1", "0177.0.0.1", "", 0, false, false },
    { "five numbers", "1.2.3.4.5", "1.2.3.4.5", "", 0, false, false },
    { "a number over 255", "1.2.3.256", "1.2.3.256", "", 0, false, false },
    { "a name that ends in a number", "a.1", "a.1", "", 0, false, false },
    { "a name that begins with a number", "1.a", "1.a", "", 0, false, true },
    { "a word that only begins like a number", "0xyz", "0xyz", "", 0, false, true },
};

static void is_read(void **state)
{
    const struct good *row = *state;
    struct host h;

    if (!host_parse(span_of(row->raw), &h))
        fail_msg("%s: refused", row->promise);
    assert_true(span_is(h.name, row->name));
    assert_true(span_is(h.port_text, row->port_text));
    assert_int_equal(h.port, row->port);
    assert_int_equal(h.literal, row->literal);
    assert_int_equal(host_is_strict(&h), row->strict);
}

struct bad {
    const char *promise;
    struct span raw;
};

static const struct bad bads[] = {
    { "TARG-03 an empty host", SPAN("") },
    { "TARG-03 a space", SPAN("a b") },
    { "TARG-03 a comma", SPAN("a,b") },
    { "TARG-03 a slash", SPAN("a/b") },
    { "TARG-03 a backslash", SPAN("a\\b") },
    { "TARG-03 a user", SPAN("u@a") },
    { "TARG-03 a question mark", SPAN("a?x") },
    { "TARG-03 a fragment", SPAN("a#x") },
    { "TARG-03 an escape", SPAN("%61") },
    { "TARG-03 a high byte", SPAN("\xc3\xa9") },
    { "TARG-03 a zero byte", SPAN("a\0") },
    { "TARG-04 a letter in the port", SPAN("a:80x") },
    { "TARG-04 port 99999", SPAN("a:99999") },
    { "TARG-04 port 65536", SPAN("a:65536") },
    { "TARG-04 a negative port", SPAN("a:-1") },
    { "TARG-04 a plus sign", SPAN("a:+80") },
    { "TARG-04 port 0", SPAN("a:0") },
    { "TARG-04 two ports", SPAN("a:80:80") },
    { "TARG-05 open brackets", SPAN("[::1") },
    { "TARG-05 no hexadecimal digit", SPAN("[::g]") },
    { "TARG-05 a zone", SPAN("[fe80::1%eth0]") },
    { "TARG-05 a byte behind the brackets", SPAN("[::1]x") },
    { "TARG-05 IPv4 in brackets", SPAN("[1.2.3.4]") },
    { "TARG-05 IPv6 without brackets", SPAN("::1") },
    { "TARG-05 empty brackets", SPAN("[]") },
    { "TARG-05 a zero byte in brackets", SPAN("[::1\0]") },
    { "TARG-07 an empty label", SPAN("a..b") },
    { "TARG-07 a leading dot", SPAN(".a") },
    { "TARG-07 two trailing dots", SPAN("a..") },
    { "TARG-07 a dot alone", SPAN(".") },
    { "a port alone", SPAN(":80") },
};

static void is_refused(void **state)
{
    const struct bad *row = *state;
    struct host h = { .port = 7 };

    assert_false(host_parse(row->raw, &h));
    assert_int_equal(h.port, 7);
}

static void length_of(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        text[i] = i % 50 == 49 && i + 1 < len ? '.' : 'a';
}

static void a_host_of_255_bytes_is_the_longest(void **state)
{
    char text[8000];
    struct host h;

    (void)state;
    length_of(text, 255);
    assert_true(host_parse((struct span){ text, 255 }, &h));
    length_of(text, 256);
    assert_false(host_parse((struct span){ text, 256 }, &h));
    length_of(text, 8000);
    assert_false(host_parse((struct span){ text, 8000 }, &h));
}

static void strict_names_have_labels_of_63_and_253_in_all(void **state)
{
    char text[256];
    struct host h;

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_true(host_parse((struct span){ text, 63 }, &h) && host_is_strict(&h));
    assert_true(host_parse((struct span){ text, 64 }, &h) && !host_is_strict(&h));
    length_of(text, 253);
    assert_true(host_parse((struct span){ text, 253 }, &h) && host_is_strict(&h));
    length_of(text, 254);
    assert_true(host_parse((struct span){ text, 254 }, &h) && !host_is_strict(&h));
}

int main(void)
{
    static struct suite s;

    ADD_TABLE(&s, goods, is_read);
    ADD_TABLE(&s, bads, is_refused);
    add_test(&s, "TARG-08 a host of 255 bytes is the longest", a_host_of_255_bytes_is_the_longest,
             NULL);
    ADD_TEST(&s, strict_names_have_labels_of_63_and_253_in_all);
    return run_suite("host", &s);
}
