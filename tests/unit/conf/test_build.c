/* From the tree to the settings: which row, what is inherited, in which order all happens. */
#include "conf/types.h"

#include "conf/directive.h"
#include "conf/tree.h"
#include "unit/conf/fake.h"

/* --- two modules --------------------------------------------------------------------------- */

struct values {
    bool flag;               /* WHOLE, default off */
    uint64_t number;         /* WHOLE, default 5 */
    struct conf_list words;  /* of struct span; WHOLE, two directives */
    struct conf_list lines;  /* of struct span; LIST */
    struct span handler;     /* INTO_IF */
    uint64_t own;            /* NONE, default 7 */
    struct placed_path path; /* WHOLE, root or alias */
    unsigned merged;         /* how often merge ran on the way here */
    unsigned checks;
};

struct blocks {
    struct conf_list inner; /* of struct conf_block * */
    uint64_t plain;         /* WHOLE */
};

/* What the modules saw, in order. */
static struct buf seen;

static bool add_word(struct conf_call *call, void *field)
{
    for (unsigned i = 1; i < conf_count(call); i++) {
        struct span word = conf_word(call, i);

        if (span_is(word, "bad"))
            return conf_refuse(call, i, "invalid value \"bad\"");
        if (!conf_list_add(call, field, &word, sizeof(word)))
            return false;
    }
    return true;
}

static bool add_block(struct conf_call *call, void *field)
{
    buf_adds(&seen, "+");
    buf_add(&seen, conf_word(call, 0));
    buf_add(&seen, conf_word(call, 1));
    buf_adds(&seen, " ");
    assert_non_null(call->inner);
    assert_ptr_equal(call->inner->parent, call->block);
    return conf_list_add(call, field, &call->inner, sizeof(call->inner));
}

static bool read_raw(struct conf_call *call, void *field)
{
    uint64_t count = 0;

    for (const struct conf_node *n = call->node->first; n != NULL; n = n->next)
        count += n->count;
    *(uint64_t *)field = count;
    return true;
}

static bool say_no(struct conf_call *call, void *field)
{
    (void)call;
    (void)field;
    return false;
}

static const struct conf_type word_list = { .set = add_word,
                                            .size = sizeof(struct conf_list),
                                            .many = true };
static const struct conf_type block_list = { .set = add_block,
                                             .size = sizeof(struct conf_list),
                                             .many = true };
static const struct conf_type one_block = { .set = add_block, .size = sizeof(struct conf_list) };
static const struct conf_type raw_count = { .set = read_raw, .size = sizeof(uint64_t) };
static const struct conf_type no = { .set = say_no };

enum {
    ALL = CTX_MAIN | CTX_HTTP | CTX_SERVER | CTX_LOCATION | CTX_IF,
    WORDS = offsetof(struct values, words),
    PATH = offsetof(struct values, path)
};

static const struct directive value_rows[] = {
    { "flag", ALL, 1, 1, &conf_flag, offsetof(struct values, flag), NULL, WHOLE, "", 0, NULL },
    { "number", ALL, 1, 1, &conf_number, offsetof(struct values, number), "5", WHOLE, "", 0, NULL },
    { "allow", ALL, 1, ANY_ARGS, &word_list, WORDS, NULL, WHOLE, "", 0, NULL },
    { "deny", ALL, 1, ANY_ARGS, &word_list, WORDS, "all", WHOLE, "", 0, NULL },
    { "line", ALL, 1, 1, &word_list, offsetof(struct values, lines), NULL, LIST, "", 0, NULL },
    { "handler", ALL, 1, 1, &conf_text, offsetof(struct values, handler), NULL, INTO_IF, "", 0,
      NULL },
    { "own", ALL, 1, 1, &conf_number, offsetof(struct values, own), "7", NONE, "", 0, NULL },
    { "root", ALL, 1, 1, &conf_path, PATH, "html", WHOLE, "", 0, NULL },
    { "alias", CTX_LOCATION, 1, 1, &conf_path, PATH, NULL, WHOLE, "", 0, NULL },
    { "no", ALL, 0, 0, &no, 0, NULL, NONE, "", 0, NULL },
    { "multi_accept", CTX_MAIN, 1, 1, &conf_nothing, 0, NULL, NONE, "", 0, NULL },
    { "tcp_nopush", ALL, 1, 1, &conf_nothing, 0, NULL, NONE, "", 0, NULL },
    {},
};

