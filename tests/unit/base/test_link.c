/* base/link: rings of embedded links. */
#include "base/link.h"
#include "unit/base/unit.h"

struct thing {
    int number;
    struct link link;
};

static unsigned in_order(const struct link *head, unsigned ret[8])
{
    unsigned n = 0;

    for (const struct link *l = head->next; l != head && n < 8; l = l->next) {
        assert_ptr_equal(l->next->prev, l);
        ret[n++] = (unsigned)CONTAINER(l, struct thing, link)->number;
    }
    return n;
}

static void things_stand_where_they_were_put(void **state)
{
    struct link head;
    struct thing a = { .number = 1 }, b = { .number = 2 }, c = { .number = 3 };
    unsigned order[8];

    (void)state;
    link_init(&head);
    assert_true(link_alone(&head));
    link_append(&head, &a.link);
    link_append(&head, &b.link);
    link_insert(&head, &c.link);
    assert_false(link_alone(&head));
    assert_int_equal(in_order(&head, order), 3);
    assert_int_equal(order[0], 3);
    assert_int_equal(order[1], 1);
    assert_int_equal(order[2], 2);
    link_remove(&a.link);
    assert_int_equal(in_order(&head, order), 2);
    assert_int_equal(order[1], 2);
    assert_true(link_alone(&a.link));
    link_remove(&b.link);
    link_remove(&c.link);
    assert_true(link_alone(&head));
}

static void a_removal_too_many_is_harmless(void **state)
{
    struct link head, lonely = { 0 };
    struct thing a = { 0 };

    (void)state;
    link_remove(&lonely);
    assert_true(link_alone(&lonely));
    link_init(&head);
    link_append(&head, &a.link);
    link_remove(&a.link);
    link_remove(&a.link);
    assert_true(link_alone(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(things_stand_where_they_were_put),
        cmocka_unit_test(a_removal_too_many_is_harmless),
    };

    return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
