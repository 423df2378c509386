/* fetch/upstream/balance: smooth weighted round robin, and what failures do to it
 * (nginx-semantics 7.7). */
#include "base/random.h"
#include "fetch/upstream/upstream.h"
#include "unit/support.h"

enum { MOST = 8 };

/* A group without pool and settings: what the balancer looks at, and nothing else. */
struct group {
    struct upstream u;
    struct upstream_server servers[MOST];
    struct peer peers[MOST];
    struct peer_state states[MOST];
};

static void add_peer(struct group *g, struct upstream_server server)
{
    static char names[MOST][2] = { "a", "b", "c", "d", "e", "f", "g", "h" };
    uint32_t i = g->u.peer_count++;

    g->servers[i] = server;
    g->states[i] = (struct peer_state){ .effective_weight = (int64_t)server.weight };
    g->peers[i] =
        (struct peer){ .server = &g->servers[i], .name = names[i], .state = &g->states[i] };
    g->u.peers = g->peers;
    g->u.backups += server.backup;
}

static void add(struct group *g, uint64_t weight)
{
    add_peer(g,
             (struct upstream_server){ .weight = weight, .max_fails = 1, .fail_timeout = 10000 });
}

static struct exchange *ready(struct stage *s)
{
    stage_server(s, "");
    return stage_get(s, "/");
}

/* One request: the first peer that is picked, and how it went. '-': nobody. */
static char one(struct group *g, struct exchange *x, enum peer_outcome outcome)
{
    struct pick p;

    pick_begin(&p, &g->u, x);
    struct peer *peer = pick_next(&p);
    if (peer == NULL)
        return '-';
    pick_note(&p, peer, outcome);
    return peer->name[0];
}

static const char *many(struct group *g, struct exchange *x, int n)
{
    static char got[200];

    for (int i = 0; i < n; i++)
        got[i] = one(g, x, PEER_GOOD);
    got[n] = '\0';
    return got;
}

static void weights_one_three_two_give_the_order_of_nginx(void **state)
{
    struct exchange *x = ready(*state);
    struct group g = { 0 };

    add(&g, 1);
    add(&g, 3);
    add(&g, 2);
    assert_string_equal(many(&g, x, 13), "bcabcbbcabcbb");
}

static void equal_weights_go_round(void **state)
{
    struct exchange *x = ready(*state);
    struct group g = { 0 };

    for (int i = 0; i < 4; i++)
        add(&g, 7);
    assert_string_equal(many(&g, x, 9), "abcdabcda");
}

static void a_request_asks_no_peer_twice(void **state)
{
    struct exchange *x = ready(*state);
    struct group g = { 0 };
    struct pick p;
    char got[MOST + 1] = "";

    add(&g, 1);
    add(&g, 5);
    add(&g, 1);
    pick_begin(&p, &g.u, x);
    for (size_t i = 0; i < 3; i++) {
        struct peer *peer = pick_next(&p);
        got[i] = peer->name[0];
        pick_note(&p, peer, PEER_UNCOUNTED);
    }
    assert_string_equal(got, "bac");
    assert_null(pick_next(&p));
    assert_int_equal(pick_tries(&g.u), 3);
}

static void a_peer_that_is_down_is_never_asked(void **state)
{
    struct exchange *x = ready(*state);
    struct group g = { 0 };

    add(&g, 1);
    add_peer(&g, (struct upstream_server){ .weight = 9, .down = true });
    add(&g, 1);
    assert_string_equal(many(&g, x, 4), "acac");
    assert_int_equal(pick_tries(&g.u), 2);
}

static void a_peer_that_failed_rests_and_is_probed_once(void **state)
{
    struct stage *s = *state;
    struct exchange *x = ready(s);
    struct group g = { 0 };

    add(&g, 1);
    add(&g, 1);
    assert_int_equal(one(&g, x, PEER_FAILED), 'a');
    assert_has(stage_log(s), "[warn]");
    assert_has(stage_log(s), "upstream server temporarily disabled: a, client: ");
    assert_string_equal(many(&g, x, 4), "bbbb");
    s->loop.now += 10000;
    assert_string_equal(many(&g, x, 4), "bbbb"); /* after ten seconds, not at ten */
    s->loop.now += 1000;
    struct pick p;
    struct peer *probe = NULL;
    for (int i = 0; i < 3 && probe != &g.peers[0]; i++) { /* its weight grows again from nothing */
        pick_begin(&p, &g.u, x);
        probe = pick_next(&p);
        if (probe == &g.peers[1])
            pick_note(&p, probe, PEER_GOOD);
    }
    assert_ptr_equal(probe, &g.peers[0]);
    assert_string_equal(many(&g, x, 5), "bbbbb"); /* one probe at a time */
    pick_note(&p, probe, PEER_FAILED);
    assert_string_equal(many(&g, x, 5), "bbbbb");
    s->loop.now += 11000;
    assert_non_null(strchr(many(&g, x, 3), 'a')); /* a success restores it */
    assert_int_equal(g.states[0].fails, 0);
    assert_non_null(strchr(many(&g, x, 4), 'a'));
}