static void merge_values(void *child, const void *parent)
{
    ((struct values *)child)->merged = ((const struct values *)parent)->merged + 1;
}

static bool check_values(struct conf *conf, struct conf_block *block, void *settings)
{
    struct values *v = settings;

    buf_addf(&seen, "check%u ", block->place.line);
    v->checks++;
    if (v->number == 13)
        return conf_complain(conf, block->place, "thirteen");
    return v->number != 14;
}

static const struct directive block_rows[] = {
    { "http", CTX_MAIN, 0, 0, &one_block, 0, NULL, NONE, "", CTX_HTTP, NULL },
    { "server", CTX_HTTP, 0, 0, &block_list, 0, NULL, WHOLE, "", CTX_SERVER, NULL },
    { "server", CTX_UPSTREAM, 1, 1, &conf_number, offsetof(struct blocks, plain), NULL, NONE, "", 0,
      NULL },
    { "upstream", CTX_HTTP, 1, 1, &block_list, 0, NULL, NONE, "", CTX_UPSTREAM, NULL },
    { "location", CTX_SERVER | CTX_LOCATION, 1, 2, &block_list, 0, NULL, NONE, "", CTX_LOCATION,
      NULL },
    { "if", CTX_LOCATION, 1, 1, &block_list, 0, NULL, NONE, "", CTX_IF, NULL },
    { "raw", ALL, 0, 0, &raw_count, offsetof(struct blocks, plain), NULL, WHOLE, "", CTX_RAW,
      NULL },
    {},
};

static const struct conf_module modules[] = {
    { "values", value_rows, sizeof(struct values), merge_values, check_values },
    { "blocks", block_rows, sizeof(struct blocks), NULL, NULL },
};

static const char *const later[] = { "perl", NULL };

/* --- help ---------------------------------------------------------------------------------- */

static int setup(void **state)
{
    static struct fake f;

    fake_init(&f, modules, COUNT(modules));
    f.input.later = later;
    buf_init(&seen, 1 << 20, NULL);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fake_done(*state);
    buf_done(&seen);
    return 0;
}

static struct values *values_of(const struct conf_block *b)
{
    return b->settings[0];
}

static struct conf_block *inner(const struct conf_block *b, unsigned i)
{
    struct blocks *own = b->settings[1];

    assert_true(i < own->inner.len);
    return ((struct conf_block **)own->inner.items)[i];
}

static void good(struct fake *f, const char *text)
{
    fake_build(f, text);
    if (!conf_is_good(f->conf))
        fail_msg("%s", fake_said(f));
}

static void list_is(const struct conf_list *list, const char *want)
{
    char text[256] = "";
    size_t len = 0;

    for (size_t i = 0; i < list->len; i++) {
        struct span word = ((struct span *)list->items)[i];

        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s", i > 0 ? " " : "",
                                (int)word.len, word.at);
    }
    assert_string_equal(text, want);
}

/* --- promises ------------------------------------------------------------------------------- */

static void what_nobody_sets_has_its_default(void **state)
{
    struct fake *f = *state;

    good(f, "");
    struct values *v = values_of(conf_top(f->conf));
    assert_false(v->flag);
    assert_int_equal(v->number, 5);
    assert_int_equal(v->own, 7);
    list_is(&v->words, "all"); /* the second of the rows that share the field has one */
    assert_true(span_is(v->path.path, "/prefix/html"));
    assert_int_equal(v->merged, 0);
    assert_int_equal(v->lines.len, 0);
}

static void what_is_set_is_not_the_default(void **state)
{
    struct fake *f = *state;

    good(f, "number 0; allow 1; own 0; root /x;");
    struct values *v = values_of(conf_top(f->conf));
    assert_int_equal(v->number, 0);
    assert_int_equal(v->own, 0);
    list_is(&v->words, "1");
    assert_true(span_is(v->path.path, "/x"));
}

