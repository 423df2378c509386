/* The words of the language, as nginx-semantics 1.1 has them. */
#include "conf/lexer.h"

#include "base/arena.h"
#include "base/buf.h"
#include "conf/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct conf_word room[MOST_WORDS];

struct bench {
    struct arena arena;
    struct buf out;
    struct lexer lexer;
};

static void begin(struct bench *b, struct span text)
{
    *b = (struct bench){};
    arena_init(&b->arena, 4096, NULL);
    buf_init(&b->out, 1 << 20, NULL);
    lexer_init(&b->lexer, text, 0, 1);
    b->lexer.words = room;
    b->lexer.arena = &b->arena;
}

static void end(struct bench *b)
{
    arena_done(&b->arena);
    buf_done(&b->out);
}

/* `[word][word];` ... with what ends them; a fault: `!LINE:COLUMN TEXT!`. */
static void dump(struct bench *b)
{
    static const char ends[] = {
        [LEXED_LINE] = ';', [LEXED_OPEN] = '{', [LEXED_CLOSE] = '}', [LEXED_END] = '.'
    };

    for (;;) {
        enum lexed lexed = lexer_next(&b->lexer);

        if (lexed == LEXED_BAD) {
            const struct lexer_fault *f = &b->lexer.fault;

            buf_addf(&b->out, "!%u:%u %s!", f->place.line, f->place.column, f->text);
            if (f->at_end || lexer_resync(&b->lexer) == '\0')
                break;
            continue;
        }
        for (unsigned i = 0; i < b->lexer.count; i++) {
            buf_adds(&b->out, room[i].quoted ? "<" : "[");
            buf_add(&b->out, room[i].text);
            buf_adds(&b->out, room[i].quoted ? ">" : "]");
        }
        buf_add_byte(&b->out, ends[lexed]);
        if (lexed == LEXED_END)
            break;
    }
    buf_add_byte(&b->out, '\0');
}

static const struct {
    const char *promise, *in, *want;
} cases[] = {
    { "nothing is nothing", "", "." },
    { "white space of all four kinds", " \t\r\n", "." },
    { "words end at spaces and at the end", "a b\tc\r\nd;", "[a][b][c][d];." },
    { "an end needs no space", "a;b;", "[a];[b];." },
    { "a block opens after a word", "a{b;}", "[a]{[b];}." },
    { "a bracket is ordinary behind a dollar", "a ${x}y;", "[a][${x}y];." },
    { "also two of them", "a ${{;", "[a][${{];." },
    { "also at a word's start", "${x} b;", "[${x}][b];." },
    { "a closing bracket is ordinary in a word", "root /x}y;", "[root][/x}y];." },
    { "a bracket after a word opens a block", "a x{2} b;}", "[a][x]{[2}][b];}." },
    { "a comment goes to the end of the line", "a # b; c\n d; # e", "[a][d];." },
    { "a hash in a word is ordinary", "a b#c;", "[a][b#c];." },
    { "both quotes", "a \"b c\" 'd \"e\"';", "[a]<b c><d \"e\">;." },
    { "a quote in a word is ordinary", "a b\"c;", "[a][b\"c];." },
    { "quoted words hold everything", "a \"b;{}#\n$\";", "[a]<b;{}#\n$>;." },
    { "an empty word", "a \"\" '';", "[a]<><>;." },
    { "a whole setting in quotes", "rule deny \"message=two words\";",
      "[rule][deny]<message=two words>;." },
    { "a bracket may follow a quote", "if ($a = \"b\") {", "[if][($a][=]<b>[)]{." },
    { "a block may follow a quote", "a \"b\"{", "[a]<b>{." },
    { "escapes that lose the backslash", "a \\\"b \\'c \\\\d;", "[a][\"b]['c][\\d];." },
    { "escapes that become control bytes", "a b\\tc\\rd\\ne;", "[a][b\tc\rd\ne];." },
    { "other escapes keep both bytes", "a ~\\.\\d\\$;", "[a][~\\.\\d\\$];." },
    { "an escaped space is in the word", "a b\\ c;", "[a][b\\ c];." },
    { "an escaped end is in the word", "a b\\;c;", "[a][b\\;c];." },
    { "an escaped quote does not end", "a \"b\\\"c\";", "[a]<b\"c>;." },
    { "an escaped backslash before the quote", "a \"b\\\\\";", "[a]<b\\>;." },
    { "an escaped bracket", "a x\\{2\\};", "[a][x\\{2\\}];." },
    { "a byte order mark is skipped",
      "\xEF\xBB\xBF"
      "a;",
      "[a];." },
    { "bytes above ASCII are letters", "\xC3\xA4 \xFF;", "[\xC3\xA4][\xFF];." },
    { "an end without words", "a;\n ;b;", "[a];!2:2 unexpected \";\"![b];." },
    { "a block without words", "{", "!1:1 unexpected \"{\"!." },
    { "a closing bracket after words", "a b }", "!1:5 unexpected \"}\"!}." },
    { "a letter behind a quote", "a \"b\"c;d;", "!1:6 unexpected \"c\"![d];." },
    { "a comment behind a quote", "a \"b\"#;d;", "!1:6 unexpected \"#\"![d];." },
    { "the text ends in a line", "a b", "!1:4 unexpected end of file, expecting \";\" or \"}\"!" },
    { "the text ends behind a word", "a b \n",
      "!2:1 unexpected end of file, expecting \";\" or \"}\"!" },
    { "the text ends in a quote", "a 'b;",
      "!1:6 unexpected end of file, expecting \";\" or \"}\"!" },
    { "the text ends in an escape", "a \\",
      "!1:4 unexpected end of file, expecting \";\" or \"}\"!" },
};