static void failures_are_counted_up_to_max_fails(void **state)
{
    struct exchange *x = ready(*state);
    struct group g = { 0 };

    add_peer(&g, (struct upstream_server){ .weight = 6, .max_fails = 3, .fail_timeout = 10000 });
    add(&g, 1);
    assert_int_equal(one(&g, x, PEER_FAILED), 'a');
    assert_int_equal(g.states[0].effective_weight, 4); /* 6 - 6/3 */
    assert_int_equal(one(&g, x, PEER_FAILED), 'a');
    assert_has_not(stage_log(*state), "disabled");
    while (one(&g, x, PEER_FAILED) != 'a')
        ;
    assert_has(stage_log(*state), "temporarily disabled: a");
    assert_int_equal(g.states[0].fails, 3);
}

static void without_max_fails_a_peer_is_never_disabled(void **state)
{
    struct exchange *x = ready(*state);
    struct group g = { 0 };

    add_peer(&g, (struct upstream_server){ .weight = 1, .max_fails = 0, .fail_timeout = 10000 });
    add_peer(&g, (struct upstream_server){ .weight = 1, .max_fails = 0, .fail_timeout = 10000 });
    for (int i = 0; i < 10; i++)
        assert_int_equal(one(&g, x, PEER_FAILED), "ab"[i % 2]);
}

static void backups_are_asked_when_no_other_is_left(void **state)
{
    struct exchange *x = ready(*state);
    struct group g = { 0 };
    struct pick p;

    add_peer(&g, (struct upstream_server){
                     .weight = 9, .max_fails = 1, .fail_timeout = 10000, .backup = true });
    add(&g, 1);
    add(&g, 1);
    assert_string_equal(many(&g, x, 4), "bcbc");
    pick_begin(&p, &g.u, x);
    assert_string_equal(pick_next(&p)->name, "b");
    assert_string_equal(pick_next(&p)->name, "c");
    assert_string_equal(pick_next(&p)->name, "a");
    assert_null(pick_next(&p));
    for (uint32_t i = 0; i < 3; i++)
        g.states[i].connections = 0;
    one(&g, x, PEER_FAILED);
    one(&g, x, PEER_FAILED);
    assert_string_equal(many(&g, x, 3), "aaa");
}

static void connections_are_limited_and_counted(void **state)
{
    struct exchange *x = ready(*state);
    struct group g = { 0 };
    struct pick p[3];

    add_peer(&g, (struct upstream_server){ .weight = 1, .max_fails = 1, .max_conns = 1 });
    add_peer(&g, (struct upstream_server){ .weight = 1, .max_fails = 1, .max_conns = 1 });
    for (int i = 0; i < 3; i++)
        pick_begin(&p[i], &g.u, x);
    struct peer *a = pick_next(&p[0]), *b = pick_next(&p[1]);
    assert_ptr_not_equal(a, b);
    assert_null(pick_next(&p[2]));
    pick_note(&p[0], a, PEER_GOOD);
    pick_begin(&p[2], &g.u, x);
    assert_ptr_equal(pick_next(&p[2]), a);
}

static void a_single_peer_never_rests_but_its_limits_hold(void **state)
{
    struct exchange *x = ready(*state);
    struct group g = { 0 };
    struct pick p, q;

    add_peer(&g, (struct upstream_server){
                     .weight = 1, .max_fails = 1, .fail_timeout = 10000, .max_conns = 1 });
    for (int i = 0; i < 5; i++)
        assert_int_equal(one(&g, x, PEER_FAILED), 'a');
    assert_int_equal(pick_tries(&g.u), 1);
    pick_begin(&p, &g.u, x);
    assert_non_null(pick_next(&p));
    pick_begin(&q, &g.u, x);
    assert_null(pick_next(&q)); /* max_conns */
    g.servers[0].down = true;
    pick_begin(&q, &g.u, x);
    assert_null(pick_next(&q));
}

