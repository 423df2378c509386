/* base/secret: bytes that must not be seen. */
#include "base/secret.h"
#include "unit/base/unit.h"

#include <sys/mman.h>

static void it_is_a_copy_and_only_revealed_by_name(void **state)
{
    struct secret s;
    char key[] = "hush";

    (void)state;
    assert_true(secret_init(&s, span_of(key)));
    memset(key, 'x', sizeof(key));
    assert_span(secret_reveal(&s), "hush");
    secret_done(&s);
    assert_null(secret_reveal(&s).at);
    secret_done(&s); /* harmless */
}

/* Is the page left out of core dumps? 0, 1; -1: this kernel does not say. */
static int is_out_of_dumps(const void *page)
{
    FILE *maps = fopen("/proc/self/smaps", "re");
    char line[512];
    bool here = false;
    int out = -1;

    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
        unsigned long from, to;

        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            here = from <= (uintptr_t)page && (uintptr_t)page < to;
        else if (here && strncmp(line, "VmFlags:", 8) == 0)
            out = strstr(line, " dd") != NULL;
    }
    if (maps != NULL)
        fclose(maps);
    return out;
}

static void its_pages_are_out_of_core_dumps_and_gone_with_it(void **state)
{
    struct secret s;
    unsigned char resident;

    (void)state;
    assert_true(secret_init(&s, span_of("hush")));
    void *pages = s.pages;
    assert_int_not_equal(is_out_of_dumps(pages), 0);
    secret_done(&s);
    assert_int_equal(mincore(pages, 1, &resident), -1); /* not mapped any more */
}

static void an_empty_one_is_one(void **state)
{
    struct secret s;

    (void)state;
    assert_true(secret_init(&s, (struct span){ NULL, 0 }));
    assert_int_equal(secret_reveal(&s).len, 0);
    assert_non_null(secret_reveal(&s).at);
    secret_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_a_copy_and_only_revealed_by_name),
        cmocka_unit_test(its_pages_are_out_of_core_dumps_and_gone_with_it),
        cmocka_unit_test(an_empty_one_is_one),
    };

    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
