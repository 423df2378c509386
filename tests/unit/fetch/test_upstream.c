/* fetch/upstream, fetch/origin, fetch/attempts: groups in a worker, the next peer, and what the log
 * tells (nginx-semantics 7.4 to 7.8). */
#include "fetch/upstream/upstream.h"
#include "unit/support.h"

#include <errno.h>

enum { PEERS = 3 };

/* Backends at 127.0.0.1:1 ... :3: each accepts and answers, or does not. */
struct backend {
    struct stage *stage;
    const char *answer; /* NULL: closes at once */
    unsigned requests;
};

static void on_data(void *arg, struct fake_peer *p)
{
    struct backend *b = arg;

    b->requests++;
    if (b->answer != NULL)
        fake_send(p, span_of(b->answer));
    else
        fake_send_eof(p);
}

static void on_connect(void *arg, struct fake_peer *p)
{
    fake_on_data(p, on_data, arg);
}

static struct backend backends[PEERS];

static void stand(struct stage *s, unsigned i, int error, const char *answer)
{
    struct address at = { .family = AF_INET, .ip = { 127, 0, 0, 1 }, .port = (uint16_t)(i + 1) };

    backends[i] = (struct backend){ .stage = s, .answer = answer };
    fake_origin(&s->loop, &at, error, on_connect, &backends[i]);
}

static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Peer: yes\r\n\r\nok";
static const char bad[] = "HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno";

static int file;

/* `group` stands in `upstream u { }`, `lines` in the location. */
static void serve(struct stage *s, const char *group, const char *lines)
{
    char text[1500];

    snprintf(text, sizeof(text),
             "log_format f '$upstream_addr|$upstream_status|"
             "$upstream_response_length|$upstream_http_x_peer';\n"
             "upstream u { %s }\nserver { listen 80; access_log /proc/self/fd/%d f;\n"
             "location / { proxy_pass http://u; %s } }",
             group, file, lines);
    assert_string_equal(stage_load(s, text), "");
    if (!s->serving)
        stage_serve(s);
}

