/* fetch/upstream/pool: which connections are kept, for how long, and for whom. */
#include "net/dial.h"
#include "unit/support.h"

enum { MANY = 8 };

struct room {
    struct stage *stage;
    struct pool *pool;
    struct fake_peer *peers[MANY];
    unsigned connections;
};

static void on_connect(void *arg, struct fake_peer *p)
{
    struct room *r = arg;

    r->peers[r->connections++] = p;
}

static struct address at(const char *text)
{
    struct address a;

    assert_true(address_parse(span_of(text), 0, &a));
    return a;
}

static void begin(struct room *r, struct stage *s, const struct pool_limits *limits)
{
    struct address a = at("10.0.0.1:80"), b = at("10.0.0.2:80");

    *r = (struct room){ .stage = s, .pool = pool_get(&s->worker, span_of("r test"), limits) };
    fake_origin(&s->loop, &a, 0, on_connect, r);
    fake_origin(&s->loop, &b, 0, on_connect, r);
}

static void end(struct room *r)
{
    pool_unuse(r->pool);
    stage_pass(r->stage, 100);
}

struct dialling {
    struct room *room;
    const char *to;
    uint64_t identity;
    struct upstream_conn *made;
};

static void dial_run(void *arg)
{
    struct dialling *d = arg;
    struct address a = at(d->to);
    struct loop *l = &d->room->stage->loop;
    struct dial dial_it = {
        .loop = l, .candidates = &a, .count = 1, .each_ms = 1000, .deadline = loop_now(l) + 1000
    };
    struct dial_result result;

    d->made = upstream_conn_new(d->room->pool, &a, d->identity);
    assert_int_equal(dial(&dial_it, &d->made->conn, &result), IO_OK);
    d->made->opened = loop_now(l);
}

static struct upstream_conn *dialled(struct room *r, const char *to, uint64_t identity)
{
    struct dialling d = { r, to, identity, NULL };
    struct loop *l = &r->stage->loop;

    assert_int_equal(fiber_spawn(&l->fibers, NULL, dial_run, &d), 0);
    fake_run(l, loop_now(l) + 100);
    assert_non_null(d.made);
    return d.made;
}

static const struct pool_limits roomy = { 10, 1000, 3600000, 60000 };

static void an_idle_connection_is_for_its_address_and_identity(void **state)
{
    struct room r;

    begin(&r, *state, &roomy);
    struct upstream_conn *c = dialled(&r, "10.0.0.1:80", 7);
    pool_give(c);
    assert_int_equal(r.stage->worker.pooled_connections, 1);
    assert_null(pool_take(
        r.pool, &(struct address){ .family = AF_INET, .ip = { 10, 0, 0, 1 }, .port = 81 }, 7));
    struct address a = at("10.0.0.1:80"), b = at("10.0.0.2:80");
    assert_null(pool_take(r.pool, &b, 7));
    assert_null(pool_take(r.pool, &a, 8));
    assert_null(pool_take(r.pool, &a, 0));
    assert_ptr_equal(pool_take(r.pool, &a, 7), c);
    assert_null(pool_take(r.pool, &a, 7)); /* it is in use */
    assert_int_equal(r.stage->worker.pooled_connections, 0);
    pool_give(c);
    end(&r);
    assert_int_equal(r.stage->worker.upstream_connections, 0); /* the last user has gone */
}

static void beyond_the_most_the_oldest_is_closed(void **state)
{
    struct pool_limits two = { 2, 1000, 3600000, 60000 };
    struct address a = at("10.0.0.1:80");
    struct room r;

    begin(&r, *state, &two);
    struct upstream_conn *c[3];
    for (size_t i = 0; i < 3; i++)
        c[i] = dialled(&r, "10.0.0.1:80", 0);
    for (size_t i = 0; i < 3; i++)
        pool_give(c[i]);
    stage_pass(r.stage, 10);
    assert_int_equal(r.pool->count, 2);
    assert_true(fake_is_closed(r.peers[0]));
    assert_ptr_equal(pool_take(r.pool, &a, 0), c[2]); /* the warmest first */
    assert_ptr_equal(pool_take(r.pool, &a, 0), c[1]);
    pool_give(c[1]);
    pool_give(c[2]);
    end(&r);
}

static void limits_of_requests_age_and_number_close_it(void **state)
{
    struct pool_limits few = { 5, 3, 1000, 60000 }, none = { 0, 1000, 3600000, 60000 };
    struct room r;

    begin(&r, *state, &few);
    struct upstream_conn *c = dialled(&r, "10.0.0.1:80", 0);
    c->requests = 2;
    pool_give(c);
    assert_int_equal(r.pool->count, 1);
    struct address a = at("10.0.0.1:80");
    assert_ptr_equal(pool_take(r.pool, &a, 0), c);
    c->requests = 3;
    pool_give(c);
    assert_int_equal(r.pool->count, 0);
    c = dialled(&r, "10.0.0.1:80", 0);
    c->opened = loop_now(&r.stage->loop) - 1000;
    pool_give(c);
    assert_int_equal(r.pool->count, 0);
    c = dialled(&r, "10.0.0.1:80", 0);
    r.pool->limits = none;
    pool_give(c);
    assert_int_equal(r.pool->count, 0);
    end(&r);
    for (size_t i = 0; i < r.connections; i++)
        assert_true(fake_is_closed(r.peers[i]));
}

