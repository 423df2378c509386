/* filter/sub_filter: texts found in every delivery, as a model that sees all at once finds them. */
#include "filter/sub_filter.h"

#include "filter/sub_stream.h"
#include "filter/substitution.h"
#include "unit/filter/scripted.h"
#include "unit/support.h"

enum { MOST_TEXTS = 4, MOST_BODY = 400 };

/* --- the model ------------------------------------------------------------------------------ */

struct pair {
    const char *text, *by;
};

static bool begins(const char *at, const char *text)
{
    return strncasecmp(at, text, strlen(text)) == 0;
}

/* The leftmost; of two in one place the earlier in the list. */
static void replace_all(const char *body, const struct pair *pairs, size_t count, bool once,
                        struct buf *out)
{
    bool done[MOST_TEXTS] = { false };

    while (*body != '\0') {
        size_t i = 0;

        while (i < count && (done[i] || !begins(body, pairs[i].text)))
            i++;
        if (i == count) {
            buf_add_byte(out, *body++);
            continue;
        }
        buf_adds(out, pairs[i].by);
        body += strlen(pairs[i].text);
        done[i] = once;
    }
}

/* --- ours ----------------------------------------------------------------------------------- */

static struct replacements replacements_of(struct exchange *x, const struct pair *pairs,
                                           size_t count, bool once)
{
    struct replacements r = { .count = count, .once = once };

    r.texts = arena_zalloc(&x->arena, count * sizeof(*r.texts));
    r.by_texts = arena_zalloc(&x->arena, count * sizeof(*r.by_texts));
    for (size_t i = 0; i < count; i++) {
        r.texts[i].text = span_of(pairs[i].text);
        r.by_texts[i] = (struct replacement){ .value = span_of(pairs[i].by), .made = true };
    }
    return r;
}

/* Reads all, as exchange.c's relay would. */
static void read_all(struct source *s, struct script *sc, struct buf *out)
{
    enum io io = IO_OK;
    bool last = false;

    while (io == IO_OK && !last) {
        struct part part;

        if (!s->ops->ready(s))
            sc->ready = true;
        io = s->ops->read(s, &part);
        if (io != IO_OK)
            break;
        assert_true(part.bytes.len > 0);
        buf_add(out, part.bytes);
        last = part.last;
    }
    assert_true(io == IO_EOF || last);
    s->ops->close(s);
    assert_true(sc->closed);
}

static void compare(struct stage *stage, const char *body, const struct pair *pairs, size_t count,
                    unsigned how)
{
    struct exchange *x = stage_get(stage, "/");
    bool once = how & 1;
    struct replacements r = replacements_of(x, pairs, count, once);
    struct script sc = { .source = { .ops = &script_ops, .x = x },
                         .text = span_of(body),
                         .piece = how >> 3,
                         .waits = how & 2,
                         .ready = !(how & 2),
                         .says_last = how & 4 };
    struct buf wanted, got;

    buf_init(&wanted, 1 << 20, NULL);
    buf_init(&got, 1 << 20, NULL);
    replace_all(body, pairs, count, once, &wanted);
    read_all(sub_stream_new(x, &sc.source, &r), &sc, &got);
    if (!span_same(buf_view(&wanted), buf_view(&got)))
        fail_msg("\"%s\" in pieces of %zu, %s: \"%.*s\", not \"%.*s\"", body, sc.piece,
                 once ? "once" : "all", (int)got.len, got.data, (int)wanted.len, wanted.data);
    buf_done(&wanted);
    buf_done(&got);
    assert_int_equal(stage->loop.blocks.live, 0);
}

/* Of two letters, so that beginnings of texts are everywhere. */
static const char *some_letters(char *to, size_t len, uint32_t *seed)
{
    for (size_t i = 0; i < len; i++) {
        *seed = *seed * 1103515245 + 12345;
        to[i] = "abAb"[*seed >> 16 & 3];
    }
    to[len] = '\0';
    return to;
}

static void in_a_fiber(void *arg)
{
    char body[MOST_BODY + 1], texts[MOST_TEXTS][9];
    uint32_t seed = 1;

    for (unsigned round = 0; round < 3000; round++) {
        struct pair pairs[MOST_TEXTS];
        size_t count = 1 + round % MOST_TEXTS;

        for (size_t i = 0; i < count; i++) {
            some_letters(texts[i], 1 + (seed >> 20) % 8, &seed);
            for (char *c = texts[i]; *c != '\0'; c++)
                *c = ascii_lower(*c);
            pairs[i] = (struct pair){ texts[i], i % 2 ? "" : "<x>" };
        }
        some_letters(body, (seed >> 20) % MOST_BODY, &seed);
        compare(arg, body, pairs, count, (seed >> 16 & 7) | (1 + (seed >> 20) % 20) << 3);
    }
}