static void each_kind_of_row_goes_inward_in_its_way(void **state)
{
    struct fake *f = *state;

    good(f, "number 1; line a; allow x; own 1; handler h; server { number 2; line b; line c; "
            "location / { flag on; if q { flag off; } location /x { line d; deny y; } } }");
    struct conf_block *server = inner(conf_top(f->conf), 0), *location = inner(server, 0);
    struct conf_block *in_if = inner(location, 0), *nested = inner(location, 1);

    assert_int_equal(values_of(server)->number, 2);
    list_is(&values_of(server)->lines, "a b c");
    list_is(&values_of(server)->words, "x");
    assert_int_equal(values_of(server)->own, 7);
    assert_int_equal(values_of(server)->handler.len, 0);
    assert_int_equal(values_of(location)->number, 2);
    assert_true(values_of(location)->flag);
    list_is(&values_of(location)->lines, "a b c");
    list_is(&values_of(nested)->lines, "a b c d");
    list_is(&values_of(nested)->words, "y");
    assert_true(values_of(nested)->flag);
    assert_false(values_of(in_if)->flag);
    list_is(&values_of(conf_top(f->conf))->lines, "a");
}

static void only_an_if_inherits_a_handler(void **state)
{
    struct fake *f = *state;

    good(f, "server { location / { handler h; own 9; if a { flag on; } if b { } "
            "location /x { flag on; } "
            "location /y { } } }");
    struct conf_block *location = inner(inner(conf_top(f->conf), 0), 0);

    assert_true(span_is(values_of(inner(location, 0))->handler, "h"));
    assert_true(span_is(values_of(inner(location, 1))->handler, "h"));
    assert_int_equal(values_of(inner(location, 0))->own, 7);
    assert_int_equal(values_of(inner(location, 1))->own, 7);
    assert_int_equal(values_of(inner(location, 2))->handler.len, 0);
    assert_int_equal(values_of(inner(location, 3))->handler.len, 0);
}

static void settings_are_shared_where_nothing_is_set(void **state)
{
    struct fake *f = *state;

    good(f, "number 1; server { } server { number 2; location /a { } "
            "location /b { own 3; location /c { } "
            "location /d { } } }");
    struct conf_block *top = conf_top(f->conf), *b = inner(inner(top, 1), 1);

    assert_ptr_equal(values_of(inner(top, 0)), values_of(top));
    assert_ptr_not_equal(values_of(inner(top, 1)), values_of(top));
    assert_ptr_equal(values_of(inner(inner(top, 1), 0)), values_of(inner(top, 1)));
    assert_ptr_not_equal(values_of(b), values_of(inner(b, 0)));       /* own 3 stays outside ... */
    assert_ptr_equal(values_of(inner(b, 0)), values_of(inner(b, 1))); /* ... for both alike */
    assert_int_equal(values_of(inner(b, 0))->own, 7);
    assert_int_equal(values_of(inner(b, 0))->number, 2);
}

static void blocks_inside_do_not_see_their_siblings(void **state)
{
    struct fake *f = *state;

    good(f, "server { } server { location / { } location /b { } }");
    struct conf_block *top = conf_top(f->conf), *server = inner(top, 1);

    assert_int_equal(((struct blocks *)top->settings[1])->inner.len, 2);
    assert_int_equal(((struct blocks *)inner(top, 0)->settings[1])->inner.len, 0);
    assert_int_equal(((struct blocks *)server->settings[1])->inner.len, 2);
    assert_int_equal(((struct blocks *)inner(server, 1)->settings[1])->inner.len, 0);
}

static void http_may_stand_around_it_all_or_be_left_out(void **state)
{
    struct fake *f = *state;

    good(f, "number 3; http { flag on; server { } }");
    struct conf_block *http = inner(conf_top(f->conf), 0);

    assert_int_equal(http->context, CTX_HTTP);
    assert_int_equal(conf_top(f->conf)->context, CTX_MAIN | CTX_HTTP);
    assert_int_equal(values_of(inner(http, 0))->number, 3);
    assert_true(values_of(inner(http, 0))->flag);
    assert_false(values_of(conf_top(f->conf))->flag);
    good(f, "flag on; server { }");
}

