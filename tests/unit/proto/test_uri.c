/* Request targets: their forms and parts, what is refused, and escaping. */
#include "proto_test.h"

#include "base/buf.h"
#include "proto/uri.h"

#include <stdio.h>

struct good {
    const char *promise, *raw;
    bool connect;
    struct target want;
};

#define ORIGIN(...)                        \
    false,                                 \
    {                                      \
        .form = TARGET_ORIGIN, __VA_ARGS__ \
    }
#define ABSOLUTE(...)                        \
    false,                                   \
    {                                        \
        .form = TARGET_ABSOLUTE, __VA_ARGS__ \
    }
#define AUTHORITY(text)                                   \
    true,                                                 \
    {                                                     \
        .form = TARGET_AUTHORITY, .authority = SPAN(text) \
    }

static const struct good goods[] = {
    { "the root", "/", ORIGIN(.path = SPAN("/")) },
    { "a path with arguments", "/a/b?c=d?e",
      ORIGIN(.path = SPAN("/a/b"), .args = SPAN("c=d?e"), .has_args = true) },
    { "no arguments behind a mark", "/a?", ORIGIN(.path = SPAN("/a"), .has_args = true) },
    { "an escape in the path", "/a%20b", ORIGIN(.path = SPAN("/a%20b"), .escaped = true) },
    { "a plus in the path", "/a+b", ORIGIN(.path = SPAN("/a+b"), .escaped = true) },
    { "an escape in the arguments only", "/a?%20+",
      ORIGIN(.path = SPAN("/a"), .args = SPAN("%20+"), .has_args = true) },
    { "two slashes begin no authority", "//evil/x", ORIGIN(.path = SPAN("//evil/x")) },
    { "TARG-18 a zero byte stays text in arguments", "/?q=%00",
      ORIGIN(.path = SPAN("/"), .args = SPAN("q=%00"), .has_args = true) },
    { "TARG-22 bytes from 0x80 up", "/\xc3\xa9\xff", ORIGIN(.path = SPAN("/\xc3\xa9\xff")) },
    { "TARG-10 an absolute target", "http://b/x?y",
      ABSOLUTE(.scheme = SPAN("http"), .authority = SPAN("b"), .path = SPAN("/x"),
               .args = SPAN("y"), .has_args = true) },
    { "TARG-11 an absolute target without path", "http://b",
      ABSOLUTE(.scheme = SPAN("http"), .authority = SPAN("b"), .path = SPAN("/")) },
    { "TARG-11 arguments without path", "http://b?x=1",
      ABSOLUTE(.scheme = SPAN("http"), .authority = SPAN("b"), .path = SPAN("/"),
               .args = SPAN("x=1"), .has_args = true) },
    { "a scheme in capitals, a port", "HTTPS://B:8443/",
      ABSOLUTE(.scheme = SPAN("HTTPS"), .authority = SPAN("B:8443"), .path = SPAN("/")) },
    { "an IPv6 address", "http://[::1]:80/",
      ABSOLUTE(.scheme = SPAN("http"), .authority = SPAN("[::1]:80"), .path = SPAN("/")) },
    { "a slash and a colon in arguments", "http://b?/:@",
      ABSOLUTE(.scheme = SPAN("http"), .authority = SPAN("b"), .path = SPAN("/"),
               .args = SPAN("/:@"), .has_args = true) },
    { "CONNECT", "a:443", AUTHORITY("a:443") },
    { "CONNECT to IPv6", "[::1]:443", AUTHORITY("[::1]:443") },
    { "all of a server", "*", false, { .form = TARGET_ASTERISK } },
};

static void is_read(void **state)
{
    const struct good *row = *state;
    struct target t;

    if (!target_parse(span_of(row->raw), row->connect, &t))
        fail_msg("%s: refused", row->promise);
    assert_int_equal(t.form, row->want.form);
    assert_true(span_same(t.scheme, row->want.scheme));
    assert_true(span_same(t.authority, row->want.authority));
    assert_true(span_same(t.path, row->want.path));
    assert_true(span_same(t.args, row->want.args));
    assert_int_equal(t.has_args, row->want.has_args);
    assert_int_equal(t.escaped, row->want.escaped);
}

struct bad {
    const char *promise;
    struct span raw;
    bool connect;
};

