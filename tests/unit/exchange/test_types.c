/* exchange/types: media types by extension (nginx-semantics 4.2, 6.5). Includes the source, to see
 * its table. */
#include "exchange/types.c"

#include "unit/support.h"

static void the_built_in_table_is_sorted_and_lower_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(built_in); i++) {
        struct span extension = built_in[i].extension;

        for (size_t n = 0; n < extension.len; n++)
            assert_int_equal(extension.at[n], ascii_lower(extension.at[n]));
        if (i > 0 && compare(built_in[i - 1].extension, extension) >= 0)
            fail_msg("%s stands before %s", built_in[i - 1].extension.at, extension.at);
        assert_true(span_find(built_in[i].type, '/') < built_in[i].type.len);
    }
}

static void every_built_in_extension_is_found(void **state)
{
    char path[64];

    (void)state;
    for (size_t i = 0; i < COUNT(built_in); i++) {
        snprintf(path, sizeof(path), "/x/a.%s", built_in[i].extension.at);
        assert_span(types_find(NULL, span_of(path)), built_in[i].type.at);
    }
}

static const struct {
    const char *path, *type;
} paths[] = {
    { "/a.html", "text/html" },
    { "/a.HTML", "text/html" },
    { "/a.tar.gz", "application/gzip" },
    { "/a.b/c.css", "text/css" },
    { "/a.html/", "" },
    { "/a.html/b", "" },
    { "/.html", "" },
    { "/d/.html", "" },
    { "/d/x.html", "text/html" },
    { "/a.", "" },
    { "/a", "" },
    { "/", "" },
    { "", "" },
    { "/a..html", "text/html" },
    { "/..html", "text/html" },
    { "/a.unknown", "" },
    { "/a.htmlx", "" },
    { "/a.htm", "text/html" },
    { "/a.zz", "" },
    { "/a.0", "" },
    { "/a.html0123456789012345678901234567890123456789", "" },
};

static void the_extension_is_what_follows_the_last_dot_of_the_last_segment(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++)
        if (!span_is(types_find(NULL, span_of(paths[i].path)), paths[i].type))
            fail_msg("%s", paths[i].path);
}

static void a_block_replaces_the_table_and_its_later_lines_win(void **state)
{
    struct exchange *x;

    stage_server(
        *state,
        "types { text/a HTML x; text/b x y; text/c z x; } default_type text/other; location /t {\n"
        "types { } } location /u { default_type \"\"; }");
    x = stage_get(*state, "/");
    assert_span(core_type_of(x->core, span_of("/a.html")), "text/a");
    assert_span(core_type_of(x->core, span_of("/a.y")), "text/b");
    assert_span(core_type_of(x->core, span_of("/a.z")), "text/c");
    assert_span(core_type_of(x->core, span_of("/a.X")), "text/c");
    assert_span(core_type_of(x->core, span_of("/a.css")), "text/other");
    x = stage_get(*state, "/t");
    stage_phases(x, PHASE_FIND);
    assert_span(core_type_of(x->core, span_of("/a.html")), "text/other");
    x = stage_get(*state, "/u");
    stage_phases(x, PHASE_FIND);
    assert_int_equal(core_type_of(x->core, span_of("/a.css")).len, 0);
}

/* Wherever the search by halves happens to look first. */
static void of_two_equal_extensions_the_later_counts(void **state)
{
    for (int fillers = 0; fillers < 9; fillers++) {
        char text[400] = "types { text/a x; text/b x; text/c x;";
        size_t len = strlen(text);

        for (int i = 0; i < fillers; i++)
            len += (size_t)snprintf(text + len, sizeof(text) - len, " text/f f%d;", i);
        snprintf(text + len, sizeof(text) - len, " }");
        stage_server(*state, text);
        struct exchange *x = stage_get(*state, "/");
        assert_span(core_type_of(x->core, span_of("/a.x")), "text/c");
    }
}

static void a_line_without_extension_names_nothing(void **state)
{
    assert_string_equal(
        stage_load(*state, "access_log off; server { types { text/a a; text/b; } }"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_built_in_table_is_sorted_and_lower_case),
        cmocka_unit_test(every_built_in_extension_is_found),
        cmocka_unit_test(the_extension_is_what_follows_the_last_dot_of_the_last_segment),
        STAGED(a_block_replaces_the_table_and_its_later_lines_win),
        STAGED(of_two_equal_extensions_the_later_counts),
        STAGED(a_line_without_extension_names_nothing),
    };

    return cmocka_run_group_tests_name("types", tests, NULL, NULL);
}