static void one_name_means_what_its_block_says(void **state)
{
    struct fake *f = *state;

    good(f, "upstream u { server 80; } server { }");
    struct conf_block *upstream = inner(conf_top(f->conf), 0);

    assert_int_equal(((struct blocks *)upstream->settings[1])->plain, 80);
    assert_int_equal(upstream->context, CTX_UPSTREAM);
}

static void a_raw_block_is_left_to_its_setter(void **state)
{
    static const struct fake_file files[] = { { "/etc/more", "no such; directives here;" }, {} };
    struct fake *f = *state;

    f->source.files = files;
    good(f, "raw { a b c; include more; d; } server { raw { } }");
    assert_int_equal(((struct blocks *)conf_top(f->conf)->settings[1])->plain, 8);
    assert_int_equal(((struct blocks *)inner(conf_top(f->conf), 0)->settings[1])->plain, 0);
}

static void the_order_is_inside_out_and_checks_come_last(void **state)
{
    struct fake *f = *state;

    good(f, "server { number 1;\nlocation /a { flag on; }\n}\nserver { }\nserver { own 2; }");
    assert_string_equal((buf_add_byte(&seen, '\0'), seen.data),
                        "+location/a +server +server +server check0 check1 check2 check5 ");
}

static void merge_runs_once_for_each_object(void **state)
{
    struct fake *f = *state;

    good(f, "server { number 1; location / { } location /a { flag on; } }");
    struct conf_block *server = inner(conf_top(f->conf), 0);

    assert_int_equal(values_of(server)->merged, 1);
    assert_int_equal(values_of(inner(server, 0))->merged, 1);
    assert_int_equal(values_of(inner(server, 1))->merged, 2);
    assert_int_equal(values_of(server)->checks, 1);
}

static void bits_say_what_stands_in_a_block(void **state)
{
    struct fake *f = *state;

    good(f, "number 1; server { root x; }");
    struct conf_block *server = inner(conf_top(f->conf), 0);

    assert_true(conf_stands(f->conf, conf_top(f->conf), "number"));
    assert_true(conf_stands(f->conf, conf_top(f->conf), "server"));
    assert_false(conf_stands(f->conf, server, "number"));
    assert_true(conf_stands(f->conf, server, "root"));
    assert_false(conf_stands(f->conf, server, "alias"));
    assert_false(conf_stands(f->conf, server, "nonsense"));
}

static void words_outlive_the_tree(void **state)
{
    struct fake *f = *state;
    char text[] = "handler h\\\"x; line \"a b\";";

    good(f, text);
    struct values *v = values_of(conf_top(f->conf));

    conf_free(&f->conf);
    memset(text, '!', sizeof(text) - 1);
    assert_true(span_is(v->handler, "h\"x"));
    list_is(&v->lines, "a b");
}

