/* From the texts to the tree: includes, limits, and that one error does not hide the next. */
#include "conf/parser.h"

#include "conf/tree.h"
#include "unit/conf/fake.h"

static int setup(void **state)
{
    static struct fake f;

    fake_init(&f, NULL, 0);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fake_done(*state);
    return 0;
}

static void print_nodes(const struct conf_node *node, struct buf *out)
{
    for (; node != NULL; node = node->next) {
        for (unsigned i = 0; i < node->count; i++) {
            buf_adds(out, i > 0 ? " " : "");
            buf_add(out, node->words[i].text);
        }
        if (node->comment.len > 0) {
            buf_adds(out, "(");
            buf_add(out, node->comment);
            buf_adds(out, ")");
        }
        buf_adds(out, node->has_block ? "{" : ";");
        if (node->has_block) {
            print_nodes(node->first, out);
            buf_adds(out, "}");
        }
    }
}

/* The tree of a text, in one line. There are no modules: what the build says of unknown names comes
 * after what the parser said, and does not matter here. */
static const char *tree_of(struct fake *f, const char *text)
{
    fake_build(f, text);
    conf_free(&f->conf);
    f->conf = NULL;

    struct conf_input input = f->input;
    struct conf *c = conf_build(&input);
    struct conf_node *first = parser_read(c);

    buf_clear(&f->out);
    print_nodes(first, &f->out);
    buf_add_byte(&f->out, '\0');
    conf_free(&c);
    return f->out.data;
}

static bool said(struct fake *f, const char *what)
{
    return strstr(fake_said(f), what) != NULL;
}

/* `count` times `text`. */
static char *many(size_t count, const char *text)
{
    size_t len = strlen(text);
    char *all = malloc(count * len + 1);

    assert_non_null(all);
    for (size_t i = 0; i < count; i++)
        memcpy(all + i * len, text, len);
    all[count * len] = '\0';
    return all;
}

static void blocks_hold_what_stands_in_them(void **state)
{
    assert_string_equal(tree_of(*state, "a; b { c 1; d { } } e { f; }"), "a;b{c 1;d{}}e{f;}");
}

static void comments_come_along(void **state)
{
    assert_string_equal(tree_of(*state, "# 1\na; # 2\nb { # 3\n# 4\nc;\n} # 5\nd;"),
                        "a(# 1\n# 2);b(# 3\n# 5){c(# 4);}d;");
}

static void an_include_stands_for_its_lines_anywhere(void **state)
{
    static const struct fake_file files[] = { { "/etc/x", "x 1; y { z; }" }, {} };
    struct fake *f = *state;

    f->source.files = files;
    assert_string_equal(tree_of(f, "a; include x; b { include /etc/x; c; } include x;"),
                        "a;x 1;y{z;}b{x 1;y{z;}c;}x 1;y{z;}");
    f->source.loads = 0;
    fake_build(f, "include x; include x; include x;");
    assert_int_equal(f->source.loads, 1);
    assert_int_equal(conf_file_count(f->conf), 2);
}

static void a_pattern_includes_all_that_match(void **state)
{
    static const struct fake_file files[] = {
        { "/etc/d/1.conf", "one;" }, { "/etc/d/2.conf", "two;" }, { "/etc/d/3.txt", "three;" }, {}
    };
    struct fake *f = *state;

    f->source.files = files;
    assert_string_equal(tree_of(f, "include d/*.conf; end;"), "one;two;end;");
    assert_string_equal(tree_of(f, "include none/*; include d/[0-9].txt;"), "three;");
}

static void a_pattern_inside_a_pattern_does_not_disturb_it(void **state)
{
    static const struct fake_file nested[] = {
        { "/etc/1.a", "include *.b;" }, { "/etc/2.a", "two;" }, { "/etc/3.b", "b;" }, {}
    };
    struct fake *f = *state;

    f->source.files = nested;
    assert_string_equal(tree_of(f, "include *.a;"), "b;two;");
}

static void a_missing_file_is_an_error_at_its_name(void **state)
{
    struct fake *f = *state;

    fake_build(f, "a {\n  include nothing;\n}");
    assert_true(said(f, "2:11 open() \"/etc/nothing\" failed (2: No such file or directory)\n"));
}

