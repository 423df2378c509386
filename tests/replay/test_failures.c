/* Whole exchanges in which each step fails or is late in its turn, each wait is cancelled, each
 * allocation that may fail does, or somebody leaves, cancels or reloads between any two turns of
 * the loop: nothing is left behind, not even a descriptor, no exchange is logged twice, one record
 * at most says what was wrong, and the worker serves the next request. */
#include "replay.h"

#include "fetch/tunnel.h"
#include "net/fake.h"
#include "net/loop_backend.h"
#include "serve/serve.h"

#include <dirent.h>
#include <stdio.h>

#define CONFIG                                                                                  \
    "client_max_body_size 0; server { listen 8080; location / { proxy_pass http://10.0.0.1;"    \
    " proxy_buffers 4 4k; proxy_busy_buffers_size 8k; }"                                        \
    " location /gzip { proxy_pass http://10.0.0.1; gzip on; gzip_types *; gzip_min_length 0; }" \
    " location /stream { proxy_pass http://10.0.0.1; proxy_request_buffering off; }"            \
    " location /two { proxy_pass http://two; } location /own { return 200 own; } }"             \
    "upstream two { server 10.0.0.1; server 10.0.0.2; }"                                        \
    "server { listen 8081; root %; location /sent { root %; sendfile on; } }"                   \
    "forward { listen 3128; tunnel_peek off; rule allow if client 203.0.113.0/24; }"

enum { LONG = 60000, MOST_TURNS = 400, DAY = 86400 * 1000 };

struct play {
    struct replay *replay;
    struct backend *backend, *other;
    unsigned turn, at; /* the disturbance comes before this turn; 0: never */
    void (*disturb)(struct play *p);
    unsigned errors;      /* that belong to the exchange itself */
    unsigned descriptors; /* real ones, before */
};

static char long_body[LONG + 1];

/* As replay_settle, with the disturbance at its moment. */
static void go(struct play *p)
{
    struct replay *r = p->replay;

    while (!fake_is_quiet(r->loop.backend) || loop_has_work(&r->loop)) {
        if (++p->turn == p->at)
            p->disturb(p);
        if (p->turn > MOST_TURNS)
            fail_msg("it never comes to rest");
        replay_turn(r);
    }
}

/* --- the exchanges ---------------------------------------------------------------------------- */

static void two_gets(struct play *p)
{
    backend_answers(p->backend, OK(5, "hello"), THEN_KEEP);
    client_sends(p->replay, 0, GET("/"));
    go(p);
    client_sends(p->replay, 0, GET("/"));
    go(p);
}

static void a_get_with_a_second_peer(struct play *p)
{
    backend_answers(p->backend, "", THEN_CLOSE);
    p->errors = 1;
    backend_answers(p->other, OK_CHUNKED "5\r\nhello\r\n0\r\n\r\n", THEN_KEEP);
    client_sends(p->replay, 0, GET("/two"));
    go(p);
}