static void every_case_keeps_its_promise(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bench b;

        begin(&b, span_of(cases[i].in));
        dump(&b);
        if (!buf_ok(&b.out) || strcmp(b.out.data, cases[i].want) != 0)
            fail_msg("%s: got %s", cases[i].promise, b.out.data);
        end(&b);
    }
}

/* `a`, a space, a quote if wanted, `len` times x, the end. */
static char *long_word(size_t len, const char *quote)
{
    char *text = malloc(len + 16);

    assert_non_null(text);
    int head = snprintf(text, 16, "a %s", quote);
    memset(text + head, 'x', len);
    snprintf(text + head + len, 8, "%s;b;", quote);
    return text;
}

static void a_word_has_at_most_4096_bytes(void **state)
{
    static const char *const quotes[] = { "", "\"", "'" };
    static const char *const faults[] = {
        "too long parameter \"xxxxxxxxxx...\" started",
        "too long parameter, probably missing terminating \"\"\" character",
        "too long parameter, probably missing terminating \"'\" character",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(quotes); i++) {
        char *fits = long_word(LONGEST_WORD, quotes[i]),
             *not = long_word(LONGEST_WORD + 1, quotes[i]);
        struct bench b;

        begin(&b, span_of(fits));
        assert_int_equal(lexer_next(&b.lexer), LEXED_LINE);
        assert_int_equal(room[1].text.len, LONGEST_WORD);
        end(&b);

        begin(&b, span_of(not ));
        assert_int_equal(lexer_next(&b.lexer), LEXED_BAD);
        assert_string_equal(b.lexer.fault.text, faults[i]);
        assert_int_equal(b.lexer.fault.place.line, 1);
        assert_int_equal(b.lexer.fault.place.column, 3);
        assert_int_equal(lexer_resync(&b.lexer), ';');
        assert_int_equal(lexer_next(&b.lexer), LEXED_LINE);
        end(&b);
        free(fits);
        free(not );
    }
}

