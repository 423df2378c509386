/* The layout of texts, and `-T`. */
#include "conf/format.h"

#include "conf/types.h"

#include "base/buf.h"
#include "base/span.h"
#include "conf/directive.h"
#include "conf/lexer.h"
#include "conf/tree.h"
#include "unit/conf/fake.h"

static const struct {
    const char *promise, *in, *want;
} cases[] = {
    { "nothing stays nothing", " \n\n", "" },
    { "a line for each directive", "a b;c  d ;", "a b;\nc d;\n" },
    { "four spaces for each block", "a{b{c;\nd;}\n}",
      "a {\n    b {\n        c;\n        d;\n    }\n}\n" },
    { "a block on one line stays there", "a { b c; d; }", "a { b c; d; }\n" },
    { "an empty one, too", "a  {  }", "a {}\n" },
    { "one that holds another does not", "a { b { c; } }", "a {\n    b { c; }\n}\n" },
    { "one empty line at most", "a;\n\n\n\nb;", "a;\n\nb;\n" },
    { "none at the ends of a block", "a {\n\n b;\n\n}", "a {\n    b;\n}\n" },
    { "none at the start of the text", "\n\na;", "a;\n" },
    { "a comment stays at its line's end", "a;# x  \nb; # y\r\n", "a; # x\nb; # y\n" },
    { "a comment on a line of its own is set in", "a {\n# x\nb;\n # y\n}",
      "a {\n    # x\n    b;\n    # y\n}\n" },
    { "a comment behind the bracket", "a { # x\nb; }", "a { # x\n    b;\n}\n" },
    { "a comment alone", "# x", "# x\n" },
    { "a comment at the end", "a;\n\n# x\n", "a;\n\n# x\n" },
    { "a comment among the words", "a b # x\nc;", "a b # x\n    c;\n" },
    { "a comment before the end", "a b # x\n;", "a b # x\n;\n" },
    { "words that were on lines of their own", "a b\n       c\n d;", "a b\n    c\n    d;\n" },
    { "quotes are kept", "a 'b'  \"c d\";", "a 'b' \"c d\";\n" },
    { "line ends in quotes are kept", "a { b \"c\r\n\n  d\";\n}",
      "a {\n    b \"c\r\n\n  d\";\n}\n" },
    { "what touches a quote goes on touching it", "if ($a = \"b\") { c; }",
      "if ($a = \"b\") { c; }\n" },
    { "escapes are kept", "a b\\ c \"\\n\";", "a b\\ c \"\\n\";\n" },
    { "brackets of a variable", "a ${b}c;", "a ${b}c;\n" },
};

static struct span format(struct buf *out, struct span text)
{
    struct lexer_fault fault;

    buf_clear(out);
    if (!conf_format(text, out, &fault))
        fail_msg("%s", fault.text);
    return buf_view(out);
}

static void every_case_keeps_its_promise(void **state)
{
    struct buf once, twice;

    (void)state;
    buf_init(&once, 1 << 20, NULL);
    buf_init(&twice, 1 << 20, NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct span got = format(&once, span_of(cases[i].in));

        if (!span_is(got, cases[i].want))
            fail_msg("%s:\n%.*s", cases[i].promise, (int)got.len, got.at);
        if (!span_same(format(&twice, got), got))
            fail_msg("%s: a second time it changes", cases[i].promise);
    }
    buf_done(&once);
    buf_done(&twice);
}

static const struct {
    const char *promise, *in, *want;
    unsigned line, column, opened;
} faults[] = {
    { "a block without an end", "a;\nb {\n c;\n", "unexpected end of file, expecting \"}\"", 4, 1,
      2 },
    { "an end without a block", "a;\n }", "unexpected \"}\"", 2, 2, 0 },
    { "a directive without an end", "a b", "unexpected end of file, expecting \";\" or \"}\"", 1, 4,
      0 },
    { "a quote without an end", "a\n\"b;", "unexpected end of file, expecting \";\" or \"}\"", 2, 4,
      2 },
    { "an end alone", ";", "unexpected \";\"", 1, 1, 0 },
};

static void a_text_without_form_is_refused_at_its_place(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 1 << 20, NULL);
    for (size_t i = 0; i < COUNT(faults); i++) {
        struct lexer_fault f = {};

        if (conf_format(span_of(faults[i].in), &out, &f) || strcmp(f.text, faults[i].want) != 0 ||
            f.place.line != faults[i].line || f.place.column != faults[i].column ||
            f.opened.line != faults[i].opened)
            fail_msg("%s: %u:%u %s", faults[i].promise, f.place.line, f.place.column, f.text);
    }
    buf_done(&out);
}