/* --- NGINX's arithmetic once more, in whole seconds, as the semantics write it --------------- */

struct model {
    long weight, ew, cw, max_fails, fails, fail_timeout, accessed, checked;
};

static int model_pick(struct model *m, int n, unsigned tried, long now)
{
    long total = 0;
    int best = -1;

    for (int i = 0; i < n; i++) {
        if (tried >> i & 1 || (m[i].max_fails && m[i].fails >= m[i].max_fails &&
                               now - m[i].checked <= m[i].fail_timeout))
            continue;
        m[i].cw += m[i].ew;
        total += m[i].ew;
        if (m[i].ew < m[i].weight)
            m[i].ew++;
        if (best < 0 || m[i].cw > m[best].cw)
            best = i;
    }
    if (best < 0)
        return -1;
    m[best].cw -= total;
    if (now - m[best].checked > m[best].fail_timeout)
        m[best].checked = now;
    return best;
}

static void model_note(struct model *m, bool failed, long now)
{
    if (!failed) {
        if (m->accessed < m->checked)
            m->fails = 0;
        return;
    }
    m->fails++;
    m->accessed = m->checked = now;
    if (m->max_fails)
        m->ew -= m->weight / m->max_fails;
    if (m->ew < 0)
        m->ew = 0;
}

static void every_pick_agrees_with_the_arithmetic_of_nginx(void **state)
{
    struct stage *s = *state;
    struct exchange *x = ready(s);

    s->log.level = LEVEL_ERROR;
    for (int round = 0; round < 60; round++) {
        struct group g = { 0 };
        struct model m[MOST] = { 0 };
        unsigned char r[MOST * 3 + 1];

        random_bytes(r, sizeof(r));
        int n = 2 + r[0] % (MOST - 1);
        for (int i = 0; i < n; i++) {
            m[i] = (struct model){ .weight = 1 + r[1 + i] % 9,
                                   .max_fails = r[9 + i] % 4,
                                   .fail_timeout = r[17 + i] % 5 };
            m[i].ew = m[i].weight;
            add_peer(
                &g, (struct upstream_server){ .weight = (uint64_t)m[i].weight,
                                              .max_fails = (uint64_t)m[i].max_fails,
                                              .fail_timeout = (uint64_t)m[i].fail_timeout * 1000 });
        }
        for (int request = 0; request < 200; request++) {
            unsigned char dice[MOST + 1];
            struct pick p;
            unsigned tried = 0;

            random_bytes(dice, sizeof(dice));
            s->loop.now +=
                dice[MOST] % 3 * 1000; /* whole seconds: within one, NGINX sees no order */
            pick_begin(&p, &g.u, x);
            for (int t = 0; t <= n; t++) {
                long now = (long)(loop_now(&s->loop) / 1000);
                int want = model_pick(m, n, tried, now);
                struct peer *got = pick_next(&p);

                assert_int_equal(got != NULL ? (int)(got - g.peers) : -1, want);
                if (got == NULL)
                    break;
                tried |= 1u << want;
                bool failed = dice[t % MOST] % 3 == 0;
                pick_note(&p, got, failed ? PEER_FAILED : PEER_GOOD);
                model_note(&m[want], failed, now);
                assert_int_equal(g.states[want].fails, m[want].fails);
                if (!failed)
                    break;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(weights_one_three_two_give_the_order_of_nginx),
        STAGED(equal_weights_go_round),
        STAGED(a_request_asks_no_peer_twice),
        STAGED(a_peer_that_is_down_is_never_asked),
        STAGED(a_peer_that_failed_rests_and_is_probed_once),
        STAGED(failures_are_counted_up_to_max_fails),
        STAGED(without_max_fails_a_peer_is_never_disabled),
        STAGED(backups_are_asked_when_no_other_is_left),
        STAGED(connections_are_limited_and_counted),
        STAGED(a_single_peer_never_rests_but_its_limits_hold),
        STAGED(every_pick_agrees_with_the_arithmetic_of_nginx),
    };

    return cmocka_run_group_tests_name("balance", tests, NULL, NULL);
}
