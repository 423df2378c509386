/* A shared table: what is put is found, the oldest makes room, and what a dead or hostile process
 * left is dropped. */
#include "base/table.h"
#include "unit/base/unit.h"

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct table_shape shape = { .key_size = 8, .value_most = 40 };

static struct span key_of(unsigned long i)
{
    static char text[16];

    snprintf(text, sizeof(text), "%08lu", i);
    return (struct span){ text, 8 };
}

static bool put_number(struct table *t, unsigned long i)
{
    char value[40];
    size_t len = (size_t)snprintf(value, sizeof(value), "value %lu", i);

    return table_put(t, key_of(i), (struct span){ value, len });
}

static bool has_number(struct table *t, unsigned long i)
{
    char value[40], want[40];
    size_t len = 0, n = (size_t)snprintf(want, sizeof(want), "value %lu", i);

    return table_get(t, key_of(i), value, &len) && len == n && memcmp(value, want, n) == 0;
}

static unsigned has_of(struct table *t, unsigned long from, unsigned long to)
{
    unsigned count = 0;

    for (unsigned long i = from; i < to; i++)
        count += has_number(t, i);
    return count;
}

static void what_is_put_is_found_until_it_is_removed(void **state)
{
    struct table t;

    (void)state;
    assert_true(table_init(&t, &shape, 64 << 10));
    assert_true(table_room(&t) > 500);
    for (unsigned long i = 0; i < 200; i++)
        assert_true(put_number(&t, i));
    assert_int_equal(table_count(&t), 200);
    assert_int_equal(has_of(&t, 0, 200), 200);
    assert_false(has_number(&t, 200));

    assert_true(table_put(&t, key_of(7), (struct span)SPAN("other")));
    assert_int_equal(table_count(&t), 200);
    assert_false(has_number(&t, 7));
    assert_true(table_put(&t, key_of(8), (struct span){ NULL, 0 }));
    char value[40];
    size_t len = 99;
    assert_true(table_get(&t, key_of(8), value, &len));
    assert_int_equal(len, 0);

    assert_true(table_remove(&t, key_of(9)));
    assert_false(table_remove(&t, key_of(9)));
    assert_false(has_number(&t, 9));
    assert_int_equal(table_count(&t), 199);
    table_done(&t);
    table_done(&t);
}

static void the_oldest_makes_room(void **state)
{
    struct table t;

    (void)state;
    assert_true(table_init(&t, &shape, table_bytes(&shape, 100))); /* one shard: exact order */
    uint32_t room = table_room(&t);
    assert_int_equal(room, 100);
    for (unsigned long i = 0; i < room; i++)
        put_number(&t, i);
    put_number(&t, 0); /* young again */
    for (unsigned long i = room; i < room + 5ul; i++)
        put_number(&t, i);
    assert_int_equal(table_count(&t), room);
    assert_true(has_number(&t, 0));
    assert_int_equal(has_of(&t, 1, 6), 0);
    assert_int_equal(has_of(&t, 6, room + 5ul), room - 1);
    table_done(&t);
}

static void many_times_its_size_goes_through_it(void **state)
{
    struct table t;

    (void)state;
    assert_true(table_init(&t, &shape, 256 << 10)); /* several shards */
    uint32_t room = table_room(&t);
    for (unsigned long i = 0; i < 10ul * room; i++) {
        put_number(&t, i);
        if (i % 7 == 0)
            assert_true(table_remove(&t, key_of(i)));
    }
    assert_in_range(table_count(&t), room * 8 / 10, room);
    assert_int_equal(has_of(&t, 0, 10ul * room), table_count(&t));
    table_done(&t);
}

static void sizes_that_do_not_fit_are_refused(void **state)
{
    struct table t = { 0 };
    struct table_shape wrong = { .key_size = 0, .value_most = 1 };
    char big[64] = "";
    size_t len;

    (void)state;
    assert_false(table_init(&t, &wrong, 1 << 20));
    wrong = (struct table_shape){ TABLE_KEY_MOST + 1, 1 };
    assert_false(table_init(&t, &wrong, 1 << 20));
    wrong = (struct table_shape){ 8, TABLE_VALUE_MOST + 1 };
    assert_false(table_init(&t, &wrong, 1 << 20));
    assert_false(table_init(&t, &shape, 100));
    assert_null(t.head);

    assert_true(table_init(&t, &shape, 8 << 10));
    assert_false(table_put(&t, (struct span)SPAN("short"), (struct span)SPAN("x")));
    assert_false(table_put(&t, key_of(1), (struct span){ big, 41 }));
    assert_false(table_get(&t, (struct span)SPAN("longer than a key"), big, &len));
    assert_false(table_remove(&t, (struct span)SPAN("short")));
    assert_int_equal(table_count(&t), 0);
    table_done(&t);
}

static void processes_share_it(void **state)
{
    struct table t;

    (void)state;
    assert_true(table_init(&t, &shape, 64 << 10));
    pid_t child = fork();
    if (child == 0)
        _exit(!put_number(&t, 1));
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(has_number(&t, 1));
    table_done(&t);
}

static void who_dies_inside_takes_records_along_and_nothing_else(void **state)
{
    struct table t;

    (void)state;
    assert_true(table_init(&t, &shape, 8 << 10)); /* one shard: mostly locked */
    for (unsigned times = 0; times < 100; times++) {
        pid_t child = fork();
        if (child == 0)
            for (unsigned long i = 0;; i++)
                put_number(&t, i % 1000);
        while (table_count(&t) == 0)
            sched_yield();
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_true(put_number(&t, 5000));
        assert_true(has_number(&t, 5000));
        assert_in_range(table_count(&t), 1, table_room(&t));
        assert_int_equal(has_of(&t, 0, 1000) + 1, table_count(&t));
        for (unsigned long i = 0; i < 1000; i++)
            table_remove(&t, key_of(i));
        table_remove(&t, key_of(5000));
        assert_int_equal(table_count(&t), 0);
    }
    table_done(&t);
}

/* The mapping is ours to spoil: every word of it in turn, as a process gone mad would. */
static void no_word_of_it_leads_outside(void **state)
{
    struct table t;

    (void)state;
    assert_true(table_init(&t, &shape, 4 << 10));
    char *saved = malloc(t.size);
    uint32_t *words = (uint32_t *)t.head;

    for (unsigned long i = 0; i < 20; i++)
        put_number(&t, i);
    memcpy(saved, t.head, t.size);
    /* From the buckets on: the head is written once and its locks are the C library's. */
    for (size_t w = t.size / 3 / sizeof(*words); w < t.size / sizeof(*words); w++) {
        static const uint32_t evil[] = { UINT32_MAX, 1, 3, 1000000 };

        for (size_t e = 0; e < COUNT(evil); e++) {
            memcpy(t.head, saved, t.size);
            words[w] = evil[e];
            has_of(&t, 0, 20);
            for (unsigned long i = 0; i < 2ul * table_room(&t); i++)
                put_number(&t, i);
            table_remove(&t, key_of(5));
            assert_in_range(table_count(&t), 0, table_room(&t));
        }
    }
    free(saved);
    table_done(&t);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_found_until_it_is_removed),
        cmocka_unit_test(the_oldest_makes_room),
        cmocka_unit_test(many_times_its_size_goes_through_it),
        cmocka_unit_test(sizes_that_do_not_fit_are_refused),
        cmocka_unit_test(processes_share_it),
        cmocka_unit_test(who_dies_inside_takes_records_along_and_nothing_else),
        cmocka_unit_test(no_word_of_it_leads_outside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
