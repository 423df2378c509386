/* Names on the fake loop: our own resolver resolves them, and what they resolve to is judged.
 *
 *     client --> forward face --asks--> name server 192.0.2.53 (the test)
 *                     +------dials------> exactly the address that was judged */
#include "base/address.h"
#include "base/buf.h"
#include "base/span.h"
#include "replay.h"

#define FORWARD                                                                                  \
    "forward { listen 3128; tunnel_peek off; resolver 192.0.2.53 ipv6=off; resolver_timeout 5s;" \
    " rule allow if client 203.0.113.0/24; }"
#define SERVER "server { listen 8080; return 200 next; }"
#define REVERSE(name)                                                          \
    "resolver 192.0.2.53 ipv6=off; resolver_timeout 5s; server { listen 8080;" \
    " location / { proxy_pass http://" name "; } location /own { return 200 own; } }"

enum { QUERY_HEAD = 12, NAMES = 8 };

static struct names {
    struct {
        const char *name;
        uint8_t ip[4];
        int code; /* of the answer; -1: silence */
    } of[NAMES];
    unsigned count, asked;
    uint32_t seconds; /* the TTL */
} names;

static const struct address server = { .family = AF_INET, .port = 53, .ip = { 192, 0, 2, 53 } };
static const struct address outside = { .family = AF_INET, .port = 80, .ip = { 93, 184, 216, 34 } };

/* --- the name server -------------------------------------------------------------------------- */

static void name_is(const char *name, uint8_t a, uint8_t b, int code)
{
    unsigned i = 0;

    while (i < names.count && strcmp(names.of[i].name, name) != 0)
        i++;
    names.count = i == names.count ? i + 1 : names.count;
    names.of[i].name = name;
    names.of[i].code = code;
    memcpy(names.of[i].ip, (uint8_t[]){ a, b, 216, 34 }, 4);
}

static size_t read_name(struct span query, char ret[256])
{
    size_t at = QUERY_HEAD, len = 0;

    while (query.at[at] != 0) {
        for (int left = query.at[at++]; left > 0; left--)
            ret[len++] = ascii_lower(query.at[at++]);
        ret[len++] = '.';
    }
    ret[len > 0 ? len - 1 : 0] = '\0';
    return at + 5;
}

static void reply(struct fake_peer *p, struct span query, size_t length, unsigned which)
{
    const uint8_t *ip = names.of[which].ip;
    uint8_t ttl = (uint8_t)names.seconds;
    char head[QUERY_HEAD] = { query.at[0], query.at[1], (char)0x81, 0, 0, 1 };
    struct buf m;

    head[3] = (char)(0x80 | names.of[which].code);
    head[7] = names.of[which].code == 0;
    buf_init(&m, 512, NULL);
    buf_add(&m, (struct span){ head, sizeof(head) });
    buf_add(&m, span_first(span_from(query, QUERY_HEAD), length - QUERY_HEAD));
    if (names.of[which].code == 0) {
        char record[] = { (char)0xc0, QUERY_HEAD, 0, 1, 0, 1, 0, 0, 0, (char)ttl, 0, 4 };
        buf_add(&m, (struct span){ record, sizeof(record) });
        buf_add(&m, (struct span){ (const char *)ip, 4 });
    }
    fake_send(p, buf_view(&m));
    buf_done(&m);
}

/* Each question has a socket of its own, or comes behind those before it. */
static void on_query(void *arg, struct fake_peer *p)
{
    struct span all = fake_received(p);
    char name[256];

    (void)arg;
    while (all.len > QUERY_HEAD) {
        size_t length = read_name(all, name);

        names.asked++;
        for (unsigned i = 0; i < names.count; i++)
            if (strcmp(names.of[i].name, name) == 0 && names.of[i].code >= 0)
                reply(p, all, length, i);
        all = span_from(all, length);
    }
}

static void on_socket(void *arg, struct fake_peer *p)
{
    fake_on_data(p, on_query, arg);
}

static struct replay *with_names(const char *config)
{
    struct replay *r = replay_new("server { listen 8080; return 200 first; }" FORWARD);

    names = (struct names){ .seconds = 60 };
    fake_origin(&r->loop, &server, 0, on_socket, NULL);
    if (config != NULL)
        replay_reload(r, config);
    return r;
}

