/* A ClientHello, read before OpenSSL sees it. */
#include "tls/client_hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"

static char scratch[CLIENT_HELLO_MOST];

static void add_u16(struct buf *b, size_t value)
{
    buf_add_byte(b, (char)(value >> 8));
    buf_add_byte(b, (char)value);
}

static void add_vector(struct buf *b, struct span body)
{
    add_u16(b, body.len);
    buf_add(b, body);
}

/* `extensions`: types with their bodies, without the vector's length; NULL: none at all. */
static struct span message_of(struct buf *b, const struct span *extensions)
{
    buf_clear(b);
    buf_add(b, (struct span)SPAN("\1\0\0\0\3\3"));
    for (int i = 0; i < 32; i++)
        buf_add_byte(b, 'R');
    buf_add(b, (struct span)SPAN("\2id\0\4\x13\1\x13\2\1\0"));
    if (extensions != NULL)
        add_vector(b, *extensions);
    size_t body = b->len - 4;
    b->data[1] = (char)(body >> 16);
    b->data[2] = (char)(body >> 8);
    b->data[3] = (char)body;
    return buf_view(b);
}

/* In records of at most `piece` bytes. */
static struct span records_of(struct buf *b, struct span message, size_t piece)
{
    buf_clear(b);
    for (; message.len > 0; message = span_from(message, piece)) {
        struct span part = span_first(message, piece);

        buf_add(b, (struct span)SPAN("\26\3\1"));
        add_vector(b, part);
    }
    return buf_view(b);
}

struct room {
    struct buf message, records, extensions, name;
};

static int set_up(void **state)
{
    struct room *r = calloc(1, sizeof(*r));

    buf_init(&r->message, 1 << 20, NULL);
    buf_init(&r->records, 1 << 20, NULL);
    buf_init(&r->extensions, 1 << 20, NULL);
    buf_init(&r->name, 1 << 20, NULL);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct room *r = *state;

    buf_done(&r->message);
    buf_done(&r->records);
    buf_done(&r->extensions);
    buf_done(&r->name);
    free(r);
    return 0;
}

static void add_extension(struct room *r, uint16_t type, struct span body)
{
    add_u16(&r->extensions, type);
    add_vector(&r->extensions, body);
}

static void add_name(struct room *r, struct span name)
{
    buf_clear(&r->name);
    add_u16(&r->name, name.len + 3);
    buf_add_byte(&r->name, 0);
    add_vector(&r->name, name);
    add_extension(r, 0, buf_view(&r->name));
}

static enum parse parse(struct room *r, size_t piece, struct client_hello *ret)
{
    struct span extensions = buf_view(&r->extensions);
    struct span in = records_of(&r->records, message_of(&r->message, &extensions), piece);

    return client_hello_parse(in, scratch, ret);
}

static void the_name_is_found_among_others(void **state)
{
    struct room *r = *state;
    struct client_hello hello = { .has_ech = true };

    add_extension(r, 0x2a2a, (struct span){ NULL, 0 });
    add_extension(r, 43, (struct span)SPAN("\2\3\4"));
    add_name(r, (struct span)SPAN("A.example"));
    add_extension(r, 16, (struct span)SPAN("\0\3\2h2"));
    assert_int_equal(parse(r, 16384, &hello), PARSE_OK);
    assert_true(span_is(hello.name, "A.example"));
    assert_false(hello.has_ech);
    assert_true(hello.name.at > r->records.data &&
                hello.name.at < r->records.data + r->records.len);

    add_extension(r, 0xfe0d, (struct span)SPAN("x"));
    assert_int_equal(parse(r, 16384, &hello), PARSE_OK);
    assert_true(hello.has_ech);
}

static void a_hello_without_a_name_or_extensions_is_one(void **state)
{
    struct room *r = *state;
    struct client_hello hello = { .has_ech = true };

    assert_int_equal(parse(r, 16384, &hello), PARSE_OK);
    assert_int_equal(hello.name.len, 0);
    struct span in = records_of(&r->records, message_of(&r->message, NULL), 16384);
    assert_int_equal(client_hello_parse(in, scratch, &hello), PARSE_OK);
    assert_int_equal(hello.name.len, 0);
    assert_false(hello.has_ech);
}

static void records_are_joined_wherever_they_are_cut(void **state)
{
    struct room *r = *state;

    add_name(r, (struct span)SPAN("a.example"));
    add_extension(r, 43, (struct span)SPAN("\2\3\4"));
    for (size_t piece = 2; piece < 80; piece++) {
        struct client_hello hello;

        assert_int_equal(parse(r, piece, &hello), PARSE_OK);
        assert_true(span_is(hello.name, "a.example"));
    }
}

static void more_records_than_anybody_needs_are_refused(void **state)
{
    struct room *r = *state;
    struct client_hello hello;

    add_name(r, (struct span)SPAN("a.example"));
    assert_int_equal(parse(r, 1, &hello), PARSE_BAD);
}

static void every_prefix_asks_for_more(void **state)
{
    struct room *r = *state;

    add_name(r, (struct span)SPAN("a.example"));
    for (size_t piece = 7; piece < 100; piece += 31) {
        struct client_hello hello = { .has_ech = true };

        assert_int_equal(parse(r, piece, &hello), PARSE_OK);
        struct span whole = buf_view(&r->records);
        hello = (struct client_hello){ .has_ech = true };
        for (size_t n = 0; n < whole.len; n++)
            if (client_hello_parse(span_first(whole, n), scratch, &hello) != PARSE_MORE)
                fail_msg("records of %zu: prefix of %zu", piece, n);
        assert_true(hello.has_ech);
    }
}

