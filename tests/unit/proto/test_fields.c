/* Fields: known names, lists, what is added and removed. */
#include "proto_test.h"

#include "base/arena.h"
#include "proto/fields.h"

static struct fields some_fields(struct arena *arena)
{
    static const char *const lines[][2] = {
        { "Host", "a" }, { "connection", "a, Close" },
        { "X-A", "1" },  { "Connection", ",,b , c" },
        { "x-a", "2" },  { "Cookie", "s" },
    };
    struct fields f;

    arena_init(arena, 1024, NULL);
    fields_init(&f, arena, NULL, 0);
    for (size_t i = 0; i < COUNT(lines); i++)
        fields_add(&f, span_of(lines[i][0]), span_of(lines[i][1]), FROM_CLIENT);
    return f;
}

static void every_known_name_is_known_in_any_case(void **state)
{
    (void)state;
    for (unsigned id = 1; id < FIELD_IDS; id++) {
        struct span name = field_name((enum field_id)id);
        char lower[64], upper[64];

        for (size_t i = 0; i < name.len; i++) {
            lower[i] = ascii_lower(name.at[i]);
            upper[i] = lower[i] >= 'a' && lower[i] <= 'z' ? (char)(lower[i] - 32) : lower[i];
        }
        if (field_id_of(name) != id || field_id_of((struct span){ lower, name.len }) != id ||
            field_id_of((struct span){ upper, name.len }) != id)
            fail_msg("%.*s is not found", (int)name.len, name.at);
    }
}