static int setup(void **state)
{
    *state = with_names(NULL);
    return 0;
}

static void sends(struct replay *r, unsigned c, const char *name)
{
    struct buf text;

    if (r->clients[c] == NULL)
        client_connects(r, c, 3128);
    buf_init(&text, 1000, NULL);
    buf_addf(&text, "GET http://%s/ HTTP/1.1\r\nHost: %s\r\n\r\n", name, name);
    client_sends_span(r, c, buf_view(&text));
    buf_done(&text);
}

static bool got(struct replay *r, unsigned c, const char *start)
{
    return span_starts(span_of(client_got(r, c)), start);
}

/* --- the forward face ------------------------------------------------------------------------- */

static void a_name_leads_to_the_address_that_was_judged(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_at(r, &outside, 0);

    backend_answers(b, OK(2, "hi"), THEN_KEEP);
    name_is("public.example", 93, 184, 0);
    sends(r, 0, "public.example");
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 hi");
    assert_true(span_has(span_of(backend_got(b, 0)), "\r\nHost: public.example\r\n"));
    sends(r, 1, "public.example");
    replay_settle(r);
    assert_int_equal(names.asked, 1); /* known for its TTL */
    assert_int_equal(b->conn_count, 1);
}

/* Unless what is asked, or of whom, has changed. */
static void what_is_known_of_names_outlives_a_reload(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_at(r, &outside, 0);

    backend_answers(b, OK(2, "hi"), THEN_KEEP);
    name_is("public.example", 93, 184, 0);
    sends(r, 0, "public.example");
    replay_settle(r);
    for (int i = 0; i < 3; i++)
        replay_reload(r, SERVER FORWARD);
    sends(r, 0, "public.example");
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 hi; 200 hi");
    assert_int_equal(names.asked, 1);
    replay_reload(r, SERVER "forward { listen 3128; resolver 192.0.2.53 ipv6=off; "
                            "resolver_timeout 6s; rule allow if client 203.0.113.0/24; }");
    sends(r, 0, "public.example");
    replay_settle(r);
    assert_int_equal(names.asked, 2);
}

static void a_name_that_leads_inside_is_denied(void **state)
{
    struct replay *r = *state;

    name_is("inside.example", 10, 0, 0);
    name_is("loop.example", 127, 0, 0);
    sends(r, 0, "inside.example");
    sends(r, 1, "loop.example");
    replay_settle(r);
    assert_true(got(r, 0, "403"));
    assert_true(got(r, 1, "403"));
    assert_true(names.asked == 2 && fake_steps(&r->loop, FAKE_CONNECT) == 2); /* of the resolver */
}

/* The same name, another time, another address: judged anew. */
static void a_name_that_turns_inside_is_denied_then(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_at(r, &outside, 0);

    backend_answers(b, OK(2, "hi"), THEN_KEEP);
    names.seconds = 1;
    name_is("rebinds.example", 93, 184, 0);
    sends(r, 0, "rebinds.example");
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 hi");
    name_is("rebinds.example", 10, 0, 0);
    replay_wait(r, 10000);
    sends(r, 0, "rebinds.example");
    replay_settle(r);
    assert_true(got(r, 0, "200 hi; 403"));
    assert_int_equal(b->requests, 1);
}

static void a_name_that_is_not_there_is_502(void **state)
{
    struct replay *r = *state;

    name_is("none.example", 0, 0, 3);
    sends(r, 0, "none.example");
    replay_settle(r);
    assert_true(got(r, 0, "502"));
    assert_int_equal(replay_error_count(r, LEVEL_ERROR), 1);
}

static void a_silent_name_server_is_504_at_resolver_timeout(void **state)
{
    struct replay *r = *state;

    name_is("silent.example", 0, 0, -1);
    sends(r, 0, "silent.example");
    replay_wait(r, 5000 - TICK);
    assert_string_equal(client_got(r, 0), "");
    replay_wait(r, 3 * TICK);
    assert_true(got(r, 0, "504"));
}

