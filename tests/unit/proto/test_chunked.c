/* The chunked coding: what is data, what is refused, and that it matters not where the bytes are
 * cut. */
#include "proto_test.h"

#include "base/buf.h"
#include "proto/chunked.h"

#include <stdlib.h>

struct outcome {
    enum chunk end; /* CHUNK_END, CHUNK_BAD, CHUNK_MORE */
    size_t taken;
    struct buf data;
};

/* Feeds `step` bytes at a time, as a reader would: what is not taken is offered again. */
static struct outcome decode(struct span in, size_t step)
{
    struct outcome o = { .end = CHUNK_MORE };
    struct chunked c;

    buf_init(&o.data, 1 << 20, NULL);
    chunked_init(&c);
    for (size_t fed = 0; o.end == CHUNK_MORE && fed < in.len; fed += step) {
        struct span piece = span_first(span_from(in, fed), step);

        do {
            struct span data = { NULL, 0 };
            size_t taken = 0;

            o.end = chunked_next(&c, piece, &data, &taken);
            assert_true(taken <= piece.len);
            buf_add(&o.data, data);
            o.taken += taken;
            piece = span_from(piece, taken);
        } while (o.end == CHUNK_DATA);
        assert_true(o.end != CHUNK_MORE || piece.len == 0);
    }
    return o;
}

struct row {
    const char *promise;
    struct span in;
    enum chunk want;
    const char *data; /* of a good one */
    size_t behind;    /* bytes that belong to what follows */
};

#define REFUSE(promise, text)                 \
    {                                         \
        promise, SPAN(text), CHUNK_BAD, "", 0 \
    }