static void blocks_are_as_deep_as_the_parser_takes_them(void **state)
{
    struct lexer_fault f = {};
    struct buf text, out;

    (void)state;
    buf_init(&text, 4096, NULL);
    buf_init(&out, 1 << 20, NULL);
    for (unsigned i = 0; i < 65; i++)
        buf_adds(&text, "a {");
    assert_false(conf_format(buf_view(&text), &out, &f));
    assert_string_equal(f.text, "blocks are nested too deep, at most 64");
    assert_int_equal(f.place.column, 64 * 3 + 1);
    buf_done(&text);
    buf_done(&out);
}

/* --- -T ------------------------------------------------------------------------------------- */

static bool is_key(const struct conf_word *words, unsigned i)
{
    (void)words;
    return i == 2;
}

static bool take(struct conf_call *call, void *field)
{
    (void)call, (void)field;
    return true;
}

static const struct conf_type plain = { .set = take, .many = true };
static const struct conf_type secret = { .set = take, .many = true, .hides = is_key };
static const struct directive rows[] = {
    { "server", CTX_HTTP, 0, 0, &plain, 0, NULL, NONE, "", CTX_SERVER, NULL },
    { "name", CTX_HTTP | CTX_SERVER, 1, 9, &plain, 0, NULL, NONE, "", 0, NULL },
    { "key", CTX_HTTP | CTX_SERVER, 1, 3, &secret, 0, NULL, NONE, "", 0, NULL },
    {},
};
static const struct conf_module module = { "m", rows, 8, NULL, NULL };

static const struct fake_file files[] = {
    { "/etc/a.conf", "name a;\n" },
    { "/etc/b.conf", "server { include c; } # b" },
    { "/etc/c", "name c;" },
    {},
};

static const char *dumped(struct fake *f, const char *text)
{
    f->source.files = files;
    fake_build(f, text);
    assert_true(conf_is_good(f->conf));
    buf_clear(&f->out);
    conf_dump(f->conf, &f->out);
    buf_add_byte(&f->out, '\0');
    return f->out.data;
}

static void a_dump_is_the_text_behind_its_name(void **state)
{
    struct fake f;

    (void)state;
    fake_init(&f, &module, 1);
    assert_string_equal(dumped(&f, "name x;  # note\n"),
                        "# configuration file /etc/b.conf:\nname x;  # note\n\n");
    fake_done(&f);
}

static void an_included_file_stands_where_it_is_included(void **state)
{
    struct fake f;

    (void)state;
    fake_init(&f, &module, 1);
    f.input.file = span_of("/etc/main");
    assert_string_equal(dumped(&f, "name x; include *.conf; name y;"),
                        "# configuration file /etc/main:\nname x; # include *.conf;\n"
                        "# configuration file /etc/a.conf:\nname a;\n\n"
                        "# configuration file /etc/b.conf:\nserver { # include c;\n"
                        "# configuration file /etc/c:\nname c;\n } # b\n name y;\n");
    fake_done(&f);
}

static void a_dump_is_a_configuration_that_is_dumped_alike(void **state)
{
    struct fake f;

    (void)state;
    fake_init(&f, &module, 1);
    f.input.file = span_of("/etc/main");
    char *once = strdup(dumped(&f, "include *.conf;\nkey a b;\n"));
    const char *twice = dumped(&f, once);
    assert_non_null(strstr(twice, once));
    free(once);
    fake_done(&f);
}

static void no_dump_shows_a_secret(void **state)
{
    struct fake f;

    (void)state;
    fake_init(&f, &module, 1);
    assert_string_equal(dumped(&f, "key a  \"b c\" d; server { key a\n 'x'; key only; }"),
                        "# configuration file /etc/b.conf:\n"
                        "key a  *** d; server { key a\n ***; key only; }\n");
    fake_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_keeps_its_promise),
        cmocka_unit_test(a_text_without_form_is_refused_at_its_place),
        cmocka_unit_test(blocks_are_as_deep_as_the_parser_takes_them),
        cmocka_unit_test(a_dump_is_the_text_behind_its_name),
        cmocka_unit_test(an_included_file_stands_where_it_is_included),
        cmocka_unit_test(a_dump_is_a_configuration_that_is_dumped_alike),
        cmocka_unit_test(no_dump_shows_a_secret),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