static void a_line_has_at_most_4096_words(void **state)
{
    static char text[2 * MOST_WORDS + 8];
    struct bench b;

    (void)state;
    for (size_t i = 0; i < MOST_WORDS; i++)
        snprintf(text + 2 * i, 3, "a ");
    snprintf(text + sizeof(text) - 8, 3, ";b");
    begin(&b, (struct span){ text, 2 * MOST_WORDS + 1 });
    assert_int_equal(lexer_next(&b.lexer), LEXED_LINE);
    assert_int_equal(b.lexer.count, MOST_WORDS);
    end(&b);

    snprintf(text + 2 * MOST_WORDS, 6, "a;b;");
    begin(&b, (struct span){ text, 2 * MOST_WORDS + 4 });
    assert_int_equal(lexer_next(&b.lexer), LEXED_BAD);
    assert_string_equal(b.lexer.fault.text, "too many words in a directive, at most 4096");
    assert_int_equal(lexer_resync(&b.lexer), ';');
    assert_int_equal(lexer_next(&b.lexer), LEXED_LINE);
    end(&b);
}

static void a_word_knows_its_place_and_how_it_stood(void **state)
{
    struct bench b;

    (void)state;
    begin(&b, span_of("# x\n\n\ta 'b\nc'\n  \"d\\\"\";"));
    assert_int_equal(lexer_next(&b.lexer), LEXED_LINE);
    assert_int_equal(b.lexer.count, 3);
    assert_int_equal(room[0].place.line, 3);
    assert_int_equal(room[0].place.column, 2);
    assert_int_equal(room[1].place.line, 3);
    assert_int_equal(room[1].place.column, 4);
    assert_int_equal(room[2].place.line, 5);
    assert_int_equal(room[2].place.column, 3);
    assert_true(span_is(room[1].raw, "'b\nc'"));
    assert_true(span_is(room[2].raw, "\"d\\\"\""));
    assert_true(span_is(room[2].text, "d\""));
    end(&b);
}

static void comments_are_kept_with_the_line_they_belong_to(void **state)
{
    struct bench b;

    (void)state;
    begin(&b, span_of("# far\n\n# one\n  # two\r\na # in\n b; # behind\n# next\nc;"));
    assert_int_equal(lexer_next(&b.lexer), LEXED_LINE);
    assert_true(span_is(b.lexer.comments.above, "# one\n  # two"));
    assert_true(span_is(b.lexer.comments.within, "# in"));
    assert_int_equal(b.lexer.comments.after.len, 0);
    assert_int_equal(lexer_next(&b.lexer), LEXED_LINE);
    assert_true(span_is(b.lexer.comments.after, "# behind"));
    assert_true(span_is(b.lexer.comments.above, "# next"));
    end(&b);
}

static void a_comment_that_stands_apart_belongs_to_nobody(void **state)
{
    struct bench b;

    (void)state;
    begin(&b, span_of("# far\n\na;"));
    assert_int_equal(lexer_next(&b.lexer), LEXED_LINE);
    assert_int_equal(b.lexer.comments.above.len, 0);
    end(&b);
}

static void every_prefix_of_a_text_ends_without_harm(void **state)
{
    struct span text = span_of("# c\na \"b\\\"\" ${x} { c 'd\n' \\; e\\\n; } f#;");

    (void)state;
    for (size_t len = 0; len <= text.len; len++) {
        char *exact = malloc(len > 0 ? len : 1); /* so that a read past the end is seen */
        struct bench b;

        assert_non_null(exact);
        memcpy(exact, text.at, len);
        begin(&b, (struct span){ exact, len });
        dump(&b);
        end(&b);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_keeps_its_promise),
        cmocka_unit_test(a_word_has_at_most_4096_bytes),
        cmocka_unit_test(a_line_has_at_most_4096_words),
        cmocka_unit_test(a_word_knows_its_place_and_how_it_stood),
        cmocka_unit_test(comments_are_kept_with_the_line_they_belong_to),
        cmocka_unit_test(a_comment_that_stands_apart_belongs_to_nobody),
        cmocka_unit_test(every_prefix_of_a_text_ends_without_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