static void a_client_that_leaves_while_we_resolve_is_499(void **state)
{
    struct replay *r = *state;

    name_is("silent.example", 0, 0, -1);
    sends(r, 0, "silent.example");
    sends(r, 1, "silent.example");
    replay_wait(r, 1000);
    client_resets(r, 0);
    replay_settle(r);
    assert_string_equal(replay_log(r), "499 \"GET http://silent.example/ HTTP/1.1\" 1.000 -\n");
    replay_wait(r, 5000);
    assert_true(got(r, 1, "504")); /* the other one still waited */
    replay_run(r);
    assert_int_equal(replay_open(r), 0);
}

static void equal_questions_are_asked_once(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_at(r, &outside, 0);

    backend_answers(b, OK(2, "hi"), THEN_KEEP);
    name_is("public.example", 93, 184, 0);
    for (unsigned c = 0; c < 20; c++)
        sends(r, c, "public.example");
    replay_settle(r);
    for (unsigned c = 0; c < 20; c++)
        assert_string_equal(client_got(r, c), "200 hi");
    assert_int_equal(names.asked, 1);
}

static void a_reload_while_we_resolve_does_no_harm(void **state)
{
    struct replay *r = *state;

    name_is("silent.example", 0, 0, -1);
    sends(r, 0, "silent.example");
    replay_wait(r, 1000);
    for (int i = 0; i < 3; i++)
        replay_reload(r, SERVER FORWARD);
    replay_wait(r, 5000);
    assert_true(got(r, 0, "504"));
    assert_int_equal(r->worker.generation->refs, 1);
}

/* --- names of upstreams ----------------------------------------------------------------------- */

static void an_upstream_is_502_until_its_name_is_known(void **state)
{
    struct replay *r;
    struct backend *b;

    (void)state;
    r = with_names(NULL);
    name_is("backend.example", 93, 184, -1);
    replay_reload(r, REVERSE("backend.example"));
    b = backend_at(r, &outside, 0);
    backend_answers(b, OK(2, "hi"), THEN_KEEP);
    replay_settle(r);
    assert_int_equal(r->worker.generation->starting, 1);
    client_sends(r, 0, GET("/") GET("/own"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "502; 200 own");
    name_is("backend.example", 93, 184, 0);
    replay_wait(r, 4000); /* it is asked again */
    assert_int_equal(r->worker.generation->starting, 0);
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "502; 200 own; 200 hi");
    replay_free(r);
}

/* The reverse face goes wherever the configuration says. */
static void an_upstream_may_lie_inside(void **state)
{
    static const struct address inside = { .family = AF_INET,
                                           .port = 80,
                                           .ip = { 10, 0, 216, 34 } };
    struct replay *r;

    (void)state;
    r = with_names(NULL);
    name_is("backend.example", 10, 0, 0);
    backend_answers(backend_at(r, &inside, 0), OK(2, "hi"), THEN_KEEP);
    replay_reload(r, REVERSE("backend.example"));
    replay_settle(r);
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 hi");
    replay_free(r);
}

static void a_reload_while_names_resolve_frees_the_old_generation_in_the_end(void **state)
{
    struct replay *r;

    (void)state;
    r = with_names(NULL);
    name_is("backend.example", 0, 0, -1);
    replay_reload(r, REVERSE("backend.example"));
    replay_wait(r, 1000);
    replay_reload(r, REVERSE("10.0.0.1"));
    replay_run(r);
    assert_int_equal(r->worker.generation->starting, 0);
    replay_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("", a_name_leads_to_the_address_that_was_judged),
        PROMISE("", what_is_known_of_names_outlives_a_reload),
        PROMISE("", a_name_that_leads_inside_is_denied),
        PROMISE("", a_name_that_turns_inside_is_denied_then),
        PROMISE("", a_name_that_is_not_there_is_502),
        PROMISE("", a_silent_name_server_is_504_at_resolver_timeout),
        PROMISE("", a_client_that_leaves_while_we_resolve_is_499),
        PROMISE("", equal_questions_are_asked_once),
        PROMISE("", a_reload_while_we_resolve_does_no_harm),
        cmocka_unit_test(an_upstream_is_502_until_its_name_is_known),
        cmocka_unit_test(an_upstream_may_lie_inside),
        cmocka_unit_test(a_reload_while_names_resolve_frees_the_old_generation_in_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
