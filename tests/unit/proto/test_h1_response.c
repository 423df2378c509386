/* The head of a response: an upstream is read as strictly as a client. */
#include "proto_test.h"

#include "proto/fields.h"
#include "proto/h1.h"

#include <stdlib.h>

#define OK "HTTP/1.1 200 OK\r\n"

struct refusal {
    const char *promise;
    struct span in;
    enum h1_fault want;
};

static const struct refusal refusals[] = {
    { "RESP-01 length and coding",
      SPAN(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), H1_LENGTH_AND_CODING },
    { "RESP-02 two equal lengths", SPAN(OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
      H1_TWO_LENGTHS },
    { "RESP-02 two lengths", SPAN(OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"),
      H1_TWO_LENGTHS },
    { "RESP-02 a list of lengths", SPAN(OK "Content-Length: 5, 5\r\n\r\n"), H1_BAD_LENGTH },
    { "RESP-02 a plus sign", SPAN(OK "Content-Length: +5\r\n\r\n"), H1_BAD_LENGTH },
    { "RESP-02 a minus sign", SPAN(OK "Content-Length: -1\r\n\r\n"), H1_BAD_LENGTH },
    { "RESP-02 a letter behind", SPAN(OK "Content-Length: 5x\r\n\r\n"), H1_BAD_LENGTH },
    { "RESP-02 an empty length", SPAN(OK "Content-Length: \r\n\r\n"), H1_BAD_LENGTH },
    { "RESP-02 2^64+5", SPAN(OK "Content-Length: 18446744073709551621\r\n\r\n"), H1_BAD_LENGTH },
    { "RESP-03 gzip before chunked", SPAN(OK "Transfer-Encoding: gzip, chunked\r\n\r\n"),
      H1_UNKNOWN_CODING },
    { "RESP-03 identity", SPAN(OK "Transfer-Encoding: identity\r\n\r\n"), H1_UNKNOWN_CODING },
    { "RESP-03 a comma before chunked", SPAN(OK "Transfer-Encoding: ,chunked\r\n\r\n"),
      H1_BAD_CODING },
    { "RESP-03 chunked twice", SPAN(OK "Transfer-Encoding: chunked, chunked\r\n\r\n"),
      H1_BAD_CODING },
    { "RESP-03 two lines of coding",
      SPAN(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), H1_BAD_CODING },
    { "RESP-04 a coding in HTTP/1.0", SPAN("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
      H1_CODING_IN_10 },
    { "RESP-20 letters for a status", SPAN("HTTP/1.1 abc OK\r\n\r\n"), H1_BAD_STATUS_LINE },
    { "RESP-20 a status of two digits", SPAN("HTTP/1.1 99 X\r\n\r\n"), H1_BAD_STATUS_LINE },
    { "RESP-20 a status of four digits", SPAN("HTTP/1.1 1000 X\r\n\r\n"), H1_BAD_STATUS_LINE },
    { "RESP-20 a status that begins with zero", SPAN("HTTP/1.1 099 X\r\n\r\n"),
      H1_BAD_STATUS_LINE },
    { "RESP-20 a status line cut short", SPAN("HTTP/1.1 20\r\n\r\n"), H1_BAD_STATUS_LINE },
    { "RESP-20 two spaces", SPAN("HTTP/1.1  200 OK\r\n\r\n"), H1_BAD_STATUS_LINE },
    { "RESP-20 HTTP/2", SPAN("HTTP/2 200\r\n\r\n"), H1_BAD_STATUS_LINE },
    { "RESP-20 HTTP/2.0", SPAN("HTTP/2.0 200 OK\r\n\r\n"), H1_BAD_STATUS_LINE },
    { "RESP-20 ICY", SPAN("ICY 200 OK\r\n\r\n"), H1_BAD_STATUS_LINE },
    { "RESP-20 two digits of a minor version", SPAN("HTTP/1.10 200 OK\r\n\r\n"),
      H1_BAD_STATUS_LINE },
    { "RESP-21 no head at all", SPAN("<html>no head at all"), H1_BAD_STATUS_LINE },
    { "an empty line before the head", SPAN("\r\n" OK "\r\n"), H1_BAD_STATUS_LINE },
    { "RESP-23 a zero byte in the reason", SPAN("HTTP/1.1 200 O\0K\r\n\r\n"), H1_BAD_STATUS_LINE },
    { "RESP-23 a bare CR in the reason", SPAN("HTTP/1.1 200 O\rK\r\n\r\n"), H1_BAD_LINE_END },
    { "RESP-23 a control byte in the reason", SPAN("HTTP/1.1 200 O\x01K\r\n\r\n"),
      H1_BAD_STATUS_LINE },
    { "RESP-24 a zero byte in a value", SPAN(OK "X: a\0b\r\n\r\n"), H1_BAD_FIELD_VALUE },
    { "RESP-24 a bare CR in a value", SPAN(OK "X: a\rb\r\n\r\n"), H1_BAD_LINE_END },
    { "RESP-24 a bare LF ends no field", SPAN(OK "X: a\nY: b\r\n\r\n"), H1_BAD_LINE_END },
    { "RESP-24 a bare LF ends no status line", SPAN("HTTP/1.1 200 OK\nX: a\r\n\r\n"),
      H1_BAD_LINE_END },
    { "RESP-24 an empty name", SPAN(OK ": a\r\n\r\n"), H1_BAD_FIELD_NAME },
    { "RESP-24 no colon", SPAN(OK "X\r\n\r\n"), H1_BAD_FIELD_NAME },
    { "RESP-25 a space before the colon", SPAN(OK "X-A : b\r\n\r\n"), H1_BAD_FIELD_NAME },
    { "RESP-25 a space behind Content-Length", SPAN(OK "Content-Length : 5\r\n\r\n"),
      H1_BAD_FIELD_NAME },
    { "RESP-26 a fold", SPAN(OK "X: a\r\n b\r\n\r\n"), H1_FOLDED },
};

static const struct h1_limits usual = { .line = 4096, .head = 4096, .fields = 100 };

struct verdict {
    enum parse parse;
    enum h1_fault fault;
    size_t taken;
    struct h1_response response;
};

static struct verdict parse_all(struct span in)
{
    struct verdict v = { .fault = H1_FINE };
    struct field first[100];
    struct fields fields;

    fields_init(&fields, NULL, first, COUNT(first));
    v.parse = h1_response_parse(in, &usual, &fields, &v.response, &v.taken, &v.fault);
    for (unsigned i = 0; i < fields.count; i++)
        assert_int_equal(fields.at[i].origin, FROM_UPSTREAM);
    return v;
}

static void is_refused(void **state)
{
    const struct refusal *row = *state;
    struct verdict v = { .parse = PARSE_MORE };

    for (size_t len = 0; len <= row->in.len && v.parse == PARSE_MORE; len++)
        v = parse_all(span_first(row->in, len)); /* byte by byte */
    if (v.parse != PARSE_BAD || v.fault != row->want)
        fail_msg("%s: got %d, fault %d", row->promise, (int)v.parse, (int)v.fault);
    v = parse_all(row->in);
    if (v.parse != PARSE_BAD || v.fault != row->want)
        fail_msg("%s: at once: got %d, fault %d", row->promise, (int)v.parse, (int)v.fault);
}

struct reading {
    const char *promise;
    struct span head;
    struct h1_response want;
};

static const struct reading readings[] = {
    { "a length",
      SPAN(OK "Content-Length: 5\r\n\r\n"),
      { .status = 200,
        .minor = 1,
        .framing = BODY_LENGTH,
        .length = 5,
        .has_length = true,
        .keep_alive = true,
        .reason = SPAN("OK") } },
    { "chunked",
      SPAN(OK "Transfer-Encoding: chunked\r\n\r\n"),
      { .status = 200,
        .minor = 1,
        .framing = BODY_CHUNKED,
        .keep_alive = true,
        .reason = SPAN("OK") } },
    { "neither: until the end of the connection",
      SPAN(OK "\r\n"),
      { .status = 200,
        .minor = 1,
        .framing = BODY_CLOSE,
        .keep_alive = true,
        .reason = SPAN("OK") } },
    { "close",
      SPAN(OK "Connection: close\r\nContent-Length: 0\r\n\r\n"),
      { .status = 200,
        .minor = 1,
        .framing = BODY_LENGTH,
        .has_length = true,
        .reason = SPAN("OK") } },
    { "HTTP/1.0 with keep-alive",
      SPAN("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n"),
      { .status = 200,
        .framing = BODY_LENGTH,
        .length = 1,
        .has_length = true,
        .keep_alive = true,
        .reason = SPAN("OK") } },
    { "HTTP/1.0 closes",
      SPAN("HTTP/1.0 200 OK\r\n\r\n"),
      { .status = 200, .framing = BODY_CLOSE, .reason = SPAN("OK") } },
    { "RESP-11 204 with a length has no body",
      SPAN("HTTP/1.1 204 N\r\nContent-Length: 5\r\n\r\n"),
      { .status = 204,
        .minor = 1,
        .framing = BODY_NONE,
        .length = 5,
        .has_length = true,
        .keep_alive = true,
        .reason = SPAN("N") } },
    { "RESP-11 204 with chunked has no body",
      SPAN("HTTP/1.1 204 N\r\nTransfer-Encoding: chunked\r\n\r\n"),
      {
          .status = 204,
          .minor = 1,
          .framing = BODY_NONE,
          .keep_alive = true,
          .reason = SPAN("N"),
      } },
    { "RESP-12 304 with a length has no body",
      SPAN("HTTP/1.1 304 N\r\nContent-Length: 5000\r\n\r\n"),
      { .status = 304,
        .minor = 1,
        .framing = BODY_NONE,
        .length = 5000,
        .has_length = true,
        .keep_alive = true,
        .reason = SPAN("N") } },
    { "RESP-13 205 may have a body",
      SPAN("HTTP/1.1 205 R\r\nContent-Length: 5\r\n\r\n"),
      { .status = 205,
        .minor = 1,
        .framing = BODY_LENGTH,
        .length = 5,
        .has_length = true,
        .keep_alive = true,
        .reason = SPAN("R") } },
    { "RESP-17 103 with a length has no body",
      SPAN("HTTP/1.1 103 E\r\nContent-Length: 10\r\n\r\n"),
      { .status = 103,
        .minor = 1,
        .framing = BODY_NONE,
        .length = 10,
        .has_length = true,
        .keep_alive = true,
        .reason = SPAN("E") } },
    { "RESP-22 no reason",
      SPAN("HTTP/1.1 200\r\n\r\n"),
      {
          .status = 200,
          .minor = 1,
          .framing = BODY_CLOSE,
          .keep_alive = true,
          .reason = SPAN(""),
      } },
    { "RESP-22 an empty reason",
      SPAN("HTTP/1.1 200 \r\n\r\n"),
      {
          .status = 200,
          .minor = 1,
          .framing = BODY_CLOSE,
          .keep_alive = true,
          .reason = SPAN(""),
      } },
    { "a reason of many words",
      SPAN("HTTP/1.1 999 a\tb \xff c\r\n\r\n"),
      { .status = 999,
        .minor = 1,
        .framing = BODY_CLOSE,
        .keep_alive = true,
        .reason = SPAN("a\tb \xff c") } },
    { "a higher minor version is read as 1",
      SPAN("HTTP/1.2 200 OK\r\n\r\n"),
      { .status = 200,
        .minor = 1,
        .framing = BODY_CLOSE,
        .keep_alive = true,
        .reason = SPAN("OK") } },
    { "fields that a request holds once may repeat",
      SPAN(OK "Host: a\r\nHost: b\r\nExpect: x\r\nIf-Range: a\r\nIf-Range: b\r\n\r\n"),
      { .status = 200,
        .minor = 1,
        .framing = BODY_CLOSE,
        .keep_alive = true,
        .reason = SPAN("OK") } },
};

static void is_read(void **state)
{
    const struct reading *row = *state;
    const struct h1_response *want = &row->want;

    for (size_t len = 0; len < row->head.len; len++)
        if (parse_all(span_first(row->head, len)).parse != PARSE_MORE)
            fail_msg("%s: %zu bytes do not ask for more", row->promise, len);
    struct verdict v = parse_all(row->head);
    const struct h1_response *got = &v.response;
    if (v.parse != PARSE_OK || v.taken != row->head.len)
        fail_msg("%s: got %d, fault %d", row->promise, (int)v.parse, (int)v.fault);
    assert_int_equal(got->status, want->status);
    assert_int_equal(got->minor, want->minor);
    assert_int_equal(got->framing, want->framing);
    assert_int_equal(got->length, want->length);
    assert_int_equal(got->has_length, want->has_length);
    assert_int_equal(got->keep_alive, want->keep_alive);
    assert_true(span_same(got->reason, want->reason));
}

static void a_reason_without_end_is_too_long(void **state)
{
    char *text = malloc(61440);

    (void)state;
    memset(text, 'a', 61440);
    memcpy(text, "HTTP/1.1 200 ", 13);
    assert_int_equal(parse_all((struct span){ text, 4095 }).parse, PARSE_MORE);
    assert_int_equal(parse_all((struct span){ text, 61440 }).fault, H1_LINE_TOO_LONG);
    free(text);
}

static void a_head_of_many_lines_is_refused_at_the_cap(void **state)
{
    char text[8192] = OK;
    size_t len = strlen(text);

    (void)state;
    for (; len + 46 <= sizeof(text); len += 46)
        memcpy(text + len, "X-Some-Header: 12345678901234567890123456789\r\n", 46);
    assert_int_equal(parse_all((struct span){ text, len }).fault, H1_HEAD_TOO_LONG);
    assert_int_equal(parse_all((struct span){ text, 4095 }).parse, PARSE_MORE);
    assert_int_equal(parse_all((struct span){ text, 4096 }).fault, H1_HEAD_TOO_LONG);
}

int main(void)
{
    static struct suite s;

    ADD_TABLE(&s, refusals, is_refused);
    ADD_TABLE(&s, readings, is_read);
    add_test(&s, "RESP-23 a reason without end", a_reason_without_end_is_too_long, NULL);
    add_test(&s, "RESP-28 a head of many lines", a_head_of_many_lines_is_refused_at_the_cap, NULL);
    return run_suite("h1_response", &s);
}
