/* base/random: unpredictable bytes, and the one comparison of secrets. */
#include "base/random.h"
#include "unit/base/unit.h"

static void every_byte_is_filled(void **state)
{
    unsigned char seen[1000] = { 0 }, bytes[1000];

    (void)state;
    for (int round = 0; round < 20; round++) {
        random_bytes(bytes, sizeof(bytes));
        for (size_t i = 0; i < sizeof(bytes); i++)
            seen[i] |= bytes[i];
    }
    for (size_t i = 0; i < sizeof(seen); i++)
        assert_true(seen[i] != 0); /* all twenty zero: once in 256^20 */
    random_bytes(NULL, 0);
}

static void equal_means_every_byte_and_the_length(void **state)
{
    char a[32], b[32];

    (void)state;
    memset(a, 'k', sizeof(a));
    for (size_t i = 0; i < sizeof(a); i++) {
        for (int bit = 0; bit < 8; bit++) {
            memset(b, 'k', sizeof(b));
            b[i] = (char)(b[i] ^ 1 << bit);
            assert_false(constant_time_same((struct span){ a, 32 }, (struct span){ b, 32 }));
        }
        assert_false(constant_time_same((struct span){ a, 32 }, (struct span){ a, i }));
        assert_false(constant_time_same((struct span){ a, i }, (struct span){ a, 32 }));
    }
    assert_true(constant_time_same((struct span){ a, 32 }, (struct span){ a, 32 }));
    assert_true(constant_time_same((struct span){ NULL, 0 }, (struct span){ NULL, 0 }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_filled),
        cmocka_unit_test(equal_means_every_byte_and_the_length),
    };

    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
