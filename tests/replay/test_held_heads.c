/* The head of an answer is held back until a first part of its body is at hand. If that part turns
 * out to be bad, nobody has seen the head yet: the client is told the truth instead. */
#include "base/address.h"
#include "base/buf.h"
#include "replay.h"

#include <stdio.h>

#define CONFIG                                                                                  \
    "server { listen 8080; proxy_read_timeout 5s; add_header X-Page always always;"             \
    " location / { proxy_pass http://10.0.0.1; }"                                               \
    " location /off { proxy_pass http://10.0.0.1; proxy_buffering off; }"                       \
    " location /gzip { proxy_pass http://10.0.0.1; gzip on; gzip_types *; gzip_min_length 0; }" \
    " location /large { proxy_pass http://10.0.0.1; proxy_buffer_size 256k;"                    \
    " proxy_buffers 8 64k; proxy_busy_buffers_size 256k; }"                                     \
    "} forward { listen 3128; rule allow if client 203.0.113.0/24; }"
#define NONSENSE OK_CHUNKED "ZZ\r\n"

static int setup(void **state)
{
    *state = replay_new(CONFIG);
    return 0;
}

/* One request, answered by `text`; the client is told `status`, its connection serves the next
 * one, and one line says what was wrong. */
static void assert_told(struct replay *r, const char *path, const char *text, unsigned status)
{
    struct backend *b = backend_new(r, 1, 0);
    char request[200], got[32], logged[200];

    backend_answers(b, text, THEN_KEEP);
    backend_answers(b, OK(2, "hi"), THEN_KEEP);
    snprintf(request, sizeof(request),
             "GET %s HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n", path);
    client_sends(r, 0, request);
    replay_settle(r);
    assert_true(backend_is_closed(b, 0));
    assert_true(span_has(client_bytes(r, 0), "\r\nX-Page: always\r\n"));
    assert_false(span_has(client_bytes(r, 0), "200 OK"));
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    snprintf(got, sizeof(got), "%u; 200 hi", status);
    assert_string_equal(client_got(r, 0), got);
    assert_int_equal(replay_error_count(r, LEVEL_ERROR), 1);
    snprintf(logged, sizeof(logged),
             "%u \"GET %s HTTP/1.1\" 0.000 10.0.0.1:80\n"
             "200 \"GET / HTTP/1.1\" 0.000 10.0.0.1:80\n",
             status, path);
    assert_string_equal(replay_log(r), logged);
}

static void a_bad_first_chunk_is_a_502(void **state)
{
    assert_told(*state, "/", NONSENSE, 502);
}

static void a_bad_first_chunk_is_a_502_without_buffering(void **state)
{
    assert_told(*state, "/off", NONSENSE, 502);
}

static void what_was_compressed_and_not_sent_is_forgotten(void **state)
{
    assert_told(*state, "/gzip", OK_CHUNKED "5\r\nhello\r\nZZ\r\n", 502);
    assert_false(span_has(client_bytes(*state, 0), "Content-Encoding"));
}

static void a_chunk_that_never_begins_is_answered_for(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK_CHUNKED "5", THEN_CLOSE);
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "502");
    struct backend *silent = backend_new(r, 1, 0);
    backend_answers(silent, OK_CHUNKED "5", THEN_KEEP);
    client_sends(r, 1, GET("/"));
    replay_wait(r, 5000 + 3 * TICK);
    assert_string_equal(client_got(r, 1), "504");
}

static void a_head_that_left_is_not_taken_back(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK_CHUNKED, THEN_KEEP);
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    assert_true(span_starts(client_bytes(r, 0), "HTTP/1.1 200 OK"));
    backend_sends(b, 0, "ZZ\r\n");
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 CUT; END");
    assert_string_equal(replay_log(r), "200 \"GET / HTTP/1.1\" 0.000 10.0.0.1:80\n");
    assert_int_equal(replay_error_count(r, LEVEL_ERROR), 1);
}

static void a_client_that_is_gone_is_told_nothing(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(5, "hello"), THEN_KEEP);
    fake_fail(&r->loop, FAKE_SEND, 2, EPIPE); /* the first is the request's */
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    assert_int_equal(client_bytes(r, 0).len, 0);
    assert_int_equal(r->worker.live_connections, 0);
    assert_int_equal(replay_error_count(r, LEVEL_ERROR), 0);
}

static void a_head_that_is_too_large_for_us_is_a_500(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);
    struct buf text;

    buf_init(&text, 1 << 20, NULL);
    buf_adds(&text, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n");
    for (int i = 0; i < 150; i++)
        buf_addf(&text, "X-%d: %0*d\r\n", i, 900, i);
    buf_adds(&text, "\r\nhi");
    backend_answers_span(b, buf_view(&text), THEN_KEEP);
    client_sends(r, 0, GET("/large"));
    replay_settle(r);
    buf_done(&text);
    assert_string_equal(client_got(r, 0), "500; END");
    assert_int_equal(replay_error_count(r, LEVEL_ERROR), 1);
}

static void the_forward_face_says_why(void **state)
{
    static const struct address far = { .family = AF_INET, .port = 80, .ip = { 93, 184, 216, 34 } };
    struct replay *r = *state;
    struct backend *b = backend_at(r, &far, 0);

    backend_answers(b, NONSENSE, THEN_KEEP);
    client_connects(r, 0, 3128);
    client_sends(r, 0, "GET http://93.184.216.34/ HTTP/1.1\r\nHost: a\r\n\r\n");
    replay_settle(r);
    assert_true(span_starts(client_bytes(r, 0), "HTTP/1.1 502 "));
    assert_true(span_has(client_bytes(r, 0), "error=http_protocol_error"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("RESP-35-", a_bad_first_chunk_is_a_502),
        PROMISE("RESP-35-", a_bad_first_chunk_is_a_502_without_buffering),
        PROMISE("RESP-35-", what_was_compressed_and_not_sent_is_forgotten),
        PROMISE("RESP-31-", a_chunk_that_never_begins_is_answered_for),
        PROMISE("RESP-35-", a_head_that_left_is_not_taken_back),
        PROMISE("", a_client_that_is_gone_is_told_nothing),
        PROMISE("", a_head_that_is_too_large_for_us_is_a_500),
        PROMISE("RESP-35-", the_forward_face_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