static const struct bad bads[] = {
    { "nothing", SPAN(""), false },
    { "TARG-13 a user and a password", SPAN("http://u:p@a/"), false },
    { "TARG-13 a user", SPAN("http://u@a/"), false },
    { "TARG-14 no host", SPAN("http:///x"), false },
    { "TARG-14 nothing behind the scheme", SPAN("http://"), false },
    { "TARG-14 one slash", SPAN("http:/x"), false },
    { "TARG-14 a port without host", SPAN("http://:80/"), false },
    { "TARG-14 no scheme", SPAN("://a/"), false },
    { "TARG-15 ftp", SPAN("ftp://a/"), false },
    { "TARG-15 gopher", SPAN("gopher://a/"), false },
    { "TARG-15 urn", SPAN("urn:x:y"), false },
    { "TARG-15 whois", SPAN("whois://a/"), false },
    { "TARG-15 cache_object", SPAN("cache_object://a/"), false },
    { "TARG-15 file", SPAN("file:///etc/passwd"), false },
    { "TARG-15 unix", SPAN("unix:/x:http://a/"), false },
    { "TARG-16 a host and a port", SPAN("a:80"), false },
    { "TARG-16 a word", SPAN("a"), false },
    { "TARG-16 arguments alone", SPAN("?x"), false },
    { "TARG-16 an exclamation mark", SPAN("!"), false },
    { "TARG-17 a fragment", SPAN("/a#/../admin"), false },
    { "TARG-17 a fragment behind arguments", SPAN("/a?b#c"), false },
    { "TARG-17 a fragment in an absolute target", SPAN("http://a#@b/"), false },
    { "TARG-21 a space", SPAN("/a b"), false },
    { "TARG-21 a zero byte", SPAN("/a\0"), false },
    { "TARG-21 0x7f", SPAN("/a\x7f"), false },
    { "a backslash in a host", SPAN("http://a\\b/"), false },
    { "TARG-33 CONNECT without port", SPAN("a"), true },
    { "TARG-33 CONNECT with an empty port", SPAN("a:"), true },
    { "TARG-33 CONNECT to port 0", SPAN("a:0"), true },
    { "TARG-33 CONNECT without host", SPAN(":443"), true },
    { "TARG-33 CONNECT to port 65536", SPAN("a:65536"), true },
    { "TARG-33 CONNECT with a letter in the port", SPAN("a:443x"), true },
    { "TARG-33 CONNECT with a plus sign", SPAN("a:+443"), true },
    { "TARG-33 CONNECT with a path", SPAN("/x"), true },
    { "TARG-33 CONNECT with a URL", SPAN("http://a/"), true },
    { "TARG-33 CONNECT with a user", SPAN("u@a:443"), true },
    { "TARG-33 CONNECT with open brackets", SPAN("[::1:443"), true },
    { "CONNECT with an asterisk alone", SPAN("*"), true },
};

static void is_refused(void **state)
{
    const struct bad *row = *state;
    struct target t = { .form = TARGET_ASTERISK };

    assert_false(target_parse(row->raw, row->connect, &t));
    assert_int_equal(t.form, TARGET_ASTERISK);
}

static void each_byte_is_escaped_as_its_set_says(void **state)
{
    static const char uri[] = " \"#%<>?\\^`{|}\x7f", more[] = "&+;";

    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        bool in_uri = byte < ' ' || byte >= 0x80 || memchr(uri, (int)byte, sizeof(uri) - 1) != NULL;
        bool in_args = in_uri || memchr(more, (int)byte, sizeof(more) - 1) != NULL;
        char c = (char)byte, text[8];
        struct buf b;

        buf_init(&b, 16, NULL);
        snprintf(text, sizeof(text), "%%%02X", byte);
        uri_escape((struct span){ &c, 1 }, ESCAPE_URI, &b);
        assert_true(span_same(buf_view(&b), in_uri ? span_of(text) : (struct span){ &c, 1 }));
        buf_clear(&b);
        uri_escape((struct span){ &c, 1 }, ESCAPE_ARGS, &b);
        assert_true(span_same(buf_view(&b), in_args ? span_of(text) : (struct span){ &c, 1 }));
        buf_done(&b);
    }
}

static void runs_are_escaped_in_order(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 64, NULL);
    uri_escape(span_of("/a b?c&d\xff"), ESCAPE_URI, &b);
    assert_true(span_is(buf_view(&b), "/a%20b%3Fc&d%FF"));
    buf_clear(&b);
    uri_escape(span_of(""), ESCAPE_URI, &b);
    assert_int_equal(b.len, 0);
    buf_done(&b);
}

int main(void)
{
    static struct suite s;

    ADD_TABLE(&s, goods, is_read);
    ADD_TABLE(&s, bads, is_refused);
    ADD_TEST(&s, each_byte_is_escaped_as_its_set_says);
    ADD_TEST(&s, runs_are_escaped_in_order);
    return run_suite("uri", &s);
}