static const struct {
    const char *promise, *in, *want;
} mistakes[] = {
    { "an unknown name", "\nfoo 1;", "2:1 unknown directive \"foo\"\n" },
    { "a name that is nearly known", "nmuber 1;",
      "1:1 unknown directive \"nmuber\" [did you mean \"number\"?]\n" },
    { "include is a name too", "inlcude x;",
      "1:1 unknown directive \"inlcude\" [did you mean \"include\"?]\n" },
    { "a near name that may stand here is preferred", "server { locaton / { } }",
      "1:10 unknown directive \"locaton\" [did you mean \"location\"?]\n" },
    { "a name in the wrong block", "server {\n  server { }\n}",
      "2:3 \"server\" directive is not allowed here\n" },
    { "a name that we do not have yet", "perl on;",
      "1:1 \"perl\" directive is known, not supported yet\n" },
    { "an empty name", "\"\" a;", "1:1 unknown directive \"\"\n" },
    { "too few words", "number;", "1:1 invalid number of arguments in \"number\" directive\n" },
    { "too many words", "number 1 2;",
      "1:1 invalid number of arguments in \"number\" directive\n" },
    { "a forgotten end", "number 1\nflag on;",
      "1:1 invalid number of arguments in \"number\" directive "
      "[is a \";\" missing before \"flag\" in line 2?]\n" },
    { "a block where none belongs", "number 1 { }",
      "1:1 directive \"number\" is not terminated by \";\"\n" },
    { "no block where one belongs", "server;", "1:1 directive \"server\" has no opening \"{\"\n" },
    { "include takes one word", "include a b;",
      "1:1 invalid number of arguments in \"include\" directive\n" },
    { "include is no block", "include a { }",
      "1:1 directive \"include\" is not terminated by \";\"\n" },
    { "twice the same", "number 1;\nnumber 2;",
      "2:1 \"number\" directive is duplicate [the first stands in /etc/b.conf:1]\n" },
    { "twice the same setting", "server { location / { root a; alias b; } }",
      "1:31 \"alias\" directive is duplicate, \"root\" directive was specified earlier "
      "[the first stands in /etc/b.conf:1]\n" },
    { "twice the same block", "http { } http { }",
      "1:10 \"http\" directive is duplicate [the first stands in /etc/b.conf:1]\n" },
    { "a value", "flag yes;",
      "1:6 invalid value \"yes\" in \"flag\" directive, it must be \"on\" or \"off\"\n" },
    { "a setter without words of its own", "no;", "1:1 \"no\" directive invalid value\n" },
    { "all mistakes at once", "foo;\nnumber x;\nserver { flag; deny bad; }",
      "1:1 unknown directive \"foo\"\n2:8 \"number\" directive invalid number [expected: digits]\n"
      "3:10 invalid number of arguments in \"flag\" directive\n3:21 invalid value \"bad\"\n" },
    { "inside an unknown block nothing is said", "foo { bar; }",
      "1:1 unknown directive \"foo\"\n" },
    { "a check that complains", "server { number 13; }", "1:1 thirteen\n" },
    { "a check without words of its own", "server { number 14; }",
      "1:1 the settings of \"values\" do not fit together\n" },
    { "no checks beside other mistakes", "number 13; foo;", "1:12 unknown directive \"foo\"\n" },
    { "a value out of the default's place", "number 13;", "0:0 thirteen\n" },
    { "accepted without effect: once for each name",
      "multi_accept on; tcp_nopush on; server { tcp_nopush off; }",
      "1:1 \"multi_accept\" is accepted and has no effect\n"
      "1:18 \"tcp_nopush\" is accepted and has no effect\n" },
};

static void every_mistake_is_told(void **state)
{
    for (size_t i = 0; i < COUNT(mistakes); i++) {
        fake_build(*state, mistakes[i].in);
        if (strcmp(fake_said(*state), mistakes[i].want) != 0)
            fail_msg("%s: got %s", mistakes[i].promise, fake_said(*state));
    }
}

static void a_refused_value_leaves_the_default(void **state)
{
    struct fake *f = *state;

    fake_build(f, "number x; root a;");
    assert_false(conf_is_good(f->conf));
    assert_int_equal(values_of(conf_top(f->conf))->number, 5);
    assert_true(span_is(values_of(conf_top(f->conf))->path.path, "/prefix/a"));
}

static void warnings_are_no_errors(void **state)
{
    struct fake *f = *state;

    fake_build(f, "multi_accept on;");
    assert_true(conf_is_good(f->conf));
    assert_int_equal(conf_messages(f->conf)->severity, CONF_WARNING);
}

static void no_module_at_all_is_no_harm(void **state)
{
    struct fake *f = *state;

    f->input.modules = NULL;
    f->input.module_count = 0;
    fake_build(f, "a;");
    assert_string_equal(fake_said(f), "1:1 unknown directive \"a\"\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_nobody_sets_has_its_default),
        TEST(what_is_set_is_not_the_default),
        TEST(each_kind_of_row_goes_inward_in_its_way),
        TEST(only_an_if_inherits_a_handler),
        TEST(settings_are_shared_where_nothing_is_set),
        TEST(blocks_inside_do_not_see_their_siblings),
        TEST(http_may_stand_around_it_all_or_be_left_out),
        TEST(one_name_means_what_its_block_says),
        TEST(a_raw_block_is_left_to_its_setter),
        TEST(the_order_is_inside_out_and_checks_come_last),
        TEST(merge_runs_once_for_each_object),
        TEST(bits_say_what_stands_in_a_block),
        TEST(words_outlive_the_tree),
        TEST(every_mistake_is_told),
        TEST(a_refused_value_leaves_the_default),
        TEST(warnings_are_no_errors),
        TEST(no_module_at_all_is_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
