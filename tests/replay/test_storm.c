/* Many clients and origins at once, with everything that can happen between them in an order that a
 * seed chooses: each complete answer carries the token of its own request (RESP-43), and nothing is
 * left behind. A failure names its seed. */
#include "replay.h"

#include <stdio.h>

#define CONFIG                                                                               \
    "client_max_body_size 0; upstream group { server 10.0.0.1; server 10.0.0.2 max_fails=0;" \
    " server 10.0.0.3 weight=3 max_fails=0; keepalive 4; }"                                  \
    "server { listen 8080; keepalive_timeout 20s; send_timeout 5s; client_body_timeout 5s;"  \
    " client_header_timeout 5s; proxy_connect_timeout 2s; proxy_read_timeout 3s;"            \
    " proxy_send_timeout 3s; proxy_buffers 2 4k; proxy_busy_buffers_size 4k;"                \
    " client_body_buffer_size 1k; keepalive_requests 9;"                                     \
    " location / { proxy_pass http://group; }"                                               \
    " location /off { proxy_pass http://group; proxy_buffering off; }"                       \
    " location /stream { proxy_pass http://group; proxy_request_buffering off; } }"

enum { SEEDS = 40, STEPS = 300, ORIGINS = 3, USERS = CLIENTS - 1 };

struct user {       /* of the client with this number */
    unsigned asked; /* requests so far: token c.n */
    unsigned rest;  /* bytes of a body that it still owes */
};

struct storm {
    struct replay *replay;
    struct backend *origins[ORIGINS];
    struct user users[CLIENTS];
    uint64_t random;
};

/* xorshift: the same storm for the same seed. */
static unsigned dice(struct storm *s, unsigned sides)
{
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return (unsigned)(s->random >> 11) % sides;
}

/* --- origins ---------------------------------------------------------------------------------- */

/* The first request on a connection that has not been answered yet. */
static bool next_token(struct backend_conn *c, char ret[32])
{
    static const char name[] = "\r\nX-Token: ";
    struct span all = span_from(fake_received(c->peer), c->seen);
    size_t length = request_length(all);

    if (length == 0)
        return false;
    const char *at = memmem(all.at, length, name, sizeof(name) - 1);
    if (at == NULL)
        return false;
    struct span rest = span_from(all, (size_t)(at - all.at) + sizeof(name) - 1);
    snprintf(ret, 32, "%.*s", (int)span_find(rest, '\r'), rest.at);
    c->seen += length;
    return true;
}

static void answer(struct storm *s, struct backend_conn *c, const char *token)
{
    char text[9000], filler[8001];
    size_t fill = dice(s, 4) == 0 ? dice(s, 8000) : 0;

    memset(filler, '.', fill);
    filler[fill] = '\0';
    switch (dice(s, 6)) {
    case 0:
        snprintf(text, sizeof(text), OK_CHUNKED "%zx\r\n%s\r\n%zx\r\n%s;\r\n0\r\n\r\n",
                 strlen(token), token, fill + 1, filler);
        break;
    case 1:
        snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%s%s;", token,
                 filler);
        fake_send(c->peer, span_of(text));
        fake_send_eof(c->peer);
        return;
    case 2:
        snprintf(text, sizeof(text),
                 "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
                 "HTTP/1.1 404 Not Found\r\nContent-Length: %zu\r\n\r\n%s;",
                 strlen(token) + 1, token);
        break;
    default:
        snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s%s;",
                 strlen(token) + fill + 1, token, filler);
        break;
    }
    if (dice(s, 12) == 0) { /* cut */
        fake_send(c->peer, span_first(span_of(text), dice(s, (unsigned)strlen(text))));
        backend_ends(c->backend, (unsigned)(c - c->backend->conns),
                     dice(s, 2) ? THEN_CLOSE : THEN_RESET);
        return;
    }
    fake_send(c->peer, span_of(text));
    if (dice(s, 15) == 0)
        fake_send(c->peer, span_of(OK(4, "evil")));
}

static void origin_acts(struct storm *s)
{
    struct backend *b = s->origins[dice(s, ORIGINS)];
    char token[32];

    if (b->conn_count == 0)
        return;
    unsigned newest = b->conn_count < 8 ? b->conn_count : 8;
    struct backend_conn *c = &b->conns[b->conn_count - 1 - dice(s, newest)];
    if (next_token(c, token))
        answer(s, c, token);
    else if (dice(s, 10) == 0)
        backend_ends(b, (unsigned)(c - b->conns), dice(s, 2) ? THEN_CLOSE : THEN_RESET);
}

static void answer_all(struct storm *s)
{
    char token[32];

    for (unsigned o = 0; o < ORIGINS; o++)
        for (unsigned i = 0; i < s->origins[o]->conn_count; i++)
            while (next_token(&s->origins[o]->conns[i], token))
                answer(s, &s->origins[o]->conns[i], token);
}

/* --- clients ---------------------------------------------------------------------------------- */

