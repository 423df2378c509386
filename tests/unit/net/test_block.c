/* The pool of receive buffers, its references and its leases. */
#include "base/budget.h"
#include "net/block.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void a_block_lives_until_its_last_reference(void **state)
{
    struct block_pool pool;
    (void)state;

    block_pool_init(&pool, NULL);
    struct block *b = block_get(&pool);
    block_ref(b);
    block_unref(b);
    assert_int_equal(pool.live, 1);
    memset(b->data, 1, BLOCK_SIZE);
    block_unref(b);
    assert_int_equal(pool.live, 0);
    assert_int_equal(pool.idle_count, 1);
    assert_ptr_equal(block_get(&pool), b); /* the warm one */
    block_unref(b);
    block_unref(NULL);
    block_pool_done(&pool);
}

static void a_spent_budget_refuses_and_done_gives_all_back(void **state)
{
    struct budget budget = { .max = 2 * sizeof(struct block) };
    struct block_pool pool;
    (void)state;

    block_pool_init(&pool, &budget);
    struct block *a = block_get(&pool);
    struct block *b = block_get(&pool);
    assert_null(block_get(&pool));
    block_unref(a);
    a = block_get(&pool); /* an idle one costs nothing more */
    assert_non_null(a);
    block_unref(a);
    block_unref(b);
    block_pool_done(&pool);
    assert_int_equal(budget.used, 0);
}

static void trim_keeps_some_and_gives_the_surplus_back(void **state)
{
    enum { MANY = 1000 };
    static struct block *blocks[MANY];
    struct budget budget = { .max = SIZE_MAX };
    struct block_pool pool;
    (void)state;

    block_pool_init(&pool, &budget);
    for (int i = 0; i < MANY; i++)
        blocks[i] = block_get(&pool);
    for (int i = 0; i < MANY; i++)
        block_unref(blocks[i]);
    for (int second = 0; second < 10; second++)
        block_pool_trim(&pool);
    assert_in_range(pool.idle_count, 1, 100);
    assert_int_equal(budget.used, pool.idle_count * sizeof(struct block));
    block_pool_done(&pool);
}

static void a_done_lease_is_zeroed_and_may_be_done_again(void **state)
{
    struct block_pool pool;
    (void)state;

    block_pool_init(&pool, NULL);
    struct block *b = block_get(&pool);
    struct lease l = { .data = b->data, .size = 10, .id = -1, .block = b };
    lease_take(&l, 4);
    assert_ptr_equal(lease_span(&l).at, b->data + 4);
    assert_int_equal(lease_span(&l).len, 6);
    lease_done(&l);
    assert_null(l.data);
    lease_done(&l);
    assert_int_equal(pool.live, 0);
    block_pool_done(&pool);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_lives_until_its_last_reference),
        cmocka_unit_test(a_spent_budget_refuses_and_done_gives_all_back),
        cmocka_unit_test(trim_keeps_some_and_gives_the_surplus_back),
        cmocka_unit_test(a_done_lease_is_zeroed_and_may_be_done_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
