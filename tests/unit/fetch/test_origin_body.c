/* fetch/origin_body, fetch/buffering: what becomes of an origin's answer, by its framing and by the
 * client's pace. */
#include "unit/support.h"

struct backend {
    const char *answer;
    size_t length;
    bool closes;
    unsigned connections;
};

static void on_data(void *arg, struct fake_peer *p)
{
    struct backend *b = arg;

    fake_send(p, (struct span){ b->answer, b->length });
    if (b->closes)
        fake_send_eof(p);
}

static void on_connect(void *arg, struct fake_peer *p)
{
    ((struct backend *)arg)->connections++;
    fake_on_data(p, on_data, arg);
}

static void serve(struct stage *s, struct backend *b, const char *lines)
{
    struct address at = { .family = AF_INET, .ip = { 127, 0, 0, 1 }, .port = 1 };
    char text[300];

    snprintf(text, sizeof(text),
             "lingering_timeout 1s; location / { proxy_pass http://127.0.0.1:1; %s }", lines);
    stage_server(s, text);
    if (!s->serving)
        stage_serve(s);
    fake_origin(&s->loop, &at, 0, on_connect, b);
}

static const struct {
    const char *promise, *answer;
    bool closes;
    const char *framing, *body; /* of our answer */
    bool whole, kept;           /* the client got an end; the connection is kept for the next */
} cases[] = {
    { "a length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", false, "Content-Length: 3\r\n",
      "abc", true, true },
    { "length 0", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, "Content-Length: 0\r\n",
      "", true, true },
    { "chunked",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n"
      "T: 1\r\n\r\n",
      false, "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n", true, true },
    { "to the end", "HTTP/1.1 200 OK\r\n\r\nabc", true, "Transfer-Encoding: chunked\r\n",
      "3\r\nabc\r\n0\r\n\r\n", true, false },
    { "HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", false, "Content-Length: 3\r\n",
      "abc", true, false },
    { "close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc", false,
      "Content-Length: 3\r\n", "abc", true, false },
    { "204", "HTTP/1.1 204 No Content\r\n\r\n", false, "HTTP/1.1 204 ", "", true, true },
    { "304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false,
      "HTTP/1.1 304 ", "", true, true },
    { "surplus bytes are dropped",
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n\r\n", false,
      "Content-Length: 3\r\n", "abc", true, false },
    { "a length cut short", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", true,
      "Content-Length: 9\r\n", "abc", false, false },
    { "chunked cut short", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
      true, "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n", false, false },
    { "chunked gone bad", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n-1\r\n",
      false, "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n", false, false },
    { "interim answers before",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 X\r\n\r\nHTTP/1.1 200 OK\r\n"
      "Content-Length: 1\r\n\r\nx",
      false, "Content-Length: 1\r\n", "x", true, true },
    { "both framings",
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false,
      "HTTP/1.1 502 ", NULL, true, false },
    { "an upgrade that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\n\r\n", false,
      "HTTP/1.1 502 ", NULL, true, false },
    { "no head", "", true, "HTTP/1.1 502 ", NULL, true, false },
};

static void each_framing_becomes_one_of_ours(void **state)
{
    struct stage *s = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct backend b = { cases[i].answer, strlen(cases[i].answer), cases[i].closes, 0 };

        serve(s, &b, "");
        pools_drain(&s->worker);
        stage_pass(s, 10);
        struct fake_peer *p = stage_connect(s);
        fake_send(p, span_of("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        stage_pass(s, 100);
        const char *got = stage_received(s, p), *end = strstr(got, "\r\n\r\n");
        if (strstr(got, cases[i].framing) == NULL || end == NULL ||
            (cases[i].body != NULL && strcmp(end + 4, cases[i].body) != 0))
            fail_msg("%s: %s", cases[i].promise, got);
        if (fake_is_closed(p) == cases[i].whole)
            fail_msg("%s: the client's connection is %s", cases[i].promise,
                     cases[i].whole ? "closed" : "open");
        if (s->worker.pooled_connections != cases[i].kept)
            fail_msg("%s: %u kept", cases[i].promise, s->worker.pooled_connections);
        fake_send_eof(p);
        stage_pass(s, 10);
    }
}

static void an_old_client_is_never_sent_chunks(void **state)
{
    struct backend b = {
        .answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    };

    b.length = strlen(b.answer);
    serve(*state, &b, "");
    const char *got = stage_ask(*state, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_has(got, "Connection: close\r\n");
    assert_has_not(got, "chunked");
    assert_string_equal(strstr(got, "\r\n\r\n"), "\r\n\r\nabc");
}

static void head_asks_for_the_head_alone(void **state)
{
    struct backend b = { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" };

    b.length = strlen(b.answer);
    serve(*state, &b, "");
    const char *got = stage_ask(*state, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_has(got, "Content-Length: 1000\r\n");
    assert_string_equal(strstr(got, "\r\n\r\n"), "\r\n\r\n");
    assert_int_equal(((struct stage *)*state)->worker.pooled_connections, 1);
}

enum { LARGE = 300000 };

static const struct {
    const char *lines, *head;
} paces[] = {
    { "", "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" },
    { "proxy_buffering off;", "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" },
    { "proxy_buffers 4 8k; proxy_busy_buffers_size 8k;", "HTTP/1.1 200 OK\r\n\r\n" },
};

/* A client that takes little at a time gets every byte, and the worker holds only what it may. */
static void a_slow_client_gets_every_byte(void **state)
{
    struct stage *s = *state;
    char *answer = malloc(LARGE + 100);

    for (size_t i = 0; i < COUNT(paces); i++) {
        size_t head = strlen(paces[i].head);
        struct backend b = { .answer = answer, .length = head + LARGE, .closes = i == 2 };

        memcpy(answer, paces[i].head, head);
        for (size_t n = 0; n < LARGE; n++)
            answer[head + n] = (char)('a' + (n * 31 + n / 1000) % 26);
        serve(s, &b, paces[i].lines);
        struct fake_peer *p = stage_connect(s);
        fake_window(p, 5000);
        fake_send(p, span_of("GET / HTTP/1.0\r\n\r\n"));
        stage_pass(s, 20);
        size_t most = s->worker.budget.used;
        for (int round = 0; round < 200 && !fake_is_closed(p); round++) {
            fake_drain(p, 3000);
            stage_pass(s, 20);
            most = s->worker.budget.used > most ? s->worker.budget.used : most;
        }
        struct span got = fake_received(p);
        assert_true(fake_is_closed(p));
        assert_true(got.len > LARGE);
        assert_memory_equal(got.at + got.len - LARGE, answer + head, LARGE);
        if (most > 600000)
            fail_msg("%s: %zu bytes held", paces[i].lines, most);
        fake_send_eof(p);
        stage_pass(s, 10);
    }
    free(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(each_framing_becomes_one_of_ours),
        STAGED(an_old_client_is_never_sent_chunks),
        STAGED(head_asks_for_the_head_alone),
        STAGED(a_slow_client_gets_every_byte),
    };

    return cmocka_run_group_tests_name("origin_body", tests, NULL, NULL);
}
