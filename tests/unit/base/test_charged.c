/* base/charged: objects that peers cause are paid for. */
#include "base/budget.h"
#include "base/charged.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void an_object_is_zeroed_and_paid_for_until_it_is_freed(void **state)
{
    struct budget budget = { .max = 100 };
    unsigned char *object = charged_new(60, &budget);

    (void)state;
    assert_non_null(object);
    for (unsigned i = 0; i < 60; i++)
        assert_int_equal(object[i], 0);
    assert_int_equal(budget.used, 60);
    charged_free(object, 60, &budget);
    assert_int_equal(budget.used, 0);
}

static void over_the_budget_there_is_none(void **state)
{
    struct budget budget = { .max = 100 };
    void *first = charged_new(60, &budget);

    (void)state;
    assert_null(charged_new(41, &budget));
    assert_int_equal(budget.used, 60);
    charged_free(first, 60, &budget);
    charged_free(NULL, 60, &budget);
    assert_int_equal(budget.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_is_zeroed_and_paid_for_until_it_is_freed),
        cmocka_unit_test(over_the_budget_there_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
