/* What the user sees, and files that directives name. */
#include "conf/types.h"

#include "conf/directive.h"
#include "conf/load.h"
#include "unit/conf/fake.h"

static bool load_word(struct conf_call *call, void *field)
{
    enum conf_kind kind = span_is(conf_word(call, 1), "key") ? CONF_KEY : CONF_BYTES;

    return conf_load(call, 1, conf_file_path(call, conf_word(call, 1)), kind, field);
}

static const struct conf_type loaded = { .set = load_word, .size = sizeof(struct span) };

static const struct directive rows[] = {
    { "proxy_pass", CTX_HTTP, 1, 1, &conf_text, 0, NULL, NONE, "", 0, NULL },
    { "load", CTX_HTTP, 1, 1, &loaded, sizeof(struct span), NULL, NONE, "", 0, NULL },
    { "idle", CTX_HTTP, 0, 0, &conf_nothing, 0, NULL, NONE, "", 0, NULL },
    {},
};

static const struct conf_module module = { "m", rows, 2 * sizeof(struct span), NULL, NULL };

static int setup(void **state)
{
    static struct fake f;

    fake_init(&f, &module, 1);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fake_done(*state);
    return 0;
}

static const char *printed(struct fake *f, const char *text)
{
    fake_build(f, text);
    buf_clear(&f->out);
    for (const struct conf_message *m = conf_messages(f->conf); m != NULL; m = m->next)
        conf_print_message(f->conf, m, &f->out);
    buf_add_byte(&f->out, '\0');
    return f->out.data;
}

static const struct {
    const char *promise, *in, *want;
} cases[] = {
    { "the line, a caret, a hint", "load x;\n    proxy_pas a;\n",
      "bifrons: [emerg] open() \"/etc/x\" failed (2: No such file or directory) in /etc/b.conf:1\n"
      "/etc/b.conf:1:6\nload x;\n     ^\n"
      "bifrons: [emerg] unknown directive \"proxy_pas\" in /etc/b.conf:2\n"
      "/etc/b.conf:2:5\n    proxy_pas a;\n    ^\ndid you mean \"proxy_pass\"?\n" },
    { "tabs stay tabs", "\t idle;",
      "bifrons: [warn] \"idle\" is accepted and has no effect in /etc/b.conf:1\n"
      "/etc/b.conf:1:3\n\t idle;\n\t ^\n" },
    { "a letter of several bytes is one place wide", "proxy_pass \xC3\xA4; }",
      "bifrons: [emerg] unexpected \"}\" in /etc/b.conf:1\n/etc/b.conf:1:16\n"
      "proxy_pass \xC3\xA4; }\n              ^\n" },
    { "control bytes and broken UTF-8 are shown, not sent", "\x1b[31m\xff;\r\n",
      "bifrons: [emerg] unknown directive \"\\x1B[31m\\xFF\" in /etc/b.conf:1\n/etc/b.conf:1:1\n"
      "\\x1B[31m\\xFF;\n^\n" },
    { "the caret stands right behind such bytes", "proxy_pass \x01\xc2\x80; }",
      "bifrons: [emerg] unexpected \"}\" in /etc/b.conf:1\n/etc/b.conf:1:17\n"
      "proxy_pass \\x01\\xC2\\x80; }\n                         ^\n" },
    { "an empty line where the text has ended", "proxy_pass\n",
      "bifrons: [emerg] unexpected end of file, expecting \";\" or \"}\" in /etc/b.conf:2\n"
      "/etc/b.conf:2:1\n\n^\n"
      "\"proxy_pass\" of line 1 has no end: is a \";\" missing?\n" },
    { "a mark at the file's start does not move the caret", "\xEF\xBB\xBFoops;",
      "bifrons: [emerg] unknown directive \"oops\" in /etc/b.conf:1\n/etc/b.conf:1:1\noops;\n^\n" },
};

static void every_case_keeps_its_promise(void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *got = printed(*state, cases[i].in);

        if (strcmp(got, cases[i].want) != 0)
            fail_msg("%s: got\n%s", cases[i].promise, got);
    }
}