static void a_name_that_is_almost_known_is_not(void **state)
{
    static const struct span others[] = {
        SPAN(""),
        SPAN("Hos"),
        SPAN("Hosts"),
        SPAN("Content_Length"),
        SPAN("Content\rLength"),
        SPAN("\x0eost"),
        SPAN("Proxy-Authentication-Info-And-More"),
        SPAN("Hos\xf4"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT(others); i++)
        assert_int_equal(field_id_of(others[i]), FIELD_OTHER);
}

static void fields_are_found_by_id_and_by_name(void **state)
{
    struct arena arena;
    struct fields f = some_fields(&arena);

    (void)state;
    assert_ptr_equal(fields_find(&f, FIELD_CONNECTION), &f.at[1]);
    assert_ptr_equal(fields_find_name(&f, span_of("X-a")), &f.at[2]);
    assert_null(fields_find(&f, FIELD_VIA));
    assert_null(fields_find_name(&f, span_of("X-B")));
    assert_int_equal(fields_count(&f, FIELD_CONNECTION), 2);
    assert_int_equal(fields_count(&f, FIELD_VIA), 0);
    arena_done(&arena);
}

static void removing_keeps_the_order_of_the_rest(void **state)
{
    struct arena arena;
    struct fields f = some_fields(&arena);

    (void)state;
    fields_remove(&f, FIELD_CONNECTION);
    assert_int_equal(f.count, 4);
    fields_remove_name(&f, span_of("X-A"));
    assert_int_equal(f.count, 2);
    assert_int_equal(f.at[0].id, FIELD_HOST);
    assert_int_equal(f.at[1].id, FIELD_COOKIE);
    fields_remove(&f, FIELD_VIA);
    assert_int_equal(f.count, 2);
    arena_done(&arena);
}

static void a_list_over_lines_has_its_members(void **state)
{
    struct arena arena;
    struct fields f = some_fields(&arena);

    (void)state;
    assert_true(fields_list_has(&f, FIELD_CONNECTION, "close"));
    assert_true(fields_list_has(&f, FIELD_CONNECTION, "C"));
    assert_false(fields_list_has(&f, FIELD_CONNECTION, "clos"));
    assert_false(fields_list_has(&f, FIELD_CONNECTION, ""));
    assert_false(fields_list_has(&f, FIELD_HOST, "close"));
    arena_done(&arena);
}

static void credentials_are_sensitive(void **state)
{
    struct field first[4];
    struct fields f;

    (void)state;
    fields_init(&f, NULL, first, COUNT(first));
    assert_true(fields_add(&f, span_of("authorization"), span_of("x"), FROM_US)->sensitive);
    assert_true(fields_add(&f, span_of("Proxy-Authorization"), span_of("x"), FROM_US)->sensitive);
    assert_true(fields_add(&f, span_of("COOKIE"), span_of("x"), FROM_US)->sensitive);
    assert_false(fields_add(&f, span_of("Accept"), span_of("x"), FROM_US)->sensitive);
    assert_int_equal(f.at[0].origin, FROM_US);
}

static void a_list_grows_in_its_arena(void **state)
{
    struct field first[1];
    struct arena arena;
    struct fields f;

    (void)state;
    arena_init(&arena, 4096, NULL);
    fields_init(&f, &arena, first, COUNT(first));
    for (unsigned i = 0; i < 100; i++)
        fields_add(&f, span_of(i % 2 ? "X" : "Via"), span_of("y"), FROM_CLIENT);
    assert_int_equal(f.count, 100);
    assert_int_equal(fields_count(&f, FIELD_VIA), 50);
    arena_done(&arena);
}

static void kept_fields_outlive_the_bytes_they_came_in(void **state)
{
    char name[] = "Via", value[] = "one";
    struct arena arena;
    struct fields f;

    (void)state;
    arena_init(&arena, 1024, NULL);
    fields_init(&f, &arena, NULL, 0);
    fields_add(&f, span_of(name), span_of(value), FROM_CLIENT);
    fields_keep(&f);
    memset(name, 'x', 3);
    memset(value, 'x', 3);
    assert_true(span_is(f.at[0].name, "Via") && span_is(f.at[0].value, "one"));
    assert_int_equal(f.at[0].id, FIELD_VIA);
    arena_done(&arena);
}

static void framing_fields_in_disguise_are_known(void **state)
{
    (void)state;
    assert_true(field_name_is_disguise(span_of("Transfer_Encoding")));
    assert_true(field_name_is_disguise(span_of("content_LENGTH")));
    assert_false(field_name_is_disguise(span_of("Content-Length")));
    assert_false(field_name_is_disguise(span_of("X_Encoding")));
    assert_true(field_name_is_plain(span_of("X-1"), false));
    assert_false(field_name_is_plain(span_of("X_1"), false));
    assert_true(field_name_is_plain(span_of("X_1"), true));
    assert_false(field_name_is_plain(span_of("X.1"), true));
    assert_false(field_name_is_plain(span_of(""), true));
}

static void tokens_and_values_are_told_from_others(void **state)
{
    (void)state;
    assert_true(is_token(span_of("!#$%&'*+-.^_`|~09azAZ")));
    assert_false(is_token(span_of("")));
    assert_false(is_token(span_of("a b")));
    assert_false(is_token(span_of("a:")));
    assert_true(is_field_value(span_of("")));
    assert_true(is_field_value(span_of("a\tb \xff")));
    assert_false(is_field_value(span_of("a\r\nb")));
    assert_false(is_field_value(span_of("\x7f")));
    assert_false(is_field_value((struct span)SPAN("a\0")));
}

int main(void)
{
    static struct suite s;

    ADD_TEST(&s, every_known_name_is_known_in_any_case);
    ADD_TEST(&s, a_name_that_is_almost_known_is_not);
    ADD_TEST(&s, fields_are_found_by_id_and_by_name);
    ADD_TEST(&s, removing_keeps_the_order_of_the_rest);
    ADD_TEST(&s, a_list_over_lines_has_its_members);
    ADD_TEST(&s, credentials_are_sensitive);
    ADD_TEST(&s, a_list_grows_in_its_arena);
    ADD_TEST(&s, kept_fields_outlive_the_bytes_they_came_in);
    add_test(&s, "SMUG-48 framing fields in disguise are known",
             framing_fields_in_disguise_are_known, NULL);
    ADD_TEST(&s, tokens_and_values_are_told_from_others);
    return run_suite("fields", &s);
}