static void ask(struct storm *s, unsigned c)
{
    static const char *const paths[] = { "/", "/off", "/stream" };
    struct user *u = &s->users[c];
    char text[4000], body[3001];
    const char *path = paths[dice(s, COUNT(paths))];
    const char *expect = dice(s, 3) ? "" : "Expect: 100-continue\r\n";
    size_t length = dice(s, 3000);

    if (u->rest > 0 || u->asked >= 60)
        return;
    memset(body, 'b', length);
    body[length] = '\0';
    switch (dice(s, 4)) {
    case 0:
        snprintf(text, sizeof(text),
                 "POST %s HTTP/1.1\r\nHost: a\r\nX-Token: <%u.%u>\r\n"
                 "%sContent-Length: %zu\r\n\r\n",
                 path, c, u->asked, expect, length);
        u->rest = (unsigned)length;
        break;
    case 1:
        snprintf(text, sizeof(text),
                 "PUT %s HTTP/1.1\r\nHost: a\r\nX-Token: <%u.%u>\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n%zx\r\n%s.\r\n0\r\n\r\n",
                 path, c, u->asked, length + 1, body);
        break;
    default:
        snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\nX-Token: <%u.%u>\r\n\r\n", path,
                 c, u->asked);
        break;
    }
    u->asked++;
    client_sends(s->replay, c, text);
}

static void pay(struct storm *s, unsigned c)
{
    static const char bytes[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    struct user *u = &s->users[c];

    while (u->rest > 0) {
        size_t n = u->rest < sizeof(bytes) - 1 ? u->rest : sizeof(bytes) - 1;

        client_sends_span(s->replay, c, (struct span){ bytes, n });
        u->rest -= (unsigned)n;
        if (dice(s, 8) == 0)
            return;
    }
}

static void client_acts(struct storm *s)
{
    unsigned c = dice(s, USERS);
    struct fake_peer *p = s->replay->clients[c];

    switch (dice(s, 16)) {
    case 0:
        if (p != NULL)
            client_leaves(s->replay, c);
        break;
    case 1:
        if (p != NULL)
            client_resets(s->replay, c);
        break;
    case 2:
        if (p != NULL)
            fake_window(p, dice(s, 300));
        break;
    case 3:
    case 4:
        if (p != NULL)
            fake_window(p, SIZE_MAX);
        break;
    default:
        if (s->users[c].rest > 0)
            pay(s, c);
        else
            ask(s, c);
        break;
    }
}

/* --- the storm -------------------------------------------------------------------------------- */

static void something_happens(struct storm *s)
{
    struct replay *r = s->replay;

    switch (dice(s, 40)) {
    case 0:
        replay_reload(r, CONFIG);
        break;
    case 1:
        replay_wait(r, dice(s, 400) * TICK);
        break;
    case 2:
        fake_segment(&r->loop, dice(s, 3) == 0 ? 1 + dice(s, 20) : 0);
        break;
    case 3:
        fake_fail(&r->loop, (enum fake_step)dice(s, FAKE_SOCKET + 1), 1 + dice(s, 9),
                  dice(s, 2) ? ECONNRESET : EMFILE);
        break;
    case 4:
        fake_fail(&r->loop, dice(s, 2) ? FAKE_RECV : FAKE_SEND, 1 + dice(s, 9), EAGAIN);
        break;
    default:
        if (dice(s, 2))
            client_acts(s);
        else
            origin_acts(s);
        break;
    }
    for (unsigned turns = dice(s, 4); turns > 0; turns--)
        replay_turn(r);
}

/* Every token that client `c` got is its own, and each but once and in order. */
static void assert_own_answers(struct storm *s, unsigned c, unsigned seed)
{
    struct span left = span_of(client_got(s->replay, c)); /* out of its chunks */
    long before = -1;

    if (span_has(left, "evil"))
        fail_msg("seed %u: client %u got surplus", seed, c);
    for (const char *at; (at = memchr(left.at, '<', left.len)) != NULL;) {
        char *end;

        left = span_from(left, (size_t)(at - left.at) + 1);
        if (left.len == 0 || left.at[0] < '0' || left.at[0] > '9')
            continue; /* HTML, Link */
        unsigned long whose = strtoul(left.at, &end, 10);
        if (*end != '.')
            continue; /* cut */
        long number = strtol(end + 1, &end, 10);
        if (*end != '>')
            continue;
        if (whose != c || number <= before)
            fail_msg("seed %u: client %u got <%lu.%ld> after %ld", seed, c, whose, number, before);
        before = number;
    }
}

static unsigned rage(unsigned seed)
{
    struct storm *s = calloc(1, sizeof(*s));
    unsigned answers = 0;

    s->random = UINT64_C(0x9E3779B97F4A7C15) * (seed + 1);
    s->replay = replay_new(CONFIG);
    for (unsigned i = 0; i < ORIGINS; i++)
        s->origins[i] = backend_new(s->replay, i + 1, 0);
    for (int i = 0; i < STEPS; i++)
        something_happens(s);
    fake_segment(&s->replay->loop, 0);
    for (enum fake_step kind = FAKE_RECV; kind < FAKE_STEP_KINDS; kind++)
        fake_fail(&s->replay->loop, kind, 0, 0);
    for (int i = 0; i < 5; i++) {
        answer_all(s);
        replay_settle(s->replay);
    }
    replay_run(s->replay);
    if (replay_open(s->replay) != 0)
        fail_msg("seed %u: %u left open", seed, replay_open(s->replay));
    for (unsigned c = 0; c < USERS; c++)
        if (s->replay->clients[c] != NULL) {
            assert_own_answers(s, c, seed);
            answers += client_bytes(s->replay, c).len > 0;
        }
    replay_free(s->replay);
    free(s);
    return answers;
}

static void no_client_ever_sees_the_token_of_another(void **state)
{
    unsigned answers = 0;

    (void)state;
    for (unsigned seed = 0; seed < SEEDS; seed++)
        answers += rage(seed);
    assert_true(answers > SEEDS * 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        { "RESP-43-no_client_ever_sees_the_token_of_another",
          no_client_ever_sees_the_token_of_another, NULL, NULL, NULL },
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
