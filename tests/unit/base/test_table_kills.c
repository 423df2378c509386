/* PROC-05: a process is killed in the middle of an update of a shared table, 500 times. Afterwards
 * the table holds what a model says, with the last update done or not done; and who locks next does
 * not wait. */
#include "base/clock.h"
#include "base/random.h"
#include "base/table.h"
#include "unit/base/unit.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILLS = 500, KEYS = 40, VALUE = 1024 };

static const struct table_shape shape = { 8, VALUE, TABLE_REFUSES };

/* The value of each key: the number of the update that made it; 0: none did. */
struct model {
    uint64_t of[KEYS];
};

struct update {
    unsigned long key;
    bool removes;
};

static struct update update_of(uint64_t n)
{
    uint64_t mixed = n * 0x9e3779b97f4a7c15u;

    mixed ^= mixed >> 29;
    return (struct update){ mixed % KEYS, (mixed >> 8) % 4 == 0 };
}

static struct span key_of(unsigned long i)
{
    static char text[16];

    snprintf(text, sizeof(text), "%08lu", i);
    return (struct span){ text, 8 };
}

static void fill(char value[VALUE], uint64_t n)
{
    for (size_t i = 0; i < VALUE; i += sizeof(n))
        memcpy(value + i, &n, sizeof(n));
}

static void apply(struct table *t, uint64_t n)
{
    struct update u = update_of(n);
    char value[VALUE];

    fill(value, n);
    if (u.removes)
        table_remove(t, key_of(u.key));
    else if (!table_put(t, key_of(u.key), (struct span){ value, VALUE }))
        _exit(1);
}

/* 0: it is not there. A value that is made of two is no value. */
static uint64_t value_of(struct table *t, unsigned long key)
{
    char value[VALUE], want[VALUE];
    uint64_t n;
    size_t len;

    if (!table_get(t, key_of(key), value, &len))
        return 0;
    assert_int_equal(len, VALUE);
    memcpy(&n, value, sizeof(n));
    fill(want, n);
    assert_memory_equal(value, want, VALUE);
    return n;
}

static void note(struct model *m, uint64_t n)
{
    struct update u = update_of(n);

    m->of[u.key] = u.removes ? 0 : n;
}

/* Of the last update nobody knows whether it was done. The model goes on with what is there. */
static void check(struct table *t, struct model *m, uint64_t last)
{
    struct update u = update_of(last);
    unsigned there = 0;

    for (unsigned long key = 0; key < KEYS; key++) {
        uint64_t n = value_of(t, key), after = u.removes ? 0 : last;

        there += n != 0;
        if (key == u.key && n == after)
            m->of[key] = n;
        if (n != m->of[key])
            fail_msg("key %lu: %lu, expected %lu", key, (unsigned long)n,
                     (unsigned long)m->of[key]);
    }
    assert_int_equal(table_count(t), there);
}

static _Noreturn void go_on(struct table *t, volatile uint64_t *done)
{
    for (;;) {
        apply(t, *done + 1);
        *done = *done + 1;
    }
}

static void a_killed_process_leaves_each_update_done_or_undone(void **state)
{
    struct table t;
    struct model m = { { 0 } };
    volatile uint64_t *done =
        mmap(NULL, sizeof(*done), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t noted = 0, slowest = 0;

    (void)state;
    assert_true(table_init(&t, &shape, table_bytes(&shape, KEYS + 1)));
    for (unsigned times = 0; times < KILLS; times++) {
        uint64_t from = *done;
        uint16_t wait;
        random_bytes(&wait, sizeof(wait));
        pid_t child = fork();

        if (child == 0)
            go_on(&t, done);
        while (*done < from + wait % 300)
            sched_yield();
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        while (noted < *done)
            note(&m, ++noted);
        uint64_t before = clock_monotonic_ms();
        check(&t, &m, *done + 1);
        slowest = clock_monotonic_ms() - before > slowest ? clock_monotonic_ms() - before : slowest;
        noted = ++*done; /* what was done, if at all, is in the model */
    }
    assert_in_range(slowest, 0, 500);
    table_done(&t);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        { .name = "PROC-05-a-killed-process-leaves-each-update-done-or-undone",
          .test_func = a_killed_process_leaves_each_update_done_or_undone },
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