static void an_include_loop_is_an_error(void **state)
{
    static const struct fake_file files[] = { { "/etc/a", "include b;" },
                                              { "/etc/b", "x; include a;" },
                                              { "/etc/c", "include b.conf;" },
                                              {} };
    struct fake *f = *state;

    f->source.files = files;
    fake_build(f, "include a;");
    assert_true(said(f, "/etc/b:1:12 include loop: \"/etc/a\" includes itself\n"));
    fake_build(f, "include c;");
    assert_true(said(f, "/etc/c:1:9 include loop: \"/etc/b.conf\" includes itself\n"));
}

static void includes_are_at_most_64_deep(void **state)
{
    static char names[68][32], texts[68][32];
    static struct fake_file files[68];
    struct fake *f = *state;

    for (int i = 0; i < 67; i++) {
        snprintf(names[i], sizeof(names[i]), "/etc/%d", i);
        snprintf(texts[i], sizeof(texts[i]), "include %d;", i + 1);
        files[i] = (struct fake_file){ names[i], texts[i] };
    }
    f->source.files = files;
    files[64].text = "end;";
    assert_string_equal(tree_of(f, "include 1;"), "end;");
    fake_build(f, "include 0;");
    assert_true(said(f, "/etc/63:1:9 includes are nested too deep, at most 64\n"));
}

static void files_that_unfold_without_end_are_refused(void **state)
{
    static const struct fake_file files[] = {
        { "/etc/1",
          "include 2;include 2;include 2;include 2;include 2;include 2;include 2;include 2;" },
        { "/etc/2",
          "include 3;include 3;include 3;include 3;include 3;include 3;include 3;include 3;" },
        { "/etc/3",
          "include 4;include 4;include 4;include 4;include 4;include 4;include 4;include 4;" },
        { "/etc/4",
          "include 5;include 5;include 5;include 5;include 5;include 5;include 5;include 5;" },
        { "/etc/5",
          "include 6;include 6;include 6;include 6;include 6;include 6;include 6;include 6;" },
        { "/etc/6",
          "include 7;include 7;include 7;include 7;include 7;include 7;include 7;include 7;" },
        { "/etc/7",
          "include 8;include 8;include 8;include 8;include 8;include 8;include 8;include 8;" },
        { "/etc/8",
          "include 9;include 9;include 9;include 9;include 9;include 9;include 9;include 9;" },
        { "/etc/9", "" },
        {},
    };
    struct fake *f = *state;

    f->source.files = files;
    fake_build(f, "include 1;");
    assert_true(said(f, "too many directives in this configuration\n"));
}

static void comments_are_not_read_without_end_either(void **state)
{
    static struct fake_file files[2];
    struct fake *f = *state;
    char *comment = many(1 << 20, "#"), *includes = many(300, "include x;");

    files[0] = (struct fake_file){ "/etc/x", comment };
    f->source.files = files;
    fake_build(f, includes);
    assert_string_equal(fake_said(f), "/etc/x:1:1 too much text in this configuration\n");
    free(comment);
    free(includes);
}

static void a_file_closes_only_what_it_opened(void **state)
{
    static const struct fake_file files[] = { { "/etc/x", "} y;" }, { "/etc/o", "o { p;" }, {} };
    struct fake *f = *state;

    f->source.files = files;
    fake_build(f, "a { include x; b; }");
    assert_true(said(f, "/etc/x:1:1 unexpected \"}\"\n"));
    fake_build(f, "a { include o; }");
    assert_true(said(f, "/etc/o:1:7 unexpected end of file, expecting \"}\" "
                        "[the block \"o\" was opened in line 1, column 1]\n"));
    assert_string_equal(tree_of(f, "a { include o; b; }"), "a{o{p;}b;}");
}

static void reading_goes_on_after_an_error(void **state)
{
    struct fake *f = *state;

    assert_string_equal(tree_of(f, "a; ; b \"x\"y z; c { d e } f { { g; } h; } i;"),
                        "a;c{}f{h;}i;");
    fake_build(f, "; b \"x\"y z; c { d e }\nf { { g; } }");
    assert_true(said(f, "1:1 unexpected \";\"\n"));
    assert_true(said(f, "1:8 unexpected \"y\""));
    assert_true(said(f, "1:21 unexpected \"}\" [\"d\" of line 1 has no end]"));
    assert_true(said(f, "2:5 unexpected \"{\"\n"));
}

static void an_open_block_is_told_with_its_opening(void **state)
{
    struct fake *f = *state;

    fake_build(f, "a;\nb {\n  c { d;\n");
    assert_string_equal(fake_said(f), "1:1 unknown directive \"a\"\n2:1 unknown directive \"b\"\n"
                                      "4:1 unexpected end of file, expecting \"}\" "
                                      "[the block \"c\" was opened in line 3, column 3]\n");
}