static void an_error_of_no_place_is_one_line(void **state)
{
    struct fake *f = *state;

    fake_build(f, "");
    conf_complain(f->conf, (struct place){}, "unknown \"%s\" variable", "x");
    assert_false(conf_is_good(f->conf));
    buf_clear(&f->out);
    conf_print_message(f->conf, conf_messages(f->conf), &f->out);
    assert_true(span_is(buf_view(&f->out), "bifrons: [emerg] unknown \"x\" variable\n"));
}

static void the_command_line_has_no_line(void **state)
{
    struct fake *f = *state;

    f->input.globals = span_of("what 1;");
    assert_string_equal(printed(f, ""),
                        "bifrons: [emerg] unknown directive \"what\" in command line\n"
                        "command line:1:1\nwhat 1;\n^\n");
}

static void of_a_long_line_only_a_part_is_shown(void **state)
{
    struct fake *f = *state;
    char text[1200];

    memset(text, ' ', 1000);
    snprintf(text + 1000, sizeof(text) - 1000, "oops; # %0150d", 7);
    const char *got = printed(f, text);

    assert_non_null(strstr(got, "/etc/b.conf:1:1001\n...   "));
    const char *line = strstr(got, "\n...") + 1, *caret = strchr(line, '\n') + 1;
    assert_true(strchr(caret, '^') - caret == strstr(line, "oops") - line);
    assert_true(strlen(line) < 400);
}

static void a_file_is_loaded_through_the_source(void **state)
{
    static const struct fake_file files[] = { { "/etc/users", "anna" }, {} };
    struct fake *f = *state;

    f->source.files = files;
    fake_build(f, "load users;");
    assert_true(conf_is_good(f->conf));
    assert_true(span_is(((struct span *)conf_top(f->conf)->settings[0])[1], "anna"));
}

static void a_source_may_say_why_in_words(void **state)
{
    struct fake *f = *state;

    fake_build(f, "load key;");
    assert_string_equal(fake_said(f),
                        "1:6 cannot load certificate key \"/etc/key\": no key is in it\n");
}

static void a_long_word_is_told_whole(void **state)
{
    struct fake *f = *state;
    char text[4100];

    memset(text, 'x', 4000);
    memcpy(text + 4000, ";", 2);
    fake_build(f, text);
    assert_int_equal(conf_messages(f->conf)->text.len, strlen("unknown directive \"\"") + 4000);
}

static const struct {
    const char *word, *want;
} near[] = {
    { "proxy_pas", "proxy_pass" },
    { "proxy_apss", "proxy_pass" },
    { "porxy_pass", "proxy_pass" },
    { "PROXY_PASS", "proxy_pass" },
    { "proxypass", "proxy_pass" },
    { "server_nmae", "server_name" },
    { "sever", "server" },
    { "servr", "server" },
    { "rot", "root" },
    { "roto", "root" },
    { "fi", NULL },
    { "x", NULL },
    { "", NULL },
    { "lua_code", NULL },
    { "boot_it", NULL },
    { "deyn", "deny" },
    { "access_lgo", "access_log" },
};

static void the_nearest_name_is_found(void **state)
{
    static const char *const known[] = { "if",    "root", "deny",       "server",     "server_name",
                                         "allow", "set",  "proxy_pass", "access_log", "location" };
    struct span names[COUNT(known)];

    (void)state;
    for (size_t i = 0; i < COUNT(known); i++)
        names[i] = span_of(known[i]);
    for (size_t i = 0; i < COUNT(near); i++) {
        struct span got = conf_nearest(span_of(near[i].word), names, COUNT(names));

        if (!span_same(got, span_of(near[i].want)))
            fail_msg("%s: got \"%.*s\"", near[i].word, (int)got.len, got.at);
    }
    assert_int_equal(conf_nearest(span_of("root"), NULL, 0).len, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_case_keeps_its_promise),        TEST(an_error_of_no_place_is_one_line),
        TEST(the_command_line_has_no_line),        TEST(of_a_long_line_only_a_part_is_shown),
        TEST(a_file_is_loaded_through_the_source), TEST(a_source_may_say_why_in_words),
        TEST(a_long_word_is_told_whole),           cmocka_unit_test(the_nearest_name_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
