/* A shared table: what is put is found, a full one does what its shape says, and what a hostile
 * process wrote leads nowhere. Those that die are in test_table_kills.c. */
#include "base/table.h"
#include "unit/base/unit.h"

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
    wrong.key_size = TABLE_KEY_MOST + 1;
    assert_false(table_init(&t, &wrong, 1 << 20));
    wrong = (struct table_shape){ .key_size = 8, .value_most = TABLE_VALUE_MOST + 1 };
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

static void a_full_table_that_refuses_keeps_what_it_has(void **state)
{
    static const struct table_shape refuses = { 8, 40, TABLE_REFUSES };
    struct table t;

    (void)state;
    assert_true(table_init(&t, &refuses, table_bytes(&refuses, 10)));
    for (unsigned long i = 0; i < 10; i++)
        assert_true(put_number(&t, i));
    assert_false(put_number(&t, 10));
    assert_true(put_number(&t, 3)); /* it is there */
    assert_int_equal(has_of(&t, 0, 20), 10);
    assert_true(table_remove(&t, key_of(3)));
    assert_true(put_number(&t, 10));
    assert_false(put_number(&t, 11));
    table_done(&t);
}

/* Adds its argument to a number; gone at zero. */
static enum table_verdict add(void *arg, char *value, bool found)
{
    int64_t n, *by = arg;

    memcpy(&n, value, sizeof(n));
    assert_true(found || n == 0);
    n += *by;
    memcpy(value, &n, sizeof(n));
    return *by == 0 ? TABLE_LEAVE : n == 0 ? TABLE_DROP : TABLE_STORE;
}

static int64_t number_of(struct table *t, unsigned long i)
{
    char value[40];
    int64_t n = -1;
    size_t len;

    if (table_get(t, key_of(i), value, &len))
        memcpy(&n, value, sizeof(n));
    return n;
}

static void a_value_is_changed_where_it_is(void **state)
{
    struct table t;
    int64_t by = 5;
    struct table_change change = { add, &by };

    (void)state;
    assert_true(table_init(&t, &shape, 64 << 10));
    assert_true(table_change(&t, key_of(1), change));
    assert_true(table_change(&t, key_of(1), change));
    assert_true(table_change(&t, key_of(2), change));
    assert_int_equal(number_of(&t, 1), 10);
    by = 0;
    assert_true(table_change(&t, key_of(3), change));
    assert_int_equal(number_of(&t, 3), -1);
    by = -5;
    table_change_all(&t, change);
    assert_int_equal(number_of(&t, 1), 5);
    assert_int_equal(number_of(&t, 2), -1);
    assert_int_equal(table_count(&t), 1);
    assert_true(table_change(&t, key_of(1), change));
    assert_int_equal(table_count(&t), 0);
    table_done(&t);
}

static void a_changed_one_is_not_the_oldest(void **state)
{
    struct table t;
    int64_t by = 1;

    (void)state;
    assert_true(table_init(&t, &shape, table_bytes(&shape, 3)));
    for (unsigned long i = 0; i < 3; i++)
        put_number(&t, i);
    assert_true(table_change(&t, key_of(0), (struct table_change){ add, &by }));
    put_number(&t, 3);
    assert_false(has_number(&t, 1));
    assert_true(number_of(&t, 0) != -1);
    table_done(&t);
}

static void a_digest_tells_keys_of_any_length_apart(void **state)
{
    enum { LONGEST = 8192 };
    struct table t;
    char *key = calloc(1, LONGEST), (*seen)[TABLE_DIGEST] = calloc(LONGEST + 1, TABLE_DIGEST);

    (void)state;
    assert_true(table_init(&t, &shape, 64 << 10));
    for (size_t len = 0; len <= LONGEST; len += len < 300 ? 1 : 97)
        table_digest(&t, (struct span){ key, len }, seen[len]);
    for (size_t a = 0; a < 300; a++)
        for (size_t b = a + 1; b < 300; b++)
            assert_memory_not_equal(seen[a], seen[b], TABLE_DIGEST);
    key[LONGEST - 1] = 1; /* only the last byte differs */
    char other[TABLE_DIGEST], before[TABLE_DIGEST];
    table_digest(&t, (struct span){ key, LONGEST }, other);
    key[LONGEST - 1] = 0;
    table_digest(&t, (struct span){ key, LONGEST }, before);
    assert_memory_not_equal(other, before, TABLE_DIGEST);
    free(key);
    free(seen);
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
        cmocka_unit_test(a_full_table_that_refuses_keeps_what_it_has),
        cmocka_unit_test(a_value_is_changed_where_it_is),
        cmocka_unit_test(a_changed_one_is_not_the_oldest),
        cmocka_unit_test(a_digest_tells_keys_of_any_length_apart),
        { .name = "PROC-06-no-word-of-it-leads-outside", .test_func = no_word_of_it_leads_outside },
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
