/* base/arena: memory of one life. */
#include "base/arena.h"
#include "base/budget.h"
#include "base/span.h"
#include "unit/base/unit.h"

static void pieces_are_aligned_and_apart(void **state)
{
    struct arena a;
    char *pieces[100];

    (void)state;
    arena_init(&a, 256, NULL);
    for (size_t i = 0; i < COUNT(pieces); i++) {
        pieces[i] = arena_alloc(&a, i);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], (int)i, i);
    }
    for (size_t i = 0; i < COUNT(pieces); i++)
        for (size_t n = 0; n < i; n++)
            assert_int_equal(pieces[i][n], i);
    arena_done(&a);
}

static void clear_keeps_the_first_chunk_for_the_next_life(void **state)
{
    struct budget budget = { .max = SIZE_MAX };
    struct arena a;

    (void)state;
    arena_init(&a, 1024, &budget);
    void *first = arena_alloc(&a, 16);
    for (int i = 0; i < 1000; i++)
        arena_alloc(&a, 64);
    assert_true(budget.used > 60000);
    arena_clear(&a);
    assert_int_equal(budget.used, 1024);
    assert_ptr_equal(arena_alloc(&a, 16), first);
    assert_int_equal(budget.used, 1024);
    arena_done(&a);
    assert_int_equal(budget.used, 0);
}

static void a_growing_one_gives_sound_memory_at_every_size(void **state)
{
    enum { PIECES = 3000 };
    static char *pieces[PIECES];
    struct arena a;

    (void)state;
    arena_init_growing(&a);
    for (size_t i = 0; i < PIECES; i++) {
        pieces[i] = arena_alloc(&a, 3 * i); /* 13 MiB: small chunks, then huge pages */
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], (int)i & 127, 3 * i);
    }
    char *large = arena_alloc(&a, 5 << 20); /* one that no page holds */
    memset(large, 'x', 5 << 20);
    for (size_t i = 0; i < PIECES; i++)
        for (size_t n = 0; n < 3 * i; n += 97)
            assert_int_equal(pieces[i][n], i & 127);
    arena_done(&a);
}

static void clear_keeps_no_chunk_of_another_size(void **state)
{
    struct budget budget = { .max = SIZE_MAX };
    struct arena a;

    (void)state;
    arena_init(&a, 1024, &budget);
    arena_alloc(&a, 5000); /* a chunk of its own, and the first */
    assert_int_equal(budget.used, 5008);
    arena_alloc(&a, 16);
    arena_clear(&a);
    assert_int_equal(budget.used, 0);
    assert_non_null(arena_alloc(&a, 16));
    arena_clear(&a);
    arena_clear(&a);
    assert_int_equal(budget.used, 1024);
    arena_done(&a);
}

static void copies_outlive_what_they_were_made_of(void **state)
{
    struct arena a;
    char text[] = "text";

    (void)state;
    arena_init(&a, 64, NULL);
    struct span copy = arena_copy(&a, span_of(text));
    char *cstr = arena_cstr(&a, span_of(text));
    char *empty = arena_cstr(&a, (struct span){ NULL, 0 });
    struct span none = arena_copy(&a, (struct span){ NULL, 0 });
    unsigned char *zeroed = arena_zalloc(&a, 40);
    memset(text, 'x', sizeof(text));
    assert_span(copy, "text");
    assert_string_equal(cstr, "text");
    assert_string_equal(empty, "");
    assert_non_null(none.at); /* set, but empty: no "unset" value */
    assert_int_equal(none.len, 0);
    for (int i = 0; i < 40; i++)
        assert_int_equal(zeroed[i], 0);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_and_apart),
        cmocka_unit_test(clear_keeps_the_first_chunk_for_the_next_life),
        cmocka_unit_test(a_growing_one_gives_sound_memory_at_every_size),
        cmocka_unit_test(clear_keeps_no_chunk_of_another_size),
        cmocka_unit_test(copies_outlive_what_they_were_made_of),
    };

    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