static void an_idle_connection_has_its_time(void **state)
{
    struct pool_limits brief = { 5, 1000, 3600000, 2000 };
    struct room r;

    begin(&r, *state, &brief);
    pool_give(dialled(&r, "10.0.0.1:80", 0));
    stage_pass(r.stage, 1000);
    assert_int_equal(r.pool->count, 1);
    stage_pass(r.stage, 2000);
    assert_int_equal(r.pool->count, 0);
    assert_int_equal(r.stage->worker.pooled_connections, 0);
    assert_true(fake_is_closed(r.peers[0]));
    end(&r);
}

static void what_comes_on_an_idle_connection_ends_it(void **state)
{
    struct room r;
    struct address a = at("10.0.0.1:80");

    begin(&r, *state, &roomy);
    pool_give(dialled(&r, "10.0.0.1:80", 0));
    fake_send(r.peers[0], span_of("HTTP/1.1 200 OK\r\n"));
    stage_pass(r.stage, 10);
    assert_int_equal(r.pool->count, 0);
    pool_give(dialled(&r, "10.0.0.1:80", 0));
    fake_send_eof(r.peers[1]);
    stage_pass(r.stage, 10);
    assert_int_equal(r.pool->count, 0);
    struct upstream_conn *c = dialled(&r, "10.0.0.1:80", 0);
    fake_send(r.peers[2], span_of("x"));
    stage_pass(r.stage, 10);
    pool_give(c); /* a surplus byte */
    assert_int_equal(r.pool->count, 0);
    assert_null(pool_take(r.pool, &a, 0));
    end(&r);
}

static void a_worker_that_drains_keeps_none(void **state)
{
    struct room r;

    begin(&r, *state, &roomy);
    struct upstream_conn *c = dialled(&r, "10.0.0.1:80", 0);
    pool_give(dialled(&r, "10.0.0.2:80", 0));
    r.stage->worker.draining = true;
    pool_give(c);
    assert_int_equal(r.pool->count, 1);
    pools_drain(&r.stage->worker);
    assert_int_equal(r.pool->count, 0);
    r.stage->worker.draining = false;
    end(&r);
}

static void a_pool_outlives_generations_and_remembers_its_peers(void **state)
{
    struct stage *s = *state;
    struct pool *p = pool_get(&s->worker, span_of("r x"), &roomy);
    struct address a = at("10.0.0.1:80"), b = at("10.0.0.1:81");

    pool_peer(p, &a)->fails = 5;
    assert_int_equal(pool_peer(p, &b)->fails, 0);
    assert_ptr_equal(pool_get(&s->worker, span_of("r x"), &roomy), p);
    assert_ptr_not_equal(pool_get(&s->worker, span_of("f x"), &roomy),
                         p); /* another role, another pool */
    assert_int_equal(p->users, 2);
    pool_unuse(p);
    pool_unuse(p);
    assert_ptr_equal(pool_find(&s->worker, span_of("r x")), p);
    assert_null(pool_find(&s->worker, span_of("r")));
    assert_int_equal(pool_peer(p, &a)->fails, 5);
}

static void over_the_budget_there_is_no_new_connection(void **state)
{
    struct stage *s = *state;
    struct pool *p = pool_get(&s->worker, span_of("r x"), &roomy);
    struct address a = at("10.0.0.1:80");

    s->worker.budget.max = s->worker.budget.used;
    assert_null(upstream_conn_new(p, &a, 0));
    assert_int_equal(s->worker.upstream_connections, 0);
    s->worker.budget.max = SIZE_MAX / 2;
    struct upstream_conn *c = upstream_conn_new(p, &a, 0);
    assert_int_equal(s->worker.upstream_connections, 1);
    upstream_conn_free(c);
    assert_int_equal(s->worker.upstream_connections, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(an_idle_connection_is_for_its_address_and_identity),
        STAGED(beyond_the_most_the_oldest_is_closed),
        STAGED(limits_of_requests_age_and_number_close_it),
        STAGED(an_idle_connection_has_its_time),
        STAGED(what_comes_on_an_idle_connection_ends_it),
        STAGED(a_worker_that_drains_keeps_none),
        STAGED(a_pool_outlives_generations_and_remembers_its_peers),
        STAGED(over_the_budget_there_is_no_new_connection),
    };

    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