static void an_open_quote_is_told_with_its_opening(void **state)
{
    struct fake *f = *state;

    fake_build(f, "a {\n  b \"c;\n}\n");
    assert_true(said(f, "4:1 unexpected end of file, expecting \";\" or \"}\" "
                        "[the quote was opened in line 2, column 5]\n"));
    assert_string_equal(tree_of(f, "a {\n  b \"c;\n}\nd;"), "a{}d;");
}

static void a_zero_byte_is_an_error_at_its_place(void **state)
{
    struct fake *f = *state;
    static const char text[] = "a;\n b\0c;";

    conf_free(&f->conf);
    f->input.text = (struct span){ text, sizeof(text) - 1 };
    f->conf = conf_build(&f->input);
    assert_string_equal(fake_said(f), "2:3 unexpected zero byte\n");
}

static void blocks_are_at_most_64_deep(void **state)
{
    char *fits = many(64, "a{"), *deep = many(100000, "a{");
    struct fake *f = *state;

    fake_build(f, deep);
    assert_true(said(f, "1:129 blocks are nested too deep, at most 64\n"));
    fake_build(f, fits);
    assert_false(said(f, "deep"));
    assert_true(said(f, "expecting \"}\""));
    free(fits);
    free(deep);
}

static void at_most_100_errors_are_told(void **state)
{
    char *bad = many(10000, ";");
    struct fake *f = *state;
    unsigned count = 0;

    fake_build(f, bad);
    for (const struct conf_message *m = conf_messages(f->conf); m != NULL; m = m->next)
        count++;
    assert_int_equal(count, 100);
    free(bad);
}

static void globals_come_before_the_file(void **state)
{
    struct fake *f = *state;

    f->input.globals = span_of("g 1; h;");
    assert_string_equal(tree_of(f, "a;"), "g 1;h;a;");
    fake_build(f, "a;");
    assert_true(span_is(conf_file_name(f->conf, 0), "/etc/b.conf"));
    assert_true(span_is(conf_file_name(f->conf, 1), "command line"));
}

static void globals_are_complained_of_as_command_line(void **state)
{
    struct fake *f = *state;

    f->input.globals = span_of("g {");
    fake_build(f, "a;");
    assert_true(said(f, "command line:1:1 block directives are not supported in -g option\n"));
    f->input.globals = span_of("g 1");
    fake_build(f, "a;");
    assert_true(said(f, "command line:1:4 unexpected end of parameter, expecting \";\""));
}

static void the_main_file_is_read_through_the_source(void **state)
{
    static const struct fake_file files[] = { { "/etc/b.conf", "a; include x;" },
                                              { "/etc/x", "b;" },
                                              {} };
    struct fake *f = *state;

    fake_build(f, "");
    f->input.text = (struct span){ NULL, 0 };
    conf_free(&f->conf);
    f->conf = conf_build(&f->input);
    assert_string_equal(fake_said(f),
                        "0:0 open() \"/etc/b.conf\" failed (2: No such file or directory)\n");
    assert_non_null(conf_top(f->conf));

    f->source.files = files;
    conf_free(&f->conf);
    f->conf = conf_build(&f->input);
    assert_string_equal(fake_said(f),
                        "1:1 unknown directive \"a\"\n/etc/x:1:1 unknown directive \"b\"\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(blocks_hold_what_stands_in_them),
        TEST(comments_come_along),
        TEST(an_include_stands_for_its_lines_anywhere),
        TEST(a_pattern_includes_all_that_match),
        TEST(a_pattern_inside_a_pattern_does_not_disturb_it),
        TEST(a_missing_file_is_an_error_at_its_name),
        TEST(an_include_loop_is_an_error),
        TEST(includes_are_at_most_64_deep),
        TEST(files_that_unfold_without_end_are_refused),
        TEST(comments_are_not_read_without_end_either),
        TEST(a_file_closes_only_what_it_opened),
        TEST(reading_goes_on_after_an_error),
        TEST(an_open_block_is_told_with_its_opening),
        TEST(an_open_quote_is_told_with_its_opening),
        TEST(a_zero_byte_is_an_error_at_its_place),
        TEST(blocks_are_at_most_64_deep),
        TEST(at_most_100_errors_are_told),
        TEST(globals_come_before_the_file),
        TEST(globals_are_complained_of_as_command_line),
        TEST(the_main_file_is_read_through_the_source),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