static const struct row rows[] = {
    { "one chunk", SPAN("5\r\nhello\r\n0\r\n\r\n"), CHUNK_END, "hello", 0 },
    { "no chunk", SPAN("0\r\n\r\n"), CHUNK_END, "", 0 },
    { "sizes in both cases", SPAN("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"), CHUNK_END,
      "01234567890123456789", 0 },
    { "16 digits", SPAN("0000000000000001\r\nx\r\n0000000000000000\r\n\r\n"), CHUNK_END, "x", 0 },
    { "what follows is not taken", SPAN("1\r\nx\r\n0\r\n\r\nGET /"), CHUNK_END, "x", 5 },
    { "CR LF is data too", SPAN("4\r\n\r\n\r\n\r\n0\r\n\r\n"), CHUNK_END, "\r\n\r\n", 0 },
    { "no end yet", SPAN("5\r\nhel"), CHUNK_MORE, "hel", 0 },
    { "a size beyond 32 bits", SPAN("100000005\r\nhello"), CHUNK_MORE, "hello", 0 },
    { "RESP-36 the largest size", SPAN("7fffffffffffffff\r\nhello"), CHUNK_MORE, "hello", 0 },
    REFUSE("CHNK-01 17 digits", "FFFFFFFFFFFFFFFF1\r\n"),
    REFUSE("CHNK-01 2^64-1", "FFFFFFFFFFFFFFFF\r\n"),
    REFUSE("CHNK-01 2^63", "8000000000000000\r\n"),
    REFUSE("CHNK-02 2^64+5", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-03 20 digits", "00000000000000000005\r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-04 0x", "0x5\r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-05 a plus sign", "+5\r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-05 a minus sign", "-5\r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-05 a minus sign and 0x", "-0x0\r\n\r\n"),
    REFUSE("CHNK-06 an underscore behind zero", "0_2e\r\n\r\n0\r\n\r\n"),
    REFUSE("CHNK-06 an underscore", "5_0\r\n"),
    REFUSE("CHNK-07 a space before the size", " 5\r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-07 a tab before the size", "\t5\r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-07 a CR before the size", "\r5\r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-08 a space behind the size", "5 \r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-08 a tab behind the size", "5\t\r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-09 letters for a size", "Z\r\nZZ\r\nZZZ\r\n\r\n"),
    REFUSE("CHNK-09 a letter behind a size", "5g\r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-09 words behind a size", "1these-bytes-are-not-size\r\nZ\r\n0\r\n\r\n"),
    REFUSE("CHNK-10 no size", "\r\n\r\n"),
    REFUSE("CHNK-11 LF ends no size", "5\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-12 LF ends no data", "5\r\nhello\n0\r\n\r\n"),
    REFUSE("CHNK-13 other bytes behind the data", "5\r\nhelloXX0\r\n\r\n"),
    REFUSE("CHNK-13 nothing behind the data", "5\r\nhello0\r\n\r\n"),
    REFUSE("CHNK-14 data longer than their size", "5\r\nAAAAAXXX\r\n0\r\n\r\n"),
    REFUSE("CHNK-15 LF in an extension", "5;\nxx\r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-16 CR before an extension", "5\r\r;ABCD\r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-16 CR behind an extension", "41;a=b\r\rXXXX\r\n0\r\n\r\n"),
    REFUSE("CHNK-16 CR for CR LF", "2\r\r;a\r\n02\r\n41\r\n0\r\n\r\n"),
    REFUSE("CHNK-17 a zero byte in an extension", "5;a=\0\r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-17 a control byte in an extension", "5;a=\x01\r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-17 0x7f in an extension", "5;a=\x7f\r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-17 a control byte in quotes", "5;a=\"\x01\"\r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-17 an escaped control byte", "5;a=\"\\\x01\"\r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-18 an extension without name", "5;\r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-18 a value without name", "5;=x\r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-18 a name without value", "5;a=\r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-18 quotes without end", "5;a=\"open\r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-18 two values", "5;a=b=c\r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-18 bytes behind quotes", "5;a=\"b\"c\r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-18 a blank behind a value", "5;a=b \r\nhello\r\n0\r\n\r\n"),
    REFUSE("CHNK-18 a blank behind a name", "5;a \r\nhello\r\n0\r\n\r\n"),
    { "CHNK-19 good extensions are dropped", SPAN("5;a=b;c=\"d\\\"e;f\"\r\nhello\r\n0;z\r\n\r\n"),
      CHUNK_END, "hello", 0 },
    { "CHNK-19 blanks round an extension", SPAN("5 ; a\t=  b ;c = \"\" ;d\r\nhello\r\n0\r\n\r\n"),
      CHUNK_END, "hello", 0 },
    REFUSE("CHNK-21 an empty line between chunks", "5\r\nhello\r\n\r\n0\r\n\r\n"),
    { "CHNK-22 zero in three digits", SPAN("5\r\nhello\r\n000\r\n\r\n"), CHUNK_END, "hello", 0 },
    REFUSE("CHNK-23 LF behind the last size", "0\n\r\nGET /smug"),
    REFUSE("CHNK-23 LF for the last line", "0\r\n\nGET /smug"),
    REFUSE("CHNK-23 CR and another byte for the last line", "0\r\n\rX"),
    { "CHNK-24 a trailer that looks like a request", SPAN("0\r\nX:POST /smug HTTP/1.1\r\n\r\nGET"),
      CHUNK_END, "", 3 },
    { "CHNK-25 framing fields in trailers are dropped",
      SPAN("5\r\nhello\r\n0\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\nGET"),
      CHUNK_END, "hello", 3 },
    { "CHNK-26 trailers are dropped", SPAN("0\r\nHost: evil\r\nCookie: \t\xff\r\nA:\r\n\r\n"),
      CHUNK_END, "", 0 },
    REFUSE("CHNK-27 a fold in trailers", "0\r\nX: a\r\n b\r\n\r\n"),
    REFUSE("CHNK-27 LF ends no trailer", "0\r\nX: a\n\r\n"),
    REFUSE("CHNK-27 a space before the colon", "0\r\nX : a\r\n\r\n"),
    REFUSE("CHNK-27 an empty name", "0\r\n: a\r\n\r\n"),
    REFUSE("CHNK-27 no colon", "0\r\nGET / HTTP/1.1\r\n\r\n"),
    REFUSE("CHNK-27 a control byte in a trailer", "0\r\nX: \x01\r\n\r\n"),
    REFUSE("CHNK-27 a bare CR in a trailer", "0\r\nX: a\rb\r\n\r\n"),
};

static void keeps_its_promise(void **state)
{
    const struct row *row = *state;

    for (size_t step = 1; step <= row->in.len; step++) {
        struct outcome o = decode(row->in, step);
        size_t taken = row->want == CHUNK_BAD ? o.taken : row->in.len - row->behind;

        if (o.end != row->want || o.taken != taken)
            fail_msg("%s: in steps of %zu: %d, %zu taken", row->promise, step, (int)o.end, o.taken);
        if (row->want != CHUNK_BAD && !span_is(buf_view(&o.data), row->data))
            fail_msg("%s: in steps of %zu: other data", row->promise, step);
        buf_done(&o.data);
    }
}

static struct outcome decode_buf(struct buf *b)
{
    assert_true(buf_ok(b));
    struct outcome o = decode(buf_view(b), b->len);
    buf_done(&o.data);
    buf_done(b);
    return o;
}

static struct buf repeated(const char *start, const char *again, unsigned times, const char *end)
{
    struct buf b;

    buf_init(&b, 1 << 23, NULL);
    buf_adds(&b, start);
    for (unsigned i = 0; i < times; i++)
        buf_adds(&b, again);
    buf_adds(&b, end);
    return b;
}

static void extensions_have_two_limits(void **state)
{
    struct buf b = repeated("1;", "a", 252, "\r\nx\r\n0\r\n\r\n");

    (void)state;
    assert_int_equal(decode_buf(&b).end, CHUNK_END); /* 256 bytes of line */
    b = repeated("1;", "a", 253, "\r\nx\r\n0\r\n\r\n");
    assert_int_equal(decode_buf(&b).end, CHUNK_BAD);
    b = repeated("1;", "a", 65536, "");
    assert_int_equal(decode_buf(&b).end, CHUNK_BAD);
    b = repeated("", "1;234567\r\nx\r\n", 585, "0\r\n\r\n"); /* 7 bytes each: 4095 */
    assert_int_equal(decode_buf(&b).end, CHUNK_END);
    b = repeated("", "1;234567\r\nx\r\n", 586, "0\r\n\r\n");
    assert_int_equal(decode_buf(&b).end, CHUNK_BAD);
}

static void trailers_have_limits(void **state)
{
    struct buf b = repeated("0\r\n", "a:\r\n", 1000, "\r\n");

    (void)state;
    assert_int_equal(decode_buf(&b).end, CHUNK_END);
    b = repeated("0\r\n", "a:\r\n", 1001, "\r\n");
    assert_int_equal(decode_buf(&b).end, CHUNK_BAD);
    b = repeated("0\r\na:", "b", 8188, "\r\n\r\n"); /* 8192 with its CR LF */
    assert_int_equal(decode_buf(&b).end, CHUNK_END);
    b = repeated("0\r\na:", "b", 8189, "\r\n\r\n");
    assert_int_equal(decode_buf(&b).end, CHUNK_BAD);
    b = repeated("0\r\na:", "b", 65536, "");
    assert_int_equal(decode_buf(&b).end, CHUNK_BAD);
    b = repeated("0\r\n", "a:1234567890123456789012345678901234567890\r\n", 1000, "\r\n");
    assert_int_equal(decode_buf(&b).end, CHUNK_BAD);
}

static void trailers_may_be_limited_to_what_the_head_left(void **state)
{
    static const struct span body = SPAN("0\r\na:\r\nb:\r\n\r\n");
    struct chunked c;
    struct span data;
    size_t taken;

    (void)state;
    chunked_init(&c);
    chunked_limit_trailers(&c, 8, 2);
    assert_int_equal(chunked_next(&c, body, &data, &taken), CHUNK_END);
    chunked_init(&c);
    chunked_limit_trailers(&c, 7, 2);
    assert_int_equal(chunked_next(&c, body, &data, &taken), CHUNK_BAD);
    chunked_init(&c);
    chunked_limit_trailers(&c, 8, 1);
    assert_int_equal(chunked_next(&c, body, &data, &taken), CHUNK_BAD);
    chunked_init(&c);
    chunked_limit_trailers(&c, 0, 0);
    assert_int_equal(chunked_next(&c, span_of("0\r\n\r\n"), &data, &taken), CHUNK_END);
}

static void two_hundred_thousand_chunks_are_read(void **state)
{
    struct buf b = repeated("", "1\r\nx\r\n", 200000, "0\r\n\r\n");
    struct outcome o = decode(buf_view(&b), 16384);

    (void)state;
    assert_int_equal(o.end, CHUNK_END);
    assert_int_equal(o.data.len, 200000);
    buf_done(&o.data);
    buf_done(&b);
}

static void an_end_and_a_fault_are_final(void **state)
{
    struct chunked c;
    struct span data;
    size_t taken = 0;

    (void)state;
    chunked_init(&c);
    assert_int_equal(chunked_next(&c, span_of("0\r\n\r\n5"), &data, &taken), CHUNK_END);
    assert_int_equal(taken, 5);
    assert_int_equal(chunked_next(&c, span_of("5\r\n"), &data, &taken), CHUNK_END);
    assert_int_equal(taken, 0);
    chunked_init(&c);
    taken = 7;
    assert_int_equal(chunked_next(&c, span_of("x"), &data, &taken), CHUNK_BAD);
    assert_int_equal(chunked_next(&c, span_of("0\r\n\r\n"), &data, &taken), CHUNK_BAD);
    assert_int_equal(taken, 7);
}

static void what_is_left_of_a_chunk_is_known(void **state)
{
    struct chunked c;
    struct span data;
    size_t taken;

    (void)state;
    chunked_init(&c);
    assert_int_equal(chunked_left(&c), 0);
    chunked_next(&c, span_of("64\r\n1234"), &data, &taken);
    assert_int_equal(chunked_left(&c), 96);
}

static void a_chunk_head_is_what_the_decoder_reads(void **state)
{
    static const struct {
        uint64_t size;
        const char *text;
    } heads[] = {
        { 0, "0\r\n" },
        { 1, "1\r\n" },
        { 15, "f\r\n" },
        { 16, "10\r\n" },
        { 65535, "ffff\r\n" },
        { 0x123456789abcdef, "123456789abcdef\r\n" },
        { UINT64_MAX, "ffffffffffffffff\r\n" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(heads); i++) {
        char text[CHUNK_HEAD_MOST];
        size_t len = chunk_head(heads[i].size, text);

        assert_true(span_is((struct span){ text, len }, heads[i].text));
    }
}

int main(void)
{
    static struct suite s;

    ADD_TABLE(&s, rows, keeps_its_promise);
    add_test(&s, "CHNK-20 extensions have two limits", extensions_have_two_limits, NULL);
    add_test(&s, "CHNK-28 trailers have limits", trailers_have_limits, NULL);
    add_test(&s, "CHNK-28 trailers share the limits of the head",
             trailers_may_be_limited_to_what_the_head_left, NULL);
    add_test(&s, "CHNK-29 two hundred thousand chunks", two_hundred_thousand_chunks_are_read, NULL);
    ADD_TEST(&s, an_end_and_a_fault_are_final);
    ADD_TEST(&s, what_is_left_of_a_chunk_is_known);
    ADD_TEST(&s, a_chunk_head_is_what_the_decoder_reads);
    return run_suite("chunked", &s);
}
