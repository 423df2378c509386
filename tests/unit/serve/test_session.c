/* serve: connections as they come, requests one after the other, and how each connection ends
 * (nginx-semantics 4). */
#include "unit/support.h"

static void served(struct stage *s, const char *lines)
{
    stage_server(s, lines);
    stage_serve(s);
}

/* Sends, runs on, and says what has come so far. */
static const char *say(struct stage *s, struct fake_peer *p, const char *text)
{
    fake_send(p, span_of(text));
    stage_pass(s, 10);
    return stage_received(s, p);
}

static unsigned answers_in(const char *text)
{
    unsigned n = 0;

    for (const char *p = text; (p = strstr(p, "HTTP/1.1 ")) != NULL; p++)
        n++;
    return n;
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct stage *s = *state;
    char many[4000] = "";
    size_t len = 0;

    served(s, "return 200 $request_uri;");
    struct fake_peer *p = stage_connect(s);
    for (int i = 0; i < 40; i++)
        len += (size_t)snprintf(many + len, sizeof(many) - len,
                                "GET /%02d HTTP/1.1\r\nHost: a\r\n\r\n", i);
    const char *got = say(s, p, many), *at = got;
    assert_int_equal(answers_in(got), 40);
    for (int i = 0; i < 40; i++) {
        char want[20];

        snprintf(want, sizeof(want), "\r\n\r\n/%02d", i);
        at = strstr(at, want);
        assert_non_null(at);
    }
    assert_false(fake_is_closed(p));
    assert_int_equal(s->loop.fibers.live, 0); /* it is parked */
}

static void a_request_may_come_byte_by_byte(void **state)
{
    struct stage *s = *state;

    served(s, "return 200 $request_uri;");
    fake_segment(&s->loop, 1);
    assert_has(stage_ask(s, "\r\nGET /slow HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n"), "\r\n\r\n/slow");
    fake_segment(&s->loop, 0);
}