static const char *logged(void)
{
    static char text[8192];
    ssize_t n = pread(file, text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    assert_int_equal(ftruncate(file, 0), 0);
    return text;
}

static int open_stage(void **state)
{
    file = memfd_create("access", MFD_CLOEXEC);
    return stage_open(state);
}

static int close_stage(void **state)
{
    struct stage *s = *state;

    generation_unref(
        &s->worker.generation); /* its pools have no user any more: idle connections close */
    int failed = stage_close(state);
    close(file);
    return failed;
}

static const char three[] = "server 127.0.0.1:1; server 127.0.0.1:2; server 127.0.0.1:3;";
static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
static const char post[] =
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx";

static void requests_go_round_on_kept_connections(void **state)
{
    struct stage *s = *state;

    for (unsigned i = 0; i < PEERS; i++)
        stand(s, i, 0, ok);
    serve(s, three, "");
    for (int i = 0; i < 6; i++)
        assert_has(stage_ask(s, get), "\r\n\r\nok");
    for (unsigned i = 0; i < PEERS; i++)
        assert_int_equal(backends[i].requests, 2);
    assert_int_equal(s->worker.upstream_connections, 3);
    assert_int_equal(s->worker.pooled_connections, 3);
}

static void a_reload_keeps_connections_and_memory_of_peers(void **state)
{
    struct stage *s = *state;

    stand(s, 0, ECONNREFUSED, NULL);
    stand(s, 1, 0, ok);
    serve(s, "server 127.0.0.1:1 fail_timeout=100s; server 127.0.0.1:2;", "");
    stage_ask(s, get);
    assert_string_equal(logged(), "127.0.0.1:1, 127.0.0.1:2|502, 200|0, 2|yes\n");
    serve(s, "server 127.0.0.1:1 fail_timeout=100s; server 127.0.0.1:2;", "");
    assert_int_equal(s->worker.pooled_connections, 1);
    stage_ask(s, get);
    assert_string_equal(logged(), "127.0.0.1:2|200|2|yes\n"); /* it still rests */
}

static const struct {
    const char *promise, *lines;
    bool is_post, refused;
    const char *first; /* the first peer's answer; NULL: it closes */
    const char *log;
} tries[] = {
    { "one that is down", "", false, true, NULL, "127.0.0.1:1, 127.0.0.1:2|502, 200|0, 2|yes\n" },
    { "one that is down, and a POST: nothing was sent", "", true, true, NULL,
      "127.0.0.1:1, 127.0.0.1:2|502, 200|0, 2|yes\n" },
    { "one that closes", "", false, false, NULL, "127.0.0.1:1, 127.0.0.1:2|502, 200|0, 2|yes\n" },
    { "one that closes after a POST was sent", "", true, false, NULL, "127.0.0.1:1|502|0|-\n" },
    { "the same, when it is allowed", "proxy_next_upstream error non_idempotent;", true, false,
      NULL, "127.0.0.1:1, 127.0.0.1:2|502, 200|0, 2|yes\n" },
    { "a status that is not listed", "", false, false, bad, "127.0.0.1:1|503|2|-\n" },
    { "a status that is listed", "proxy_next_upstream http_503;", false, false, bad,
      "127.0.0.1:1, 127.0.0.1:2|503, 200|0, 2|yes\n" },
    { "off", "proxy_next_upstream off;", false, true, NULL, "127.0.0.1:1|502|0|-\n" },
    { "off beats what stands beside it", "proxy_next_upstream error off;", false, true, NULL,
      "127.0.0.1:1|502|0|-\n" },
    { "one try", "proxy_next_upstream_tries 1;", false, true, NULL, "127.0.0.1:1|502|0|-\n" },
    { "an unreadable answer", "", false, false, "nonsense\r\n\r\n", "127.0.0.1:1|502|0|-\n" },
    { "an unreadable answer, listed", "proxy_next_upstream invalid_header;", false, false,
      "nonsense\r\n\r\n", "127.0.0.1:1, 127.0.0.1:2|502, 200|0, 2|yes\n" },
};

static void the_next_peer_is_asked_or_not(void **state)
{
    struct stage *s = *state;

    for (size_t i = 0; i < COUNT(tries); i++) {
        char group[200];

        stand(s, 0, tries[i].refused ? ECONNREFUSED : 0, tries[i].first);
        stand(s, 1, 0, ok);
        serve(s, "server 127.0.0.1:1 weight=2 max_fails=0; server 127.0.0.1:2 max_fails=0;",
              tries[i].lines);
        snprintf(group, sizeof(group), "r upstream u");
        struct pool *p = pool_find(&s->worker, span_of(group));
        for (struct peer_state *state_of = p->peers; state_of != NULL; state_of = state_of->next)
            state_of->current_weight = 0;
        stage_ask(s, tries[i].is_post ? post : get);
        const char *got = logged();
        if (strcmp(got, tries[i].log) != 0)
            fail_msg("%s: %s, want %s", tries[i].promise, got, tries[i].log);
    }
}

static void when_all_are_down_it_is_502_and_then_no_live_upstreams(void **state)
{
    struct stage *s = *state;

    for (unsigned i = 0; i < PEERS; i++)
        stand(s, i, ECONNREFUSED, NULL);
    serve(s, three, "");
    assert_has(stage_ask(s, get), "HTTP/1.1 502 Bad Gateway\r\n");
    assert_string_equal(logged(),
                        "127.0.0.1:1, 127.0.0.1:2, 127.0.0.1:3|502, 502, 502|0, 0, 0|-\n");
    assert_has(stage_ask(s, get), "HTTP/1.1 502 Bad Gateway\r\n");
    assert_string_equal(logged(), "u|502|0|-\n");
    assert_has(stage_log(s), "no live upstreams while connecting to upstream");
    assert_has(stage_log(s), "(111: Connection refused) while connecting to upstream");
}

static const struct {
    const char *text, *want;
} refused[] = {
    { "upstream u { }", "no servers are inside upstream in /etc/test.conf:1" },
    { "upstream u { server a; }\nupstream U { server b; }",
      "duplicate upstream \"U\" in /etc/test.conf:2" },
    { "upstream u { server a:0; }", "invalid host in upstream \"a:0\"" },
    { "upstream u { server a:; }", "invalid port in upstream \"a:\"" },
    { "upstream u { server a backup; server b backup; }",
      "no servers in upstream \"u\" in /etc/test.conf:1" },
    { "upstream u { server a weight=0; }", "invalid parameter \"weight=0\"" },
    { "upstream u { server a weight=x; }", "invalid parameter \"weight=x\"" },
    { "upstream u { server a fail_timeout=x; }", "invalid parameter \"fail_timeout=x\"" },
    { "upstream u { server a nonsense; }", "invalid parameter \"nonsense\"" },
    { "upstream u { server a resolve; }", "\"resolve\" is known, not supported yet" },
    { "upstream u { server unix:/x; }", "\"unix:\" is known, not supported yet" },
    { "upstream u { listen 80; }", "\"listen\" directive is not allowed here" },
};

static void what_is_no_group_is_refused(void **state)
{
    for (size_t i = 0; i < COUNT(refused); i++)
        assert_has(stage_load(*state, refused[i].text), refused[i].want);
}

int main(void)
{
#define WITH_BACKENDS(test) cmocka_unit_test_setup_teardown(test, open_stage, close_stage)
    const struct CMUnitTest tests[] = {
        WITH_BACKENDS(requests_go_round_on_kept_connections),
        WITH_BACKENDS(a_reload_keeps_connections_and_memory_of_peers),
        WITH_BACKENDS(the_next_peer_is_asked_or_not),
        WITH_BACKENDS(when_all_are_down_it_is_502_and_then_no_live_upstreams),
        STAGED(what_is_no_group_is_refused),
    };

    return cmocka_run_group_tests_name("upstream", tests, NULL, NULL);
}
