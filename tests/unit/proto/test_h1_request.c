/* The head of a request: what is read, what is refused, and that it matters not how the bytes
 * arrive. */
#include "proto_test.h"

#include "base/arena.h"
#include "proto/fields.h"
#include "proto/h1.h"

#include <stdio.h>
#include <stdlib.h>

#define P "POST / HTTP/1.1\r\nHost: a\r\n"
#define G "GET / HTTP/1.1\r\nHost: a\r\n"
#define S "GET /smug HTTP/1.1\r\nHost: a\r\n\r\n"

struct refusal {
    const char *promise;
    struct span in;
    enum h1_fault want;
};

static const struct refusal refusals[] = {
    { "SMUG-01 length and coding",
      SPAN(P "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n"), H1_LENGTH_AND_CODING },
    { "SMUG-02 coding and length",
      SPAN(P "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n" S),
      H1_LENGTH_AND_CODING },
    { "SMUG-03 length, coding and close",
      SPAN(P "Connection: close\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n"),
      H1_LENGTH_AND_CODING },
    { "SMUG-04 two lengths", SPAN(P "Content-Length: 0\r\nContent-Length: 44\r\n\r\n" S),
      H1_TWO_LENGTHS },
    { "SMUG-04 two lengths, the other order",
      SPAN(P "Content-Length: 44\r\nContent-Length: 0\r\n\r\n" S), H1_TWO_LENGTHS },
    { "SMUG-05 the same length twice",
      SPAN(P "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"), H1_TWO_LENGTHS },
    { "SMUG-06 a list of equal lengths", SPAN(P "Content-Length: 5, 5\r\n\r\n"), H1_BAD_LENGTH },
    { "SMUG-06 a list of lengths", SPAN(P "Content-Length: 5, 6\r\n\r\n"), H1_BAD_LENGTH },
    { "SMUG-06 a comma behind a length", SPAN(P "Content-Length: 5,\r\n\r\n"), H1_BAD_LENGTH },
    { "SMUG-07 a plus sign is no length", SPAN(P "Content-Length: +5\r\n\r\nhello"),
      H1_BAD_LENGTH },
    { "SMUG-08 a negative length", SPAN(P "Content-Length: -48\r\n\r\n"), H1_BAD_LENGTH },
    { "SMUG-08 minus zero", SPAN(P "Content-Length: -0\r\n\r\n"), H1_BAD_LENGTH },
    { "SMUG-09 a hexadecimal length", SPAN(P "Content-Length: 0x5\r\n\r\n"), H1_BAD_LENGTH },
    { "SMUG-09 a letter behind a length", SPAN(P "Content-Length: 5h\r\n\r\n"), H1_BAD_LENGTH },
    { "SMUG-10 an underscore in a length", SPAN(P "Content-Length: 1_0\r\n\r\n"), H1_BAD_LENGTH },
    { "SMUG-11 a space in a length", SPAN(P "Content-Length: 1 0\r\n\r\n"), H1_BAD_LENGTH },
    { "SMUG-11 a parameter of a length", SPAN(P "Content-Length: 5;a\r\n\r\n"), H1_BAD_LENGTH },
    { "SMUG-11 a fraction", SPAN(P "Content-Length: 5.0\r\n\r\n"), H1_BAD_LENGTH },
    { "SMUG-11 a quoted length", SPAN(P "Content-Length: \"5\"\r\n\r\n"), H1_BAD_LENGTH },
    { "SMUG-12 an empty length", SPAN(P "Content-Length: \r\n\r\n" S), H1_BAD_LENGTH },
    { "SMUG-13 an empty length, then a value",
      SPAN(P "Content-Length:\r\nContent-Length: 43\r\n\r\n"), H1_TWO_LENGTHS },
    { "SMUG-15 2^64+5", SPAN(P "Content-Length: 18446744073709551621\r\n\r\n"), H1_BAD_LENGTH },
    { "SMUG-15 2^63", SPAN(P "Content-Length: 9223372036854775808\r\n\r\n"), H1_BAD_LENGTH },
    { "SMUG-15 40 digits",
      SPAN(P "Content-Length: 1111111111111111111111111111111111111111\r\n\r\n"), H1_BAD_LENGTH },
    { "SMUG-17 30 digits, most of them zero",
      SPAN(P "Content-Length: 000000000000000000000000000005\r\n\r\n"), H1_BAD_LENGTH },
    { "SMUG-18 0xa0 is no blank",
      SPAN(P "Content-Length: \xa0"
             "5\r\n\r\n"),
      H1_BAD_LENGTH },
    { "SMUG-18 0x85 is no blank",
      SPAN(P "Content-Length: \x85"
             "5\r\n\r\n"),
      H1_BAD_LENGTH },
    { "SMUG-18 0xa0 behind", SPAN(P "Content-Length: 5\xa0\r\n\r\n"), H1_BAD_LENGTH },
    { "SMUG-18 full-width digits", SPAN(P "Content-Length: \xef\xbc\x95\r\n\r\n"), H1_BAD_LENGTH },
    { "SMUG-19 a space before the colon", SPAN(P "Content-Length : 5\r\n\r\nhello"),
      H1_BAD_FIELD_NAME },
    { "SMUG-19 a tab before the colon", SPAN(P "Content-Length\t: 5\r\n\r\nhello"),
      H1_BAD_FIELD_NAME },
    { "SMUG-20 a space behind the name of the coding",
      SPAN(P "Content-Length: 5\r\nTransfer-Encoding : chunked\r\n\r\n"), H1_BAD_FIELD_NAME },
    { "SMUG-21 a length without colon", SPAN(P "Content-Length 5\r\n\r\nhello"),
      H1_BAD_FIELD_NAME },
    { "SMUG-21 a name alone", SPAN(G "X-Foo\r\n\r\n"), H1_BAD_FIELD_NAME },
    { "SMUG-22 a space before the first field",
      SPAN("POST / HTTP/1.1\r\n Content-Length: 5\r\nHost: a\r\n\r\nhello"), H1_FOLDED },
    { "SMUG-23 a folded coding", SPAN(P "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" S),
      H1_FOLDED },
    { "SMUG-24 a harmless fold", SPAN(G "X-A: 1\r\n\tb\r\n\r\n"), H1_FOLDED },
    { "SMUG-25 a name across lines",
      SPAN(P "Transfer-\r\nEncoding: chunked\r\nContent-Length: 5\r\n\r\n"), H1_BAD_FIELD_NAME },
    { "SMUG-26 an empty name", SPAN(P ": x\r\nContent-Length: 5\r\n\r\nhello"), H1_BAD_FIELD_NAME },
    { "SMUG-26 a colon alone", SPAN(P ":\r\nContent-Length: 5\r\n\r\nhello"), H1_BAD_FIELD_NAME },
    { "SMUG-27 a zero byte begins a name", SPAN(G "\0X: a\r\n\r\n"), H1_BAD_FIELD_NAME },
    { "SMUG-27 a zero byte in a name", SPAN(G "X\0Y: a\r\n\r\n"), H1_BAD_FIELD_NAME },
    { "SMUG-27 a zero byte ends a name", SPAN(G "X\0: a\r\n\r\n"), H1_BAD_FIELD_NAME },
    { "SMUG-28 a zero byte in a value", SPAN(G "X: a\0b\r\n\r\n"), H1_BAD_FIELD_VALUE },
    { "SMUG-28 a zero byte in Host", SPAN("GET / HTTP/1.1\r\nHost: a\0.b\r\n\r\n"),
      H1_BAD_FIELD_VALUE },
    { "SMUG-29 a bare CR in a value",
      SPAN(P "X: a\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"), H1_BAD_LINE_END },
    { "SMUG-30 a bare LF ends no field",
      SPAN(P "X: a\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"), H1_BAD_LINE_END },
    { "SMUG-31 bare LF everywhere", SPAN("GET / HTTP/1.1\nHost: a\n\n"), H1_BAD_LINE_END },
    { "SMUG-31 a bare LF ends no head", SPAN(G "\n"), H1_BAD_LINE_END },
    { "SMUG-32 a CR and another byte end no head",
      SPAN(G "\rZGET /smug: HTTP/1.1\r\nHost: a\r\n\r\n"), H1_BAD_LINE_END },
    { "SMUG-36 an unknown coding", SPAN(P "Transfer-Encoding: xchunked\r\n\r\n"),
      H1_UNKNOWN_CODING },
    { "SMUG-37 a known coding before chunked", SPAN(P "Transfer-Encoding: gzip, chunked\r\n\r\n"),
      H1_UNKNOWN_CODING },
    { "SMUG-38 chunked is not last", SPAN(P "Transfer-Encoding: chunked, gzip\r\n\r\n"),
      H1_BAD_CODING },
    { "SMUG-38 identity behind chunked", SPAN(P "Transfer-Encoding: chunked, identity\r\n\r\n"),
      H1_BAD_CODING },
    { "SMUG-38 two codings before chunked", SPAN(P "Transfer-Encoding: gzip, br, chunked\r\n\r\n"),
      H1_BAD_CODING },
    { "SMUG-39 chunked twice", SPAN(P "Transfer-Encoding: chunked, chunked\r\n\r\n"),
      H1_BAD_CODING },
    { "SMUG-40 two lines of coding",
      SPAN(P "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), H1_BAD_CODING },
    { "SMUG-40 chunked, then identity",
      SPAN(P "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"), H1_BAD_CODING },
    { "SMUG-41 identity alone", SPAN(P "Transfer-Encoding: identity\r\n\r\n"), H1_UNKNOWN_CODING },
    { "SMUG-41 identity with a length",
      SPAN(P "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n"), H1_LENGTH_AND_CODING },
    { "SMUG-42 a comma before chunked", SPAN(P "Transfer-Encoding: ,chunked\r\n\r\n"),
      H1_BAD_CODING },
    { "SMUG-42 a comma behind chunked", SPAN(P "Transfer-Encoding: chunked,\r\n\r\n"),
      H1_BAD_CODING },
    { "SMUG-42 two commas behind chunked", SPAN(P "Transfer-Encoding: chunked,,\r\n\r\n"),
      H1_BAD_CODING },
    { "SMUG-42 two commas between", SPAN(P "Transfer-Encoding: gzip,,chunked\r\n\r\n"),
      H1_BAD_CODING },
    { "SMUG-43 chunked in quotes", SPAN(P "Transfer-Encoding: \"chunked\"\r\n\r\n"),
      H1_BAD_CODING },
    { "SMUG-43 chunked with a parameter", SPAN(P "Transfer-Encoding: chunked;q=1\r\n\r\n"),
      H1_BAD_CODING },
    { "SMUG-43 two words", SPAN(P "Transfer-Encoding: chunked gzip\r\n\r\n"), H1_BAD_CODING },
    { "SMUG-44 a vertical tab before chunked",
      SPAN(P "Transfer-Encoding: \x0b"
             "chunked\r\n\r\n"),
      H1_BAD_FIELD_VALUE },
    { "SMUG-44 a form feed before chunked",
      SPAN(P "Transfer-Encoding: \x0c"
             "chunked\r\n\r\n"),
      H1_BAD_FIELD_VALUE },
    { "SMUG-44 a zero byte behind chunked", SPAN(P "Transfer-Encoding: chunked\0\r\n\r\n"),
      H1_BAD_FIELD_VALUE },
    { "SMUG-44 0xa0 before chunked",
      SPAN(P "Transfer-Encoding: \xa0"
             "chunked\r\n\r\n"),
      H1_BAD_CODING },
    { "SMUG-44 0xff before chunked",
      SPAN(P "Transfer-Encoding: \xff"
             "chunked\r\n\r\n"),
      H1_BAD_CODING },
    { "SMUG-45 an empty coding with a length",
      SPAN(P "Content-Length: 5\r\nTransfer-Encoding: \r\n\r\n"), H1_LENGTH_AND_CODING },
    { "SMUG-45 an empty coding", SPAN(P "Transfer-Encoding: \r\n\r\n"), H1_BAD_CODING },
    { "SMUG-47 a coding in HTTP/1.0",
      SPAN("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" S),
      H1_CODING_IN_10 },
    { "CHNK-32 a stray zero byte is no request", SPAN("\0"), H1_BAD_METHOD },
    { "FLOW-01 a method in small letters", SPAN("get / HTTP/1.1\r\n"), H1_BAD_METHOD },
    { "FLOW-01 a method with small letters", SPAN("Get / HTTP/1.1\r\n"), H1_BAD_METHOD },
    { "FLOW-01 a method of separators", SPAN("G=\":<>(e),[T];?\" / HTTP/1.1\r\n"), H1_BAD_METHOD },
    { "FLOW-01 a method of a zero byte", SPAN("\0 / HTTP/1.1\r\n"), H1_BAD_METHOD },
    { "FLOW-03 two spaces before the target", SPAN("GET  / HTTP/1.1\r\n"), H1_BAD_TARGET },
    { "FLOW-03 a tab behind the method", SPAN("GET\t/ HTTP/1.1\r\n"), H1_BAD_METHOD },
    { "FLOW-03 two spaces before the version", SPAN("GET /  HTTP/1.1\r\n"), H1_BAD_VERSION },
    { "FLOW-03 a space behind the version", SPAN("GET / HTTP/1.1 \r\n"), H1_BAD_VERSION },
    { "FLOW-04 a space before the method", SPAN(" GET / HTTP/1.1\r\n"), H1_BAD_METHOD },
    { "FLOW-05 a bare LF behind the target", SPAN("GET /\nHTTP/1.1\r\n"), H1_BAD_LINE_END },
    { "FLOW-05 two CR end no line", SPAN("GET / HTTP/1.1\r\r\n"), H1_BAD_LINE_END },
    { "FLOW-05 CR within the version", SPAN("GET / HTTP/\r\r1.1\r\n"), H1_BAD_VERSION },
    { "FLOW-06 a space and a zero byte in the target", SPAN("GET /file.jpg \0.php HTTP/1.1\r\n"),
      H1_BAD_VERSION },
    { "FLOW-07 two digits of a minor version", SPAN("GET / HTTP/1.32\r\n"), H1_BAD_VERSION },
    { "FLOW-07 two digits of a major version", SPAN("GET / HTTP/01.1\r\n"), H1_BAD_VERSION },
    { "FLOW-07 no minor version", SPAN("GET / HTTP/1.\r\n"), H1_BAD_VERSION },
    { "FLOW-07 a version beyond 32 bits", SPAN("GET / HTTP/4294967297.1\r\n"), H1_BAD_VERSION },
    { "FLOW-07 a protocol in small letters", SPAN("GET / http/1.1\r\n"), H1_BAD_VERSION },
    { "FLOW-07 another protocol", SPAN("GET / HTTX/1.1\r\n"), H1_BAD_VERSION },
    { "FLOW-07 a letter behind the version", SPAN("GET / HTTP/1.1a\r\n"), H1_BAD_VERSION },
    { "FLOW-07 HTTP/0.9 by name", SPAN("GET / HTTP/0.9\r\n"), H1_BAD_VERSION },
    { "FLOW-07 HTTP/1", SPAN("GET / HTTP/1\r\n"), H1_BAD_VERSION },
    { "FLOW-08 HTTP/2.0 without preface", SPAN("GET / HTTP/2.0\r\n"), H1_VERSION_UNSUPPORTED },
    { "FLOW-08 HTTP/3.0", SPAN("GET / HTTP/3.0\r\n"), H1_VERSION_UNSUPPORTED },
    { "FLOW-08 the preface of HTTP/2", SPAN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      H1_VERSION_UNSUPPORTED },
    { "FLOW-09 no version at all", SPAN("GET /\r\n"), H1_BAD_VERSION },
    { "FLOW-10 two empty lines", SPAN("\r\n\r\n" G "\r\n"), H1_EMPTY_LINES },
    { "FLOW-10 an empty line of LF", SPAN("\n" G "\r\n"), H1_BAD_LINE_END },
    { "FLOW-10 CR before a request", SPAN("\r" G "\r\n"), H1_BAD_LINE_END },
    { "FLOW-13 two expectations", SPAN(P "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n"),
      H1_REPEATED },
    { "FLOW-14 a word before the expectation", SPAN(P "Expect: y 100-continue\r\n\r\n"),
      H1_BAD_EXPECT },
    { "FLOW-14 a list of expectations", SPAN(P "Expect: \t100-continue,x\r\n\r\n"), H1_BAD_EXPECT },
    { "FLOW-14 another expectation", SPAN(P "Expect: 200-ok\r\n\r\n"), H1_BAD_EXPECT },
    { "FLOW-24 a word is no request", SPAN("INVALID\r\n\r\n"), H1_BAD_METHOD },
    { "TARG-01 no Host in HTTP/1.1", SPAN("GET / HTTP/1.1\r\n\r\n"), H1_NO_HOST },
    { "TARG-01 no Host beside an absolute target", SPAN("GET http://a/ HTTP/1.1\r\n\r\n"),
      H1_NO_HOST },
    { "TARG-02 two equal hosts", SPAN(G "Host: a\r\n\r\n"), H1_REPEATED },
    { "TARG-02 two hosts", SPAN(G "Host: b\r\n\r\n"), H1_REPEATED },
    { "TARG-09 a second Host behind a space", SPAN(G " Host: evil\r\n\r\n"), H1_FOLDED },
    { "TARG-21 a byte of 0x01 in the target", SPAN("GET /\x01 HTTP/1.1\r\n"), H1_BAD_TARGET },
    { "TARG-21 a byte of 0x1f in the target", SPAN("GET /\x1f HTTP/1.1\r\n"), H1_BAD_TARGET },
    { "TARG-21 a byte of 0x7f in the target", SPAN("GET /\x7f HTTP/1.1\r\n"), H1_BAD_TARGET },
    { "two If-Modified-Since", SPAN(G "If-Modified-Since: a\r\nIf-Modified-Since: a\r\n\r\n"),
      H1_REPEATED },
    { "two If-Unmodified-Since", SPAN(G "If-Unmodified-Since: a\r\nIf-Unmodified-Since: a\r\n\r\n"),
      H1_REPEATED },
    { "two If-Match", SPAN(G "If-Match: a\r\nIf-Match: b\r\n\r\n"), H1_REPEATED },
    { "two If-None-Match", SPAN(G "If-None-Match: a\r\nX: 1\r\nif-none-match: b\r\n\r\n"),
      H1_REPEATED },
    { "two If-Range", SPAN(G "If-Range: a\r\nIf-Range: b\r\n\r\n"), H1_REPEATED },
    { "two Content-Range", SPAN(G "Content-Range: a\r\nContent-Range: b\r\n\r\n"), H1_REPEATED },
    { "two Authorization", SPAN(G "Authorization: a\r\nAuthorization: b\r\n\r\n"), H1_REPEATED },
    { "two Proxy-Authorization", SPAN(G "Proxy-Authorization: a\r\nProxy-Authorization: b\r\n\r\n"),
      H1_REPEATED },
};

static const struct h1_limits usual = { .line = 8192, .head = 32768, .fields = 1000 };

/* What a parse said, in one value. */
struct verdict {
    enum parse parse;
    enum h1_fault fault;
    size_t taken;
    struct h1_request request;
    unsigned fields;
};

static struct verdict parse_with(struct span in, const struct h1_limits *limits)
{
    struct verdict v = { .fault = H1_FINE };
    struct field first[32];
    struct arena arena;
    struct fields fields;

    arena_init(&arena, 4096, NULL);
    fields_init(&fields, &arena, first, COUNT(first));
    char *exact = malloc(in.len + 1); /* its own memory, so that a read past the end is seen */
    memcpy(exact, in.at, in.len);
    v.parse = h1_request_parse((struct span){ exact, in.len }, limits, &fields, &v.request,
                               &v.taken, &v.fault);
    v.fields = fields.count;
    free(exact);
    arena_done(&arena);
    return v;
}

/* Bytes arrive one by one: the first verdict that is not `more` is that of the whole. */
static void every_cut_agrees(const char *promise, struct span in, const struct verdict *whole)
{
    for (size_t len = 0; len < in.len; len++) {
        struct verdict v = parse_with(span_first(in, len), &usual);

        if (v.parse == PARSE_MORE)
            continue;
        if (v.parse != whole->parse || v.fault != whole->fault || v.taken != whole->taken)
            fail_msg("%s: cut at %zu says %d (fault %d)", promise, len, (int)v.parse, (int)v.fault);
        return;
    }
}

static void is_refused(void **state)
{
    const struct refusal *row = *state;
    struct verdict v = parse_with(row->in, &usual);

    if (v.parse != PARSE_BAD || v.fault != row->want || v.taken != 0)
        fail_msg("%s: got %d, fault %d", row->promise, (int)v.parse, (int)v.fault);
    every_cut_agrees(row->promise, row->in, &v);
}

struct reading {
    const char *promise;
    struct span head; /* without what follows it */
    struct h1_request want;
};

#define READ(...)                                   \
    {                                               \
        .minor = 1, .keep_alive = true, __VA_ARGS__ \
    }

static const struct reading readings[] = {
    { "a head without body", SPAN(G "\r\n"), READ(.framing = BODY_NONE) },
    { "SMUG-14 a leading zero is decimal", SPAN(P "Content-Length: 010\r\n\r\n"),
      READ(.framing = BODY_LENGTH, .length = 10) },
    { "SMUG-16 a length beyond 32 bits", SPAN(P "Content-Length: 4294967301\r\n\r\n"),
      READ(.framing = BODY_LENGTH, .length = 4294967301) },
    { "the largest length", SPAN(P "Content-Length: 9223372036854775807\r\n\r\n"),
      READ(.framing = BODY_LENGTH, .length = INT64_MAX) },
    { "20 digits with leading zeros", SPAN(P "Content-Length: 00000000000000000005\r\n\r\n"),
      READ(.framing = BODY_LENGTH, .length = 5) },
    { "blanks round a length", SPAN(P "content-length:\t 5 \t\r\n\r\n"),
      READ(.framing = BODY_LENGTH, .length = 5) },
    { "SMUG-46 Chunked", SPAN(P "Transfer-Encoding: Chunked\r\n\r\n"),
      READ(.framing = BODY_CHUNKED) },
    { "SMUG-46 CHUNKED", SPAN(P "Transfer-Encoding: CHUNKED\r\n\r\n"),
      READ(.framing = BODY_CHUNKED) },
    { "SMUG-46 a name in both cases", SPAN(P "TrAnSfEr-EnCoDiNg:chunked\r\n\r\n"),
      READ(.framing = BODY_CHUNKED) },
    { "SMUG-46 tabs round chunked", SPAN(P "Transfer-Encoding:\tchunked \t\r\n\r\n"),
      READ(.framing = BODY_CHUNKED) },
    { "SMUG-48 an underscore makes no framing field",
      SPAN(P "Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
      READ(.framing = BODY_LENGTH, .length = 5) },
    { "SMUG-49 nominating a framing field changes nothing",
      SPAN(P "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n"),
      READ(.framing = BODY_CHUNKED) },
    { "SMUG-50 a GET may have a body", SPAN(G "Content-Length: 47\r\n\r\n"),
      READ(.framing = BODY_LENGTH, .length = 47) },
    { "SMUG-53 no framing is no body", SPAN(P "\r\n"), READ(.framing = BODY_NONE) },
    { "FLOW-10 one empty line is skipped", SPAN("\r\n" G "\r\n"), READ(.framing = BODY_NONE) },
    { "FLOW-11 an expectation", SPAN(P "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n"),
      READ(.framing = BODY_LENGTH, .length = 1, .expects = true) },
    { "FLOW-15 HTTP/1.0 has no expectations",
      SPAN("POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"),
      { .framing = BODY_NONE, .minor = 0 } },
    { "FLOW-25 close", SPAN(G "Connection: close\r\n\r\n"), { .framing = BODY_NONE, .minor = 1 } },
    { "FLOW-32 close wins",
      SPAN(G "Connection: keep-alive, close\r\n\r\n"),
      { .framing = BODY_NONE, .minor = 1 } },
    { "FLOW-32 close wins over lines",
      SPAN(G "Connection: Close\r\nConnection: keep-alive\r\n\r\n"),
      { .framing = BODY_NONE, .minor = 1 } },
    { "a longer word is not close", SPAN(G "Connection: closer\r\n\r\n"),
      READ(.framing = BODY_NONE) },
    { "HTTP/1.0 closes", SPAN("GET / HTTP/1.0\r\n\r\n"), { .framing = BODY_NONE, .minor = 0 } },
    { "HTTP/1.0 with keep-alive",
      SPAN("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"),
      { .framing = BODY_NONE, .minor = 0, .keep_alive = true } },
    { "a higher minor version is read as 1", SPAN("GET / HTTP/1.9\r\nHost: a\r\n\r\n"),
      READ(.framing = BODY_NONE) },
    { "TARG-22 bytes from 0x80 up in a target",
      SPAN("GET /\xc3\xa9\xff HTTP/1.1\r\nHost: a\r\n\r\n"), READ(.framing = BODY_NONE) },
    { "a method of our own", SPAN("MY-OWN_METHOD * HTTP/1.1\r\nHost: a\r\n\r\n"),
      READ(.framing = BODY_NONE) },
    { "tabs and high bytes in a value", SPAN(G "X: a\tb\t\t\tc\xff 12345678\t12345678\r\n\r\n"),
      READ(.framing = BODY_NONE) },
    { "empty values", SPAN(G "X:\r\nY: \r\nZ:\t\t\r\n\r\n"), READ(.framing = BODY_NONE) },
};

static void is_read(void **state)
{
    const struct reading *row = *state;
    const struct h1_request *want = &row->want;

    for (size_t len = 0; len < row->head.len; len++)
        if (parse_with(span_first(row->head, len), &usual).parse != PARSE_MORE)
            fail_msg("%s: %zu bytes do not ask for more", row->promise, len);

    char more[512]; /* what follows is not looked at */
    memcpy(more, row->head.at, row->head.len);
    memcpy(more + row->head.len, "\n\0X", 3);
    struct verdict v = parse_with((struct span){ more, row->head.len + 3 }, &usual);
    const struct h1_request *got = &v.request;
    if (v.parse != PARSE_OK || v.taken != row->head.len)
        fail_msg("%s: got %d, fault %d, %zu taken", row->promise, (int)v.parse, (int)v.fault,
                 v.taken);
    assert_int_equal(got->minor, want->minor);
    assert_int_equal(got->framing, want->framing);
    assert_int_equal(got->length, want->length);
    assert_int_equal(got->keep_alive, want->keep_alive);
    assert_int_equal(got->expects, want->expects);
}

static void outputs_change_only_with_the_verdict(void **state)
{
    struct field first[4];
    struct fields fields;
    struct h1_request r = { .minor = 7, .method = SPAN("x"), .length = 9 };
    size_t taken = 7;
    enum h1_fault fault = H1_FOLDED;

    (void)state;
    fields_init(&fields, NULL, first, COUNT(first));
    assert_int_equal(h1_request_parse(span_of("GET / HT"), &usual, &fields, &r, &taken, &fault),
                     PARSE_MORE);
    assert_true(span_is(r.method, "x"));
    assert_int_equal(fault, H1_FOLDED);
    assert_int_equal(
        h1_request_parse(span_of("GET /p HTTQ/1.1"), &usual, &fields, &r, &taken, &fault),
        PARSE_BAD);
    assert_true(span_is(r.method, "GET") && span_is(r.target, "/p"));
    assert_int_equal(r.minor, 7);
    assert_int_equal(r.length, 9);
    assert_int_equal(taken, 7);
    assert_int_equal(fault, H1_BAD_VERSION);
}

static void fields_keep_order_spelling_and_marks(void **state)
{
    struct field first[2]; /* grows beyond it */
    struct fields fields;
    struct arena arena;
    struct h1_request r;
    size_t taken;
    enum h1_fault fault;

    (void)state;
    arena_init(&arena, 1024, NULL);
    fields_init(&fields, &arena, first, COUNT(first));
    assert_int_equal(h1_request_parse(span_of("GET /x?y HTTP/1.1\r\nhOST: \t a \r\nX.Foo: 1\r\n"
                                              "a_b: c:d\r\nCookie: s\r\nX-Y: \r\n\r\n"),
                                      &usual, &fields, &r, &taken, &fault),
                     PARSE_OK);
    assert_true(span_is(r.method, "GET") && span_is(r.target, "/x?y"));
    assert_int_equal(fields.count, 5);
    const struct field *f = fields.at;
    assert_true(span_is(f[0].name, "hOST") && span_is(f[0].value, "a") && !f[0].invalid);
    assert_int_equal(f[0].id, FIELD_HOST);
    assert_int_equal(f[0].origin, FROM_CLIENT);
    assert_true(span_is(f[1].name, "X.Foo") && f[1].invalid); /* SMUG-35 */
    assert_true(span_is(f[2].value, "c:d") && f[2].invalid && !f[2].sensitive);
    assert_true(f[3].sensitive && !f[3].invalid);
    assert_int_equal(f[4].value.len, 0);
    arena_done(&arena);
}

static void one_byte_is(bool in_value, unsigned byte, enum h1_fault want)
{
    char head[64];
    int len = snprintf(head, sizeof(head), in_value ? G "X: 1234a%cb\r\n\r\n" : G "X%cY: a\r\n\r\n",
                       (int)byte);
    struct verdict v = parse_with((struct span){ head, (size_t)len }, &usual);

    if ((v.parse == PARSE_OK) != (want == H1_FINE) || v.fault != want)
        fail_msg("byte 0x%02x: got %d, fault %d", byte, (int)v.parse, (int)v.fault);
}

static void each_control_byte_in_a_value_is_refused(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++)
        if (byte == '\r' || byte == '\n')
            one_byte_is(true, byte, H1_BAD_LINE_END);
        else
            one_byte_is(true, byte,
                        (byte < ' ' && byte != '\t') || byte == 0x7f ? H1_BAD_FIELD_VALUE
                                                                     : H1_FINE);
}

static void each_byte_that_is_no_token_is_refused_in_a_name(void **state)
{
    (void)state;
    for (unsigned byte = 0x80; byte < 256; byte++)
        one_byte_is(false, byte, H1_BAD_FIELD_NAME);
    for (const char *c = "\"(),/;<=>?@[\\]{} \t\x01\x7f"; *c; c++)
        one_byte_is(false, (unsigned char)*c, H1_BAD_FIELD_NAME);
    for (const char *c = "!#$%&'*+-.^_`|~09azAZ"; *c; c++)
        one_byte_is(false, (unsigned char)*c, H1_FINE);
}

/* `start`, then `n` times `byte`, then `end`. */
static struct verdict parse_long(const char *start, size_t n, char byte, const char *end,
                                 const struct h1_limits *limits)
{
    size_t before = strlen(start), behind = strlen(end);
    char *text = malloc(before + n + behind);

    memcpy(text, start, before);
    memset(text + before, byte, n);
    memcpy(text + before + n, end, behind);
    struct verdict v = parse_with((struct span){ text, before + n + behind }, limits);
    free(text);
    return v;
}

static void a_method_without_end_is_no_method(void **state)
{
    (void)state;
    assert_int_equal(parse_long("", 8191, 'A', "", &usual).parse, PARSE_MORE);
    assert_int_equal(parse_long("", 65536, 'A', " / HTTP/1.1\r\n", &usual).fault, H1_BAD_METHOD);
}

static void a_request_line_over_the_limit_is_too_long(void **state)
{
    size_t fits = 8192 - strlen("GET / HTTP/1.1\r\n");
    struct verdict v;

    (void)state;
    assert_int_equal(parse_long("GET /", fits, 'a', " HTTP/1.1\r\nHost: a\r\n\r\n", &usual).parse,
                     PARSE_OK);
    v = parse_long("GET /", fits + 1, 'a', " HTTP/1.1\r\nHost: a\r\n\r\n", &usual);
    assert_int_equal(v.fault, H1_LINE_TOO_LONG);
    assert_int_equal(h1_fault_status(v.fault), 414);
}

static void a_field_line_over_the_limit_is_too_long(void **state)
{
    size_t fits = 8192 - strlen("X: \r\n");

    (void)state;
    assert_int_equal(parse_long(G "X: ", fits, 'a', "\r\n\r\n", &usual).parse, PARSE_OK);
    assert_int_equal(parse_long(G "X: ", fits + 1, 'a', "\r\n\r\n", &usual).fault,
                     H1_FIELD_TOO_LONG);
    assert_int_equal(parse_long(G "", 8192, 'a', "", &usual).fault, H1_FIELD_TOO_LONG);
    assert_int_equal(parse_long(G "X: ", 8189, 'a', "", &usual).fault, H1_FIELD_TOO_LONG);
    assert_int_equal(parse_long(G "X: ", 8188, 'a', "", &usual).parse, PARSE_MORE);
}

static void a_head_over_the_limit_is_refused_before_its_end(void **state)
{
    struct h1_limits limits = { .line = 100, .head = 40, .fields = 10 };

    (void)state;
    assert_int_equal(strlen(G "X: 12345678\r\n\r\n"), 40);
    assert_int_equal(parse_with(span_of(G "X: 12345678\r\n\r\n"), &limits).parse, PARSE_OK);
    assert_int_equal(parse_with(span_of(G "X: 12345678\r\n\r\nbody"), &limits).parse, PARSE_OK);
    assert_int_equal(parse_with(span_of(G "X: 123456789\r\n\r\n"), &limits).fault,
                     H1_HEAD_TOO_LONG);
    assert_int_equal(parse_with(span_of(G "X: 12345678\r\nYZ"), &limits).fault, H1_HEAD_TOO_LONG);
}

static void a_thousand_fields_pass_and_one_more_does_not(void **state)
{
    struct h1_limits limits = { .line = 8192, .head = 32768, .fields = 1000 };
    char text[8192] = "GET / HTTP/1.1\r\nHost: a\r\n";
    size_t len = strlen(text);

    (void)state;
    for (unsigned i = 1; i < 1000; i++, len += 4)
        memcpy(text + len, "a:\r\n", 4);
    memcpy(text + len, "\r\n", 2);
    struct verdict v = parse_with((struct span){ text, len + 2 }, &limits);
    assert_int_equal(v.parse, PARSE_OK);
    assert_int_equal(v.fields, 1000);
    memcpy(text + len, "a:\r\n\r\n", 6);
    assert_int_equal(parse_with((struct span){ text, len + 6 }, &limits).fault, H1_TOO_MANY_FIELDS);
}

static void sixty_four_options_pass_and_one_more_does_not(void **state)
{
    char head[512] = G "Connection: ";
    size_t len = strlen(head);

    (void)state;
    for (unsigned i = 0; i < 64; i++, len += 3)
        memcpy(head + len, "a, ", 3);
    memcpy(head + len, "\r\n\r\n", 4);
    assert_int_equal(parse_with((struct span){ head, len + 4 }, &usual).parse, PARSE_OK);
    memcpy(head + len, "\r\nConnection: b\r\n\r\n", 19);
    assert_int_equal(parse_with((struct span){ head, len + 19 }, &usual).fault, H1_BAD_FIELD_VALUE);
}

static void every_fault_has_a_status_and_a_text(void **state)
{
    (void)state;
    for (unsigned i = H1_FINE + 1; i < H1_FAULTS; i++) {
        assert_in_range(h1_fault_status((enum h1_fault)i), 400, 505);
        assert_true(strlen(h1_fault_text((enum h1_fault)i)) > 0);
    }
    assert_int_equal(h1_fault_status(H1_VERSION_UNSUPPORTED), 505);
    assert_int_equal(h1_fault_status(H1_UNKNOWN_CODING), 501);
    assert_int_equal(h1_fault_status(H1_BAD_EXPECT), 417);
    assert_int_equal(h1_fault_status(H1_FIELD_TOO_LONG), 494);
}

int main(void)
{
    static struct suite s;

    ADD_TABLE(&s, refusals, is_refused);
    ADD_TABLE(&s, readings, is_read);
    add_test(&s, "SMUG-33 each control byte in a value", each_control_byte_in_a_value_is_refused,
             NULL);
    add_test(&s, "SMUG-34 each byte that is no token in a name",
             each_byte_that_is_no_token_is_refused_in_a_name, NULL);
    add_test(&s, "SMUG-35 a token of other bytes is marked", fields_keep_order_spelling_and_marks,
             NULL);
    add_test(&s, "FLOW-02 a method without end", a_method_without_end_is_no_method, NULL);
    add_test(&s, "TARG-32 a request line over the limit", a_request_line_over_the_limit_is_too_long,
             NULL);
    add_test(&s, "LIM-01 a field line over the limit", a_field_line_over_the_limit_is_too_long,
             NULL);
    add_test(&s, "LIM-02 a head over the limit", a_head_over_the_limit_is_refused_before_its_end,
             NULL);
    add_test(&s, "LIM-03 a thousand fields and one", a_thousand_fields_pass_and_one_more_does_not,
             NULL);
    add_test(&s, "INJ-14 sixty-four options and one", sixty_four_options_pass_and_one_more_does_not,
             NULL);
    ADD_TEST(&s, outputs_change_only_with_the_verdict);
    ADD_TEST(&s, every_fault_has_a_status_and_a_text);
    return run_suite("h1_request", &s);
}