static void every_delivery_is_searched_as_one_text(void **state)
{
    struct stage *s = *state;

    stage_server(s, "location / { }");
    assert_int_equal(fiber_spawn(&s->loop.fibers, NULL, in_a_fiber, s), 0);
    fake_run(&s->loop, loop_now(&s->loop) + 1000);
    assert_int_equal(s->loop.fibers.live, 0);
}

static void long_fiber(void *arg)
{
    enum { LEN = 100000, AT = 3 * BLOCK_SIZE - 2 };
    static char body[LEN + 1];
    static const struct pair pairs[] = { { "needle", "pin" }, { "hay!", "" } };

    memset(body, 'h', LEN);
    memcpy(body + AT, "nEEdle", 6);
    memcpy(body + LEN - 3, "hay", 3);
    for (unsigned piece = 1; piece < 5; piece++)
        compare(arg, body, pairs, 2, (piece * 16384 + piece) << 3);
}

static void a_text_across_the_window_is_found(void **state)
{
    struct stage *s = *state;

    stage_server(s, "location / { }");
    assert_int_equal(fiber_spawn(&s->loop.fibers, NULL, long_fiber, s), 0);
    fake_run(&s->loop, loop_now(&s->loop) + 1000);
    assert_int_equal(s->loop.fibers.live, 0);
}

/* --- over the whole trip -------------------------------------------------------------------- */

#define ASK "GET /?a=Two HTTP/1.0\r\nHost: a\r\nConnection: close\r\n\r\n"
#define HTML "default_type text/html; "

static const struct {
    const char *lines, *body, *field;
} answers[] = {
    { HTML "sub_filter one 1;", "1 two ONE three one", NULL },
    { HTML "sub_filter one 1; sub_filter_once off;", "1 two 1 three 1", NULL },
    { HTML "sub_filter ONE 1; sub_filter one 2;", "1 two 2 three one", NULL },
    { HTML "sub_filter one $host; sub_filter $arg_a '$request_method';", "a GET ONE three one",
      NULL },
    { HTML "sub_filter $arg_none x;", "one two ONE three one", "Content-Length: 21" },
    { "default_type text/plain; sub_filter one 1;", "one two ONE three one", "Content-Length: 21" },
    { "default_type text/plain; sub_filter_types text/plain; sub_filter one 1;",
      "1 two ONE three one", "\r\n\r\n1 two" },
    { "default_type a/b; sub_filter_types *; sub_filter one 1;", "1 two ONE three one", NULL },
    /* who knows what those bytes are */
    { HTML "sub_filter one 1; add_header Content-Encoding br;", "one two ONE three one",
      "Content-Length: 21" },
};

static void answers_are_changed_where_the_rows_say_so(void **state)
{
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct stage *s = *state;
        char lines[400];

        snprintf(lines, sizeof(lines), "location / { %s return 200 \"one two ONE three one\"; }",
                 answers[i].lines);
        stage_server(s, lines);
        if (!s->serving)
            stage_serve(s);
        const char *got = stage_ask(s, ASK);
        if (strstr(got, answers[i].body) == NULL ||
            (answers[i].field != NULL && strstr(got, answers[i].field) == NULL))
            fail_msg("%s:\n%s", answers[i].lines, got);
    }
}

static const struct {
    const char *line, *said;
} mistakes[] = {
    { "sub_filter '' x;", "empty search pattern" },
    { "sub_filter a;", "invalid number of arguments" },
    { "sub_filter $nothing x;", "unknown \"nothing\" variable" },
    { "sub_filter_once maybe;", "invalid value \"maybe\"" },
    { "sub_filter_types text/html;", "duplicate MIME type \"text/html\"" },
};

static void mistakes_are_said_in_nginx_words(void **state)
{
    for (size_t i = 0; i < COUNT(mistakes); i++) {
        char text[300];

        snprintf(text, sizeof(text), "server { listen 80; %s }", mistakes[i].line);
        assert_has(stage_load(*state, text), mistakes[i].said);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(every_delivery_is_searched_as_one_text),
        STAGED(a_text_across_the_window_is_found),
        STAGED(answers_are_changed_where_the_rows_say_so),
        STAGED(mistakes_are_said_in_nginx_words),
    };

    return cmocka_run_group_tests_name("sub_filter", tests, NULL, NULL);
}