static void what_follows_the_message_is_not_looked_at(void **state)
{
    struct room *r = *state;
    struct client_hello hello;

    add_name(r, (struct span)SPAN("a.example"));
    assert_int_equal(parse(r, 16384, &hello), PARSE_OK);
    buf_adds(&r->records, "anything");
    assert_int_equal(client_hello_parse(buf_view(&r->records), scratch, &hello), PARSE_OK);
    assert_true(span_is(hello.name, "a.example"));
}

static void what_is_no_hello_is_refused_at_its_first_wrong_byte(void **state)
{
    static const struct {
        const char *promise;
        struct span in;
    } cases[] = {
        { "plain HTTP", SPAN("G") },
        { "SSL 2", SPAN("\200") },
        { "an alert", SPAN("\25") },
        { "another major version", SPAN("\26\2") },
        { "a record of 65,535 bytes", SPAN("\26\3\1\377\377") },
        { "a record of 16,385 bytes", SPAN("\26\3\1\100\1") },
        { "an empty record", SPAN("\26\3\1\0\0") },
        { "an empty record after a good one", SPAN("\26\3\1\0\1\1\26\3\1\0\0") },
        { "another kind of record in between", SPAN("\26\3\1\0\1\1\24") },
        { "another handshake message", SPAN("\26\3\1\0\10\2") },
        { "a message longer than the maximum", SPAN("\26\3\1\0\10\1\0\100\1") },
        { "a message of 16 MB", SPAN("\26\3\1\0\4\1\377\377\377") },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct client_hello hello;

        if (client_hello_parse(cases[i].in, scratch, &hello) != PARSE_BAD)
            fail_msg("%s", cases[i].promise);
        for (size_t n = 0; n < cases[i].in.len - 1; n++)
            if (client_hello_parse(span_first(cases[i].in, n), scratch, &hello) != PARSE_MORE &&
                n < 5)
                fail_msg("%s: refused too early", cases[i].promise);
    }
}

static void a_name_no_host_can_have_is_refused(void **state)
{
    static const struct {
        const char *promise;
        struct span body;
        bool good;
    } cases[] = {
        { "a name", SPAN("\0\4\0\0\1a"), true },
        { "a name with a dot at its end", SPAN("\0\5\0\0\2a."), true },
        { "an address",
          SPAN("\0\12\0\0\7"
               "1.2.3.4"),
          true },
        { "an empty name", SPAN("\0\3\0\0\0"), false },
        { "a dot", SPAN("\0\4\0\0\1."), false },
        { "a zero byte", SPAN("\0\6\0\0\3a\0b"), false },
        { "a blank", SPAN("\0\6\0\0\3a b"), false },
        { "a path", SPAN("\0\6\0\0\3a/b"), false },
        { "beyond ASCII", SPAN("\0\5\0\0\2\303\274"), false },
        { "two names", SPAN("\0\10\0\0\1a\0\0\1b"), false },
        { "another type of name", SPAN("\0\4\1\0\1a"), false },
        { "an empty list", SPAN("\0\0"), false },
        { "no list", SPAN(""), false },
        { "bytes behind the list", SPAN("\0\4\0\0\1ab"), false },
        { "a list that goes on behind its end", SPAN("\0\5\0\0\1a"), false },
        { "a name that goes on behind its end", SPAN("\0\4\0\0\2a"), false },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct room *r = *state;
        struct client_hello hello;

        buf_clear(&r->extensions);
        add_extension(r, 0, cases[i].body);
        if (parse(r, 16384, &hello) != (cases[i].good ? PARSE_OK : PARSE_BAD))
            fail_msg("%s", cases[i].promise);
    }
}

static void names_end_at_255_bytes_and_come_once(void **state)
{
    struct room *r = *state;
    struct client_hello hello;
    char name[256];

    memset(name, 'a', sizeof(name));
    add_name(r, (struct span){ name, 255 });
    assert_int_equal(parse(r, 16384, &hello), PARSE_OK);
    assert_int_equal(hello.name.len, 255);
    buf_clear(&r->extensions);
    add_name(r, (struct span){ name, 256 });
    assert_int_equal(parse(r, 16384, &hello), PARSE_BAD);
    buf_clear(&r->extensions);
    add_name(r, (struct span)SPAN("a"));
    add_name(r, (struct span)SPAN("a"));
    assert_int_equal(parse(r, 16384, &hello), PARSE_BAD);
}

/* Cut anywhere with its own length corrected, the message is malformed (but where no extensions
 * follow). */
static void a_message_that_ends_early_is_malformed(void **state)
{
    struct room *r = *state;

    add_name(r, (struct span)SPAN("a.example"));
    struct span extensions = buf_view(&r->extensions), whole = message_of(&r->message, &extensions);
    size_t fixed = whole.len - extensions.len - 2;
    for (size_t n = 4; n < whole.len; n++) {
        struct client_hello hello;

        r->message.data[3] = (char)(n - 4);
        struct span in = records_of(&r->records, span_first(buf_view(&r->message), n), 16384);
        assert_int_equal(client_hello_parse(in, scratch, &hello),
                         n == fixed ? PARSE_OK : PARSE_BAD);
    }
}

#define WITH_ROOM(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WITH_ROOM(the_name_is_found_among_others),
        WITH_ROOM(a_hello_without_a_name_or_extensions_is_one),
        WITH_ROOM(records_are_joined_wherever_they_are_cut),
        WITH_ROOM(more_records_than_anybody_needs_are_refused),
        WITH_ROOM(every_prefix_asks_for_more),
        WITH_ROOM(what_follows_the_message_is_not_looked_at),
        cmocka_unit_test(what_is_no_hello_is_refused_at_its_first_wrong_byte),
        WITH_ROOM(a_name_no_host_can_have_is_refused),
        WITH_ROOM(names_end_at_255_bytes_and_come_once),
        WITH_ROOM(a_message_that_ends_early_is_malformed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