static const struct {
    const char *lines, *request, *connection;
    bool kept;
} keeping[] = {
    { "", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "keep-alive", true },
    { "", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "close", false },
    { "", "GET / HTTP/1.0\r\n\r\n", "close", false },
    { "", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive", true },
    { "keepalive_timeout 0;", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "close", false },
    { "keepalive_requests 0;", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "close", false },
    { "keepalive_requests 1;", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "close", false },
    { "keepalive_time 0;", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "close", false },
    { "keepalive_timeout 9s 5s;", "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "keep-alive\r\nKeep-Alive: timeout=5", true },
    { "", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "keep-alive",
      true }, /* read off */
    { "", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab", "close", false },
    { "", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
      "keep-alive", true },
    { "", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
      "close", false },
};

static void a_connection_is_kept_or_closed_and_says_so(void **state)
{
    struct stage *s = *state;

    for (size_t i = 0; i < COUNT(keeping); i++) {
        char lines[200], want[100];

        snprintf(lines, sizeof(lines), "%s lingering_timeout 1s; return 200;", keeping[i].lines);
        stage_server(s, lines);
        if (!s->serving)
            stage_serve(s);
        struct fake_peer *p = stage_connect(s);
        snprintf(want, sizeof(want), "\r\nConnection: %s\r\n", keeping[i].connection);
        const char *got = say(s, p, keeping[i].request);
        if (strstr(got, want) == NULL)
            fail_msg("%s %s: %s", keeping[i].lines, keeping[i].request, got);
        stage_pass(s, 2000);
        if (fake_is_closed(p) == keeping[i].kept)
            fail_msg("%s %s: closed %d", keeping[i].lines, keeping[i].request, fake_is_closed(p));
    }
}

static void an_idle_connection_ends_in_silence_and_a_started_head_is_logged(void **state)
{
    struct stage *s = *state;

    served(s, "keepalive_timeout 5s; client_header_timeout 3s; return 200;");
    struct fake_peer *fresh = stage_connect(s), *used = stage_connect(s), *begun = stage_connect(s);
    say(s, used, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    say(s, begun, "GET / HT");
    stage_pass(s, 2000);
    assert_false(fake_is_closed(fresh) || fake_is_closed(begun));
    stage_pass(s, 1500);
    assert_true(fake_is_closed(fresh) && fake_is_closed(begun));
    assert_false(fake_is_closed(used));
    stage_pass(s, 2000);
    assert_true(fake_is_closed(used));
    assert_string_equal(stage_received(s, fresh), "");
    assert_string_equal(stage_received(s, begun), "");
    assert_has(stage_log(s), "client timed out while reading client request headers");
}

static const struct {
    const char *request;
    unsigned status;
} malformed[] = {
    { "GET /\r\n\r\n", 400 },
    { "get / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
    { "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505 },
    { "GET / HTTP/1.1\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400 },
    { "GET / HTTP/1.1\nHost: a\n\n", 400 },
    { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      400 },
    { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501 },
    { "GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n", 400 },
};

static void a_malformed_head_is_answered_and_ends_the_connection(void **state)
{
    struct stage *s = *state;

    served(s, "lingering_timeout 1s; return 200;");
    for (size_t i = 0; i < COUNT(malformed); i++) {
        struct fake_peer *p = stage_connect(s);
        char two[400], want[40];

        snprintf(two, sizeof(two), "%sGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
                 malformed[i].request);
        snprintf(want, sizeof(want), "HTTP/1.1 %u ", malformed[i].status);
        const char *got = say(s, p, two);
        if (strncmp(got, want, strlen(want)) != 0 || answers_in(got) != 1)
            fail_msg("%s: %s", malformed[i].request, got);
        stage_pass(s, 2000);
        assert_true(fake_is_closed(p));
    }
}

static void limits_of_a_head_have_their_statuses(void **state)
{
    struct stage *s = *state;
    char *request = malloc(20000);

    served(s, "large_client_header_buffers 2 1k; client_header_buffer_size 1k; max_headers 5; "
              "return 200;");
    memset(request, 'x', 20000);
    memcpy(request, "GET /", 5);
    request[1500] = '\0';
    assert_has(stage_ask(s, request), "HTTP/1.1 414 ");
    snprintf(request, 20000, "GET / HTTP/1.1\r\nHost: a\r\nX: %01500d\r\n\r\n", 0);
    const char *got = stage_ask(s, request);
    assert_has(got, "HTTP/1.1 400 Bad Request\r\n");
    assert_has(got, "Request Header Or Cookie Too Large");
    assert_has(stage_ask(s, "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\n\r\n"),
               "HTTP/1.1 200 ");
    assert_has(
        stage_ask(s, "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\n\r\n"),
        "HTTP/1.1 400 ");
    free(request);
}

static void the_worker_takes_no_more_than_its_connections(void **state)
{
    struct stage *s = *state;

    served(s, "return 200;");
    s->worker.most_connections = 2;
    stage_connect(s);
    stage_connect(s);
    stage_pass(s, 10);
    stage_connect(s);
    stage_pass(s, 10);
    assert_int_equal(s->worker.live_connections, 2);
    assert_has(stage_log(s), "2 worker_connections are not enough");
    s->worker.most_connections = 0;
}

static void draining_closes_what_is_idle_and_lets_the_rest_end(void **state)
{
    struct stage *s = *state;

    served(s, "return 200;");
    struct fake_peer *idle = stage_connect(s), *busy = stage_connect(s);
    say(s, idle, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    say(s, busy, "GET / HTTP/1.1\r\n");
    serve_drain(&s->worker, stage_is_idle);
    s->serving = false;
    stage_pass(s, 10);
    assert_true(fake_is_closed(idle));
    assert_false(fake_is_closed(busy));
    assert_has(say(s, busy, "Host: a\r\n\r\n"), "Connection: close\r\n");
    assert_true(fake_is_closed(busy));
    assert_int_equal(s->worker.live_connections, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(pipelined_requests_are_answered_in_order),
        STAGED(a_request_may_come_byte_by_byte),
        STAGED(a_connection_is_kept_or_closed_and_says_so),
        STAGED(an_idle_connection_ends_in_silence_and_a_started_head_is_logged),
        STAGED(a_malformed_head_is_answered_and_ends_the_connection),
        STAGED(limits_of_a_head_have_their_statuses),
        STAGED(the_worker_takes_no_more_than_its_connections),
        STAGED(draining_closes_what_is_idle_and_lets_the_rest_end),
    };

    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
