/* More requests than there are stacks: the rest wait, in order, and not for ever (LIM-33). */
#include "replay.h"

enum { STACKS = 10, WAITERS = 15 };

static int setup(void **state)
{
    struct replay *r = replay_new("server { listen 8080; keepalive_timeout 600s;"
                                  " location / { proxy_pass http://10.0.0.1; } }");

    r->loop.fibers.max = STACKS;
    *state = r;
    return 0;
}

/* As many requests as there are stacks wait for the backend, then as many more as wait for one. */
static struct backend *fill(struct replay *r)
{
    struct backend *b = backend_new(r, 1, 0);

    for (unsigned c = 0; c < STACKS + WAITERS; c++)
        client_sends(r, c, GET("/"));
    replay_settle(r);
    assert_int_equal(r->loop.fibers.live, STACKS);
    assert_int_equal(b->conn_count, STACKS);
    return b;
}

static void who_finds_no_stack_is_served_when_one_is_free_in_order(void **state)
{
    struct replay *r = *state;
    struct backend *b = fill(r);

    for (unsigned i = 0; i < STACKS + WAITERS; i++) {
        assert_true(b->conn_count > 0);
        assert_string_equal(client_got(r, i), "");
        backend_sends(b, i < STACKS ? i : (i - STACKS) % STACKS, OK(2, "hi"));
        replay_settle(r);
        assert_string_equal(client_got(r, i), "200 hi"); /* nobody was served before their turn */
    }
    assert_int_equal(replay_error_count(r, LEVEL_CRIT), 1); /* one line a second */
    assert_int_equal(r->loop.fibers.live, 0);
}

static void who_has_waited_for_5_seconds_gets_503(void **state)
{
    struct replay *r = *state;

    fill(r);
    replay_wait(r, 5000 - 2 * TICK);
    assert_string_equal(client_got(r, STACKS), "");
    replay_wait(r, 4 * TICK);
    for (unsigned c = 0; c < STACKS + WAITERS; c++)
        assert_string_equal(client_got(r, c), c < STACKS ? "" : "503; END");
}

static void each_has_5_seconds_of_its_own(void **state)
{
    struct replay *r = *state;

    fill(r);
    replay_wait(r, 3000);
    client_sends(r, STACKS + WAITERS, GET("/"));
    replay_wait(r, 3000);
    assert_string_equal(client_got(r, STACKS), "503; END");
    assert_string_equal(client_got(r, STACKS + WAITERS), "");
    replay_wait(r, 3000);
    assert_string_equal(client_got(r, STACKS + WAITERS), "503; END");
}

static void a_waiter_that_leaves_costs_nothing(void **state)
{
    struct replay *r = *state;
    struct backend *b = fill(r);

    client_resets(r, STACKS);
    client_leaves(r, STACKS + 1);
    replay_settle(r);
    for (unsigned i = 0; i < STACKS; i++)
        backend_sends(b, i, OK(2, "hi"));
    replay_settle(r);
    assert_string_equal(client_got(r, STACKS - 1), "200 hi");
    assert_int_equal(r->loop.fibers.live, STACKS);
    replay_wait(r, 6000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("LIM-33-", who_finds_no_stack_is_served_when_one_is_free_in_order),
        PROMISE("LIM-33-", who_has_waited_for_5_seconds_gets_503),
        PROMISE("LIM-33-", each_has_5_seconds_of_its_own),
        PROMISE("", a_waiter_that_leaves_costs_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