static void a_spooled_post(struct play *p)
{
    backend_answers(p->backend, OK(2, "ok"), THEN_KEEP);
    client_sends(p->replay, 0, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n");
    go(p);
    client_sends(p->replay, 0, long_body);
    go(p);
}

static void a_streamed_post(struct play *p)
{
    backend_answers(p->backend, OK(2, "ok"), THEN_KEEP);
    client_sends(p->replay, 0,
                 "POST /stream HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n");
    go(p);
    client_sends(p->replay, 0, "5\r\nhello\r\n");
    go(p);
    client_sends(p->replay, 0, "1\r\n!\r\n0\r\n\r\n" GET("/own"));
    go(p);
}

static void an_early_answer(struct play *p)
{
    p->errors = 1; /* where the answer came to nobody the upstream times out */
    client_sends(p->replay, 0, "POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    go(p);
    if (p->backend->conn_count > 0)
        backend_sends(p->backend, 0, OK(5, "early"));
    go(p);
    client_sends(p->replay, 0, "def");
    go(p);
}

static void a_slow_client(struct play *p)
{
    static char answer[LONG + 100];

    snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", LONG,
             long_body);
    backend_answers(p->backend, answer, THEN_KEEP);
    client_connects(p->replay, 0, 8080);
    fake_window(p->replay->clients[0], 500);
    client_sends(p->replay, 0, GET("/"));
    go(p);
    for (int i = 0; i < 5; i++) {
        fake_drain(p->replay->clients[0], 15000);
        go(p);
    }
}

static void a_compressed_answer(struct play *p)
{
    backend_answers(p->backend, OK_CHUNKED "5\r\nhello\r\n", THEN_KEEP);
    p->errors = 1; /* where the rest of it came to nobody the upstream times out */
    client_sends(p->replay, 0, "GET /gzip HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    go(p);
    if (p->backend->conn_count > 0)
        backend_sends(p->backend, 0, "1\r\n!\r\n0\r\n\r\n");
    go(p);
}

static void a_pipeline(struct play *p)
{
    backend_answers(p->backend, OK(5, "hello"), THEN_KEEP);
    client_sends(p->replay, 0,
                 GET("/") GET("/own") "POST / HTTP/1.1\r\nHost: a\r\n"
                                      "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" GET(
                                          "/none/"));
    go(p);
}

static void an_upgrade(struct play *p)
{
    backend_answers(p->backend,
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket"
                    "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello",
                    THEN_KEEP);
    client_sends(
        p->replay, 0,
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    go(p);
    client_sends(p->replay, 0, "frame");
    go(p);
    client_leaves(p->replay, 0);
    go(p);
}

static void a_broken_first_chunk(struct play *p)
{
    p->errors = 1;
    backend_answers(p->backend, OK_CHUNKED "ZZ\r\n", THEN_KEEP);
    client_sends(p->replay, 0, GET("/"));
    go(p);
}

static void an_answer_until_close(struct play *p)
{
    backend_answers(p->backend, "HTTP/1.1 200 OK\r\n\r\nhello", THEN_CLOSE);
    client_sends(p->replay, 0, GET("/") GET("/own"));
    go(p);
}

static void files(struct play *p)
{
    replay_file(p->replay, "data", span_of(long_body));
    replay_file(p->replay, "sent", span_of(long_body));
    client_connects(p->replay, 0, 8081);
    fake_window(p->replay->clients[0], 500);
    client_sends(p->replay, 0, GET("/data") GET("/sent"));
    go(p);
    fake_window(p->replay->clients[0], SIZE_MAX);
    go(p);
}

static void a_forward_get(struct play *p)
{
    backend_answers(p->backend, OK(5, "hello"), THEN_KEEP);
    client_connects(p->replay, 0, 3128);
    client_sends(p->replay, 0, "GET http://93.184.216.34/ HTTP/1.1\r\nHost: a\r\n\r\n");
    go(p);
}

static void a_tunnel(struct play *p)
{
    backend_answers(p->backend, OK(5, "hello"), THEN_CLOSE);
    client_connects(p->replay, 0, 3128);
    client_sends(p->replay, 0, "CONNECT 93.184.216.34:443 HTTP/1.1\r\nHost: a\r\n\r\n");
    go(p);
    client_sends(p->replay, 0, GET("/"));
    go(p);
    client_leaves(p->replay, 0);
    go(p);
}

static void bad_requests(struct play *p)
{
    client_sends(p->replay, 0, "GET / HTTP/1.1\r\n\r\n" GET("/smug"));
    go(p);
    client_sends(p->replay, 1,
                 "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\n");
    go(p);
}

static const struct exchange_case {
    const char *name;
    void (*run)(struct play *p);
} cases[] = {
    { "two GETs on one connection", two_gets },
    { "a GET with a second peer", a_get_with_a_second_peer },
    { "a spooled POST", a_spooled_post },
    { "a streamed POST", a_streamed_post },
    { "an early answer", an_early_answer },
    { "a slow client", a_slow_client },
    { "a compressed answer", a_compressed_answer },
    { "a pipeline", a_pipeline },
    { "an upgrade", an_upgrade },
    { "a broken first chunk", a_broken_first_chunk },
    { "an answer until close", an_answer_until_close },
    { "files", files },
    { "a forward GET", a_forward_get },
    { "a tunnel", a_tunnel },
    { "bad requests", bad_requests },
};

/* --- around them ------------------------------------------------------------------------------ */

static unsigned descriptors(void)
{
    DIR *all = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(all);
    while (readdir(all) != NULL)
        count++;
    closedir(all);
    return count;
}

/* At most one for each exchange. */
static void assert_none_is_logged_twice(struct play *p, const char *what)
{
    unsigned lines = 0;

    for (const char *at = replay_log(p->replay); *at != '\0'; at++)
        lines += *at == '\n';
    if (lines > p->replay->worker.exchanges)
        fail_msg("%s: %u exchanges, these lines:\n%s", what, (unsigned)p->replay->worker.exchanges,
                 replay_log(p->replay));
}

static struct play play_new(const struct exchange_case *c)
{
    static const struct address far443 = { .family = AF_INET,
                                           .port = 443,
                                           .ip = { 93, 184, 216, 34 } };
    static const struct address far80 = { .family = AF_INET,
                                          .port = 80,
                                          .ip = { 93, 184, 216, 34 } };
    struct play p = { .descriptors = descriptors() };

    p.replay = replay_new(CONFIG);
    memset(long_body, 'x', LONG);
    if (c->run == a_tunnel)
        p.backend = backend_at(p.replay, &far443, 0);
    else if (c->run == a_forward_get)
        p.backend = backend_at(p.replay, &far80, 0);
    else
        p.backend = backend_new(p.replay, 1, 0);
    p.other = backend_new(p.replay, 2, 0);
    return p;
}

/* Time passes until all is over; then another client is served, through an upstream too. */
static void look_back(struct play *p, const char *what)
{
    struct replay *r = p->replay;
    struct backend *fresh;

    replay_wait(r, DAY); /* and not for ever */
    r->worker.budget.max = SIZE_MAX / 2;
    r->worker.budget.refuse_in = 0;
    r->loop.fibers.max = 1000;
    r->loop.fibers.cancel_in = 0;
    assert_none_is_logged_twice(p, what);
    unsigned errors = replay_error_count(r, LEVEL_ERROR) + replay_error_count(r, LEVEL_CRIT);
    if (replay_open(r) != 0 || errors > p->errors + 1)
        fail_msg("%s: %u left open, errors: %s%s", what, replay_open(r),
                 replay_errors(r, LEVEL_ERROR), replay_errors(r, LEVEL_CRIT));
    fresh = backend_new(r, 1, 0);
    backend_answers(fresh, OK(4, "next"), THEN_KEEP);
    client_sends(r, 20, GET("/own") GET("/"));
    replay_settle(r);
    if (strcmp(client_got(r, 20), "200 own; 200 next") != 0)
        fail_msg("%s: the next request got \"%s\"", what, client_got(r, 20));
    replay_free(r);
    if (descriptors() != p->descriptors)
        fail_msg("%s: a descriptor is left", what);
}

static const struct {
    enum fake_step kind;
    int error;
} failures[] = {
    { FAKE_RECV, ECONNRESET },      { FAKE_RECV, ETIMEDOUT },        { FAKE_RECV, ENOMEM },
    { FAKE_SEND, EPIPE },           { FAKE_RECV, EAGAIN },           { FAKE_SEND, EAGAIN },
    { FAKE_SEND, ENOBUFS },         { FAKE_CONNECT, ETIMEDOUT },     { FAKE_SEND, ECONNRESET },
    { FAKE_CONNECT, ECONNREFUSED }, { FAKE_CONNECT, EADDRNOTAVAIL }, { FAKE_CONNECT, ENETUNREACH },
    { FAKE_ACCEPT, EMFILE },        { FAKE_ACCEPT, ECONNABORTED },   { FAKE_OPEN, ENOSPC },
    { FAKE_SOCKET, EMFILE },
};

static void fail_each_step(const struct exchange_case *c, unsigned which)
{
    enum fake_step kind = failures[which].kind;
    struct play whole = play_new(c);
    uint64_t before = fake_steps(&whole.replay->loop, kind);

    c->run(&whole);
    uint64_t steps = fake_steps(&whole.replay->loop, kind) - before;
    look_back(&whole, c->name);
    for (uint64_t n = 1; n <= steps; n++) {
        struct play p = play_new(c);
        char what[160];

        snprintf(what, sizeof(what), "%s, step %llu of kind %d fails (%d)", c->name,
                 (unsigned long long)n, (int)kind, failures[which].error);
        fake_fail(&p.replay->loop, kind, n, failures[which].error);
        c->run(&p);
        look_back(&p, what);
    }
}

static void each_step_may_fail(void **state)
{
    (void)state;
    for (unsigned i = 0; i < COUNT(cases); i++)
        for (unsigned j = 0; j < COUNT(failures); j++)
            fail_each_step(&cases[i], j);
}

/* Waits and allocations are counted down from far away in a run in which nothing happens. */
static const uint64_t FAR = UINT32_MAX;

static uint64_t arm_wait(struct play *p, uint64_t n)
{
    uint64_t left = p->replay->loop.fibers.cancel_in;

    p->replay->loop.fibers.cancel_in = n;
    return FAR - left;
}

static uint64_t arm_budget(struct play *p, uint64_t n)
{
    uint64_t left = p->replay->worker.budget.refuse_in;

    p->replay->worker.budget.refuse_in = n;
    return FAR - left;
}

static void each_in_turn(const struct exchange_case *c, const char *name,
                         uint64_t (*arm)(struct play *p, uint64_t n))
{
    struct play whole = play_new(c);

    arm(&whole, FAR);
    c->run(&whole);
    uint64_t count = arm(&whole, 0);
    assert_in_range(count, 1, 1000);
    look_back(&whole, c->name);
    for (uint64_t n = 1; n <= count; n++) {
        struct play p = play_new(c);
        char what[160];

        snprintf(what, sizeof(what), "%s, %s %llu", c->name, name, (unsigned long long)n);
        p.errors = 1;
        arm(&p, n);
        c->run(&p);
        look_back(&p, what);
    }
}

static void each_wait_may_be_cancelled(void **state)
{
    (void)state;
    for (unsigned i = 0; i < COUNT(cases); i++)
        each_in_turn(&cases[i], "cancelled wait", arm_wait);
}

static void each_allocation_may_be_refused(void **state)
{
    (void)state;
    for (unsigned i = 0; i < COUNT(cases); i++)
        each_in_turn(&cases[i], "refused allocation", arm_budget);
}

/* --- disturbances ----------------------------------------------------------------------------- */

static void all_is_cancelled(struct play *p)
{
    serve_abort(&p->replay->worker);
    tunnels_stop(&p->replay->worker);
}

static void the_client_resets(struct play *p)
{
    if (p->replay->clients[0] != NULL)
        client_resets(p->replay, 0);
}

static void the_client_ends(struct play *p)
{
    if (p->replay->clients[0] != NULL)
        client_leaves(p->replay, 0);
}

static void end_backends(struct play *p, enum then how)
{
    for (unsigned i = 0; i < p->backend->conn_count; i++)
        backend_ends(p->backend, i, how);
}

static void the_backend_resets(struct play *p)
{
    end_backends(p, THEN_RESET);
}

static void the_backend_ends(struct play *p)
{
    end_backends(p, THEN_CLOSE);
}

static void the_backend_talks_nonsense(struct play *p)
{
    for (unsigned i = 0; i < p->backend->conn_count; i++)
        backend_sends(p->backend, i, "\x01\r\nnonsense\r\n\r\n");
}

static void another_configuration_comes(struct play *p)
{
    replay_reload(p->replay, CONFIG "server { listen 8080; server_name more.example; }");
}

static void memory_is_spent(struct play *p)
{
    p->replay->worker.budget.max = 0;
    p->errors += 1; /* a page that says so has no memory either */
}

static void no_fiber_is_left(struct play *p)
{
    p->replay->loop.fibers.max = p->replay->loop.fibers.live;
    p->errors += 1; /* there may be two clients */
}

static const struct {
    const char *name;
    void (*disturb)(struct play *p);
} disturbances[] = {
    { "all is cancelled", all_is_cancelled },
    { "the client resets", the_client_resets },
    { "the client ends", the_client_ends },
    { "the backend resets", the_backend_resets },
    { "the backend ends", the_backend_ends },
    { "the backend talks nonsense", the_backend_talks_nonsense },
    { "another configuration comes", another_configuration_comes },
    { "memory is spent", memory_is_spent },
    { "no fiber is left", no_fiber_is_left },
};

static void disturb_each_turn(const struct exchange_case *c, unsigned which)
{
    unsigned turns = 1;

    for (unsigned at = 1; at <= turns; at++) {
        struct play p = play_new(c);
        char what[160];

        snprintf(what, sizeof(what), "%s, before turn %u %s", c->name, at,
                 disturbances[which].name);
        p.at = at;
        p.disturb = disturbances[which].disturb;
        c->run(&p);
        turns = p.turn;
        look_back(&p, what);
    }
}

static void somebody_may_disturb_at_each_turn(void **state)
{
    (void)state;
    for (unsigned i = 0; i < COUNT(cases); i++)
        for (unsigned j = 0; j < COUNT(disturbances); j++)
            disturb_each_turn(&cases[i], j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_step_may_fail),
        cmocka_unit_test(each_wait_may_be_cancelled),
        { "LIM-32-each_allocation_may_be_refused", each_allocation_may_be_refused, NULL, NULL,
          NULL },
        cmocka_unit_test(somebody_may_disturb_at_each_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
