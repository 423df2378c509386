#ifndef TESTS_UNIT_PROTO_PROTO_TEST_H
#define TESTS_UNIT_PROTO_PROTO_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/span.h"

/* Tests made of tables: each row is a test of its own, under its promise, so that a result file
 * counts promises and the ID of a threat row stands in a passed test's name. Rows begin with `const
 * char *promise`. */
struct suite {
    struct CMUnitTest tests[512];
    size_t count;
};

static inline void add_test(struct suite *s, const char *name, CMUnitTestFunction run,
                            const void *row)
{
    if (s->count == COUNT(s->tests))
        fail_msg("too many tests for one suite: %s", name);
    s->tests[s->count++] =
        (struct CMUnitTest){ .name = name, .test_func = run, .initial_state = (void *)row };
}

#define ADD_TABLE(suite, table, run)                \
    for (size_t row = 0; row < COUNT(table); row++) \
    add_test(suite, (table)[row].promise, run, &(table)[row])
#define ADD_TEST(suite, run) add_test(suite, #run, run, NULL)

static inline int run_suite(const char *name, struct suite *s)
{
    return _cmocka_run_group_tests(name, s->tests, s->count, NULL, NULL);
}

#endif
