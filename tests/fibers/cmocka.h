#ifndef TESTS_FIBERS_CMOCKA_H
#define TESTS_FIBERS_CMOCKA_H

/* As much of cmocka as the fiber tests use, so that they run where the library is not: built by a
 * cross compiler, under qemu-user. A failure ends the program. The words of the variable
 * WITHOUT_TESTS are names of tests to leave out. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*test_func)(void **state);
    int (*setup_func)(void **state);
    int (*teardown_func)(void **state);
};

#define cmocka_unit_test_setup_teardown(test, setup, teardown) \
    {                                                          \
#        test, test, setup, teardown                           \
    }

static inline void expect(bool holds, const char *what, const char *file, int line)
{
    if (holds)
        return;
    printf("%s:%d: %s\n", file, line, what);
    exit(1);
}

#define EXPECT(holds, what) expect(holds, what, __FILE__, __LINE__)
#define assert_true(x) EXPECT(x, #x)
#define assert_false(x) EXPECT(!(x), "not: " #x)
#define assert_null(x) EXPECT((x) == NULL, #x " is NULL")
#define assert_ptr_equal(a, b) EXPECT((const void *)(a) == (const void *)(b), #a " is " #b)
#define assert_int_equal(a, b) EXPECT((intmax_t)(a) == (intmax_t)(b), #a " is " #b)
#define assert_string_equal(a, b) EXPECT(strcmp(a, b) == 0, #a " is " #b)
#define assert_in_range(x, low, high)                                                 \
    EXPECT((uintmax_t)(x) >= (uintmax_t)(low) && (uintmax_t)(x) <= (uintmax_t)(high), \
           #x " is in range")

static inline bool is_left_out(const char *name)
{
    const char *all = getenv("WITHOUT_TESTS");
    const char *at = all != NULL ? strstr(all, name) : NULL;

    return at != NULL && (at == all || at[-1] == ' ') && strchr(" ", at[strlen(name)]) != NULL;
}

static inline void run_one(const struct CMUnitTest *t)
{
    void *state = NULL;

    if (is_left_out(t->name))
        return;
    printf("%s\n", t->name);
    fflush(stdout);
    EXPECT(t->setup_func(&state) == 0, "set up");
    t->test_func(&state);
    EXPECT(t->teardown_func(&state) == 0, "torn down");
}

#define cmocka_run_group_tests(tests, setup, teardown) \
    run_all(tests, sizeof(tests) / sizeof((tests)[0]))

static inline int run_all(const struct CMUnitTest *tests, size_t count)
{
    for (size_t i = 0; i < count; i++)
        run_one(&tests[i]);
    return 0;
}

#endif
