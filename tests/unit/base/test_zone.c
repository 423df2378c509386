/* Zones: what one process writes another reads, and memory that is not what it should be is
 * refused. */
#include "base/zone.h"
#include "unit/base/unit.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct zone_shape table_shape = { .kind = ZONE_TABLE,
                                               .table = { 8, 16, TABLE_REFUSES },
                                               .size = 64 << 10 };
static const struct zone_shape counters_shape = { .kind = ZONE_COUNTERS,
                                                  .counters = 3,
                                                  .slots = 4 };

static struct zone *zone_of(const struct zone_shape *shape)
{
    int fd = zone_make(shape, "test");

    assert_true(fd >= 0);
    struct zone *z = zone_open(shape, fd);
    assert_non_null(z);
    return z;
}

/* As a worker that was given the descriptor: a mapping of its own. */
static void in_another_process(const struct zone *z, void (*fn)(struct zone *z))
{
    pid_t child = fork();
    int status = -1;

    if (child == 0) {
        struct zone *own = zone_open(&z->shape, dup(z->fd));

        if (own == NULL)
            _exit(1);
        fn(own);
        zone_unref(&own);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void put(struct zone *z)
{
    if (!table_put(&z->table, (struct span)SPAN("12345678"), (struct span)SPAN("value")))
        _exit(2);
}

static void what_one_puts_another_finds(void **state)
{
    struct zone *z = zone_of(&table_shape);
    char value[16], here[TABLE_DIGEST], there[TABLE_DIGEST];
    size_t len = 0;

    (void)state;
    in_another_process(z, put);
    assert_true(table_get(&z->table, (struct span)SPAN("12345678"), value, &len));
    assert_int_equal(len, 5);

    struct zone *second = zone_open(&table_shape, dup(z->fd));
    table_digest(&z->table, (struct span)SPAN("a key"), here);
    table_digest(&second->table, (struct span)SPAN("a key"), there);
    assert_memory_equal(here, there, TABLE_DIGEST);
    zone_unref(&second);
    assert_null(second);
    zone_unref(&z);
}

static void count(struct zone *z)
{
    uint64_t *own = counters_own(&z->counters, 3);

    counters_add(own, 0, 5);
    counters_add(own, 2, 7);
    counters_add(own, 2, -2);
}

static void counters_of_all_are_added_up(void **state)
{
    struct zone *z = zone_of(&counters_shape);
    uint64_t *own = counters_own(&z->counters, 0);

    (void)state;
    counters_add(own, 0, 1);
    in_another_process(z, count);
    in_another_process(z, count); /* a successor goes on where the first one was */
    assert_int_equal(counters_sum(&z->counters, 0), 11);
    assert_int_equal(counters_sum(&z->counters, 1), 0);
    assert_int_equal(counters_sum(&z->counters, 2), 10);
    for (uint32_t a = 0; a < 4; a++)
        assert_int_equal((uintptr_t)counters_own(&z->counters, a) % 64, 0);
    zone_unref(&z);
}

static void nobody_changes_its_size(void **state)
{
    struct zone *z = zone_of(&table_shape);

    (void)state;
    assert_int_equal(ftruncate(z->fd, 4096), -1);
    assert_int_equal(ftruncate(z->fd, 1 << 20), -1);
    zone_unref(&z);
}

static void memory_of_another_shape_is_refused(void **state)
{
    struct zone_shape other = table_shape;
    int fd = zone_make(&table_shape, "test");

    (void)state;
    other.size *= 2;
    assert_null(zone_open(&other, dup(fd)));
    other = table_shape;
    other.table.full = TABLE_EVICTS;
    assert_null(zone_open(&other, dup(fd)));
    assert_false(zone_same_shape(&other, &table_shape));
    other = table_shape;
    other.table.value_most = 24;
    assert_null(zone_open(&other, dup(fd)));
    assert_null(zone_open(&counters_shape, fd));

    int open_ended = memfd_create("test", MFD_CLOEXEC); /* it could shrink under our feet */
    assert_int_equal(ftruncate(open_ended, (off_t)table_shape.size), 0);
    assert_null(zone_open(&table_shape, open_ended));
    other = counters_shape;
    other.counters = COUNTERS_MOST + 1;
    assert_true(zone_make(&other, "test") < 0);
    other = table_shape;
    other.size = 10;
    assert_true(zone_make(&other, "test") < 0);
}

static void it_lives_as_long_as_somebody_holds_it(void **state)
{
    struct zone *z = zone_of(&table_shape), *other = zone_ref(z);

    (void)state;
    zone_unref(&z);
    assert_null(z);
    put(other);
    assert_int_equal(table_count(&other->table), 1);
    zone_unref(&other);
    zone_unref(&other); /* harmless */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_puts_another_finds),
        cmocka_unit_test(counters_of_all_are_added_up),
        cmocka_unit_test(nobody_changes_its_size),
        cmocka_unit_test(memory_of_another_shape_is_refused),
        cmocka_unit_test(it_lives_as_long_as_somebody_holds_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
