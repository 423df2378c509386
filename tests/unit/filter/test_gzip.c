/* filter/gzip: who gets a compressed answer, and what the compressor makes of any delivery
 * (nginx-semantics 8). */
#include "filter/gzip.h"

#include "base/link.h"
#include "filter/gzip_stream.h"
#include "unit/filter/scripted.h"
#include "unit/support.h"

#include <zlib.h>

static const struct {
    const char *list;
    bool accepted;
} lists[] = {
    { "gzip", true },
    { "GZip", true },
    { "deflate, gzip", true },
    { "gzip;q=0.001", true },
    { "gzip;q=1.000", true },
    { "gzip ; q=1", true },
    { "gzip;", true },
    { "gzip;q=1.", true },
    { "gzip;q=0", false },
    { "gzip;q=0.000", false },
    { "gzip;q=0., br", false },
    { "gzip;q=1.001", false }, /* what is malformed counts as 0 (COMP-07) */
    { "gzip;q=1.0001", false },
    { "gzip;q=2", false },
    { "gzip;q=", false },
    { "gzip;q", false },
    { "gzip;x=1", false },
    { "gzip x", false },
    { "br;q=1, gzip;q=0, gzip", false }, /* the first decides */
    { "*", false },
    { "x-gzip", false },
    { "gzipx", false },
    { "identity;q=0", false },
    { ";;;,", false },
    { "", false },
};

static void an_accept_encoding_is_read_as_the_client_means_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(lists); i++)
        if (gzip_is_accepted(span_of(lists[i].list)) != lists[i].accepted)
            fail_msg("%s", lists[i].list);
}

static const struct {
    const char *agent;
    bool old;
} agents[] = {
    { "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)", true },
    { "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)", false },
    { "Mozilla/4.0 (compatible; MSIE 5.5)", true },
    { "MSIE 4.0", true },
    { "MSIE 7.0", false },
    { "MSIE 4.", false },
    { "MSIE 6", false },
    { "MSIE", false },
    { "", false },
};

static void old_explorers_are_known_by_their_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(agents); i++)
        if (gzip_is_msie6(span_of(agents[i].agent)) != agents[i].old)
            fail_msg("%s", agents[i].agent);
}

/* --- the compressor ------------------------------------------------------------------------- */

enum { MOST_BYTES = 256 * 1024 };

/* What a client has unpacked so far. */
struct unpacked {
    z_stream zlib;
    size_t len;
    bool ended;
    char bytes[MOST_BYTES];
};

static void unpack(struct unpacked *u, struct span bytes)
{
    u->zlib.next_in = (unsigned char *)bytes.at;
    u->zlib.avail_in = (unsigned)bytes.len;
    u->zlib.next_out = (unsigned char *)u->bytes + u->len;
    u->zlib.avail_out = (unsigned)(MOST_BYTES - u->len);
    int result = inflate(&u->zlib, Z_SYNC_FLUSH);
    assert_true(result == Z_OK || result == Z_STREAM_END);
    assert_int_equal(u->zlib.avail_in, 0);
    u->len = MOST_BYTES - u->zlib.avail_out;
    u->ended = result == Z_STREAM_END;
}

/* Everything through the compressor and back, as exchange.c's relay would. */
static void there_and_back(struct exchange *x, struct script *sc, unsigned level, uint64_t length)
{
    struct unpacked *u = calloc(1, sizeof(*u));
    struct source *g = gzip_stream_new(x, &sc->source, level, length);
    enum io io = IO_OK;
    bool last = false;

    assert_non_null(g);
    assert_int_equal(inflateInit2(&u->zlib, 15 + 16), Z_OK);
    while (io == IO_OK && !last) {
        struct part part;

        if (!g->ops->ready(g)) { /* all that came has left */
            assert_int_equal(u->len, sc->at);
            assert_memory_equal(u->bytes, sc->text.at, u->len);
            sc->ready = true;
        }
        io = g->ops->read(g, &part);
        assert_false(sc->asked);
        if (io != IO_OK)
            break;
        assert_true(part.bytes.len > 0);
        unpack(u, part.bytes);
        last = part.last;
    }
    assert_true(io == IO_EOF || last);
    assert_true(u->ended);
    assert_int_equal(u->len, sc->text.len);
    assert_memory_equal(u->bytes, sc->text.at, u->len);
    inflateEnd(&u->zlib);
    free(u);
    g->ops->close(g);
    assert_true(sc->closed);
}

/* Of both kinds: what shrinks well, and what does not. */
static char *some_text(size_t size, bool noise)
{
    char *text = malloc(size + 1);
    uint32_t seed = 12345;

    for (size_t i = 0; i < size; i++) {
        seed = seed * 1103515245 + 12345;
        text[i] = noise ? (char)(seed >> 16) : "a line of text\n"[i % 15];
    }
    return text;
}

struct delivery {
    struct stage *stage;
    size_t size, piece;
};

static void run_deliveries(struct stage *s, size_t size, size_t piece)
{
    for (unsigned kind = 0; kind < 16; kind++) {
        char *text = some_text(size, kind & 1);
        struct exchange *x = stage_get(s, "/");
        size_t charged = s->worker.budget.used;
        struct script sc = { .source = { .ops = &script_ops, .x = x },
                             .text = { text, size },
                             .piece = piece,
                             .waits = kind & 2,
                             .ready = !(kind & 2),
                             .says_last = kind & 4 };

        there_and_back(x, &sc, kind & 8 ? 9 : 1, kind & 1 ? LENGTH_UNKNOWN : size);
        assert_int_equal(s->loop.blocks.live, 0);
        assert_true(s->worker.budget.used <= charged + 2 * sizeof(struct block));
        free(text);
    }
}

static void in_a_fiber(void *arg)
{
    struct delivery *d = arg;

    run_deliveries(d->stage, d->size, d->piece);
}

static void every_delivery_comes_out_as_it_went_in(void **state)
{
    static const struct delivery all[] = {
        { NULL, 0, 1 },         { NULL, 1, 1 },           { NULL, 300, 7 },
        { NULL, 5000, 100 },    { NULL, 20000, 16896 },   { NULL, 100000, 16384 },
        { NULL, 3000, 1 },      { NULL, 200000, 200000 }, { NULL, 150000, 33000 },
        { NULL, 16890, 16890 },
    };
    struct stage *s = *state;

    stage_server(s, "gzip on;");
    for (size_t i = 0; i < COUNT(all); i++) {
        struct delivery d = { s, all[i].size, all[i].piece };

        assert_int_equal(fiber_spawn(&s->loop.fibers, NULL, in_a_fiber, &d), 0);
        fake_run(&s->loop, loop_now(&s->loop) + 1000);
        assert_int_equal(s->loop.fibers.live, 0);
    }
}

static void a_short_answer_takes_little_memory(void **state)
{
    static const struct {
        uint64_t length;
        size_t most;
    } sizes[] = { { 100, 24 * 1024 }, { 4000, 72 * 1024 }, { 1 << 20, 276 * 1024 } };
    struct stage *s = *state;

    stage_server(s, "gzip on;");
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct exchange *x = stage_get(s, "/");
        struct script sc = { .source = { .ops = &script_ops, .x = x } };

        block_unref(block_get(&s->loop.blocks)); /* pooled: not counted below */
        size_t before = s->worker.budget.used;
        struct source *g = gzip_stream_new(x, &sc.source, 1, sizes[i].length);
        size_t took = s->worker.budget.used - before;
        if (took > sizes[i].most)
            fail_msg("%llu bytes took %zu", (unsigned long long)sizes[i].length, took);
        g->ops->close(g);
    }
}

/* --- over the whole trip -------------------------------------------------------------------- */

#define ASK "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAccept-Encoding: gzip\r\n"
#define LONG "0123456789 0123456789 0123456789"

static void an_answer_without_memory_for_zlib_leaves_as_it_is(void **state)
{
    struct stage *s = *state;

    stage_server(s, "gzip on; gzip_vary on; default_type text/html; return 200 \"" LONG "\";");
    stage_serve(s);
    assert_has(stage_ask(s, ASK "\r\n"), "Content-Encoding: gzip\r\n");
    bool plain = false; /* COMP-11: the one refusal of many that meets zlib */
    for (size_t n = 1; n < 40 && !plain; n++) {
        s->worker.budget.refuse_in = n;
        const char *got = stage_ask(s, ASK "\r\n");

        plain = strstr(got, "Content-Encoding") == NULL &&
                strstr(got, "HTTP/1.1 200 OK\r\n") != NULL &&
                strstr(got, "Vary: Accept-Encoding\r\n") != NULL &&
                strstr(got, "\r\n\r\n" LONG) != NULL;
    }
    assert_true(plain);
    s->worker.budget.refuse_in = 0;
}

static const struct {
    const char *lines, *fields;
    bool packed, varies;
} decisions[] = {
    { "", "", true, true },
    { "gzip off;", "", false, false },
    { "gzip_vary off;", "", true, false },
    { "gzip_min_length 33;", "", false, false },
    { "gzip_min_length 32;", "", true, true },
    { "default_type text/plain;", "", false, false },
    { "default_type text/plain; gzip_types a/b TEXT/plain;", "", true, true },
    { "default_type text/plain; gzip_types *;", "", true, true },
    { "default_type 'text/html; charset=x';", "", true, true },
    { "add_header Cache-Control no-transform;", "", false, false }, /* COMP-06 */
    { "add_header Content-Encoding br;", "", false, false },
    { "add_header Content-Range 'bytes 0-1/2';", "", false, false },
    { "", "Via: 1.1 x\r\n", false, true },
    { "gzip_proxied any;", "Via: 1.1 x\r\n", true, true },
    { "gzip_proxied auth;", "Via: 1.1 x\r\n", true, true },
    { "gzip_proxied auth; add_header Cache-Control public;", "Via: 1.1 x\r\n", false, true },
    { "gzip_proxied private; add_header Cache-Control private;", "Via: 1.1 x\r\n", true, true },
    { "gzip_disable msie6;", "User-Agent: MSIE 6.0\r\n", false, true },
    { "gzip_disable msie6;", "User-Agent: MSIE 7.0\r\n", true, true },
    { "", "User-Agent: MSIE 6.0\r\n", true, true },
    { "gzip_disable 'old[ /]browser';", "User-Agent: An Old/Browser 5\r\n", false, true },
    { "gzip_disable ^browser msie6 x$;", "User-Agent: Old browser x\r\n", false, true },
    { "gzip_disable ^browser msie6 x$;", "User-Agent: Old browser\r\n", true, true },
    { "gzip_disable .*;", "", true, true },
};

static void each_condition_decides_for_itself(void **state)
{
    for (size_t i = 0; i < COUNT(decisions); i++) {
        struct stage *s = *state;
        char lines[500], request[500];

        snprintf(lines, sizeof(lines), "%s%s%slocation / { %s return 200 \"%s\"; }",
                 strstr(decisions[i].lines, "gzip off") ? "" : "gzip on; ",
                 strstr(decisions[i].lines, "vary") ? "" : "gzip_vary on; ",
                 strstr(decisions[i].lines, "default_type") ? "" : "default_type text/html; ",
                 decisions[i].lines, LONG);
        stage_server(s, lines);
        if (!s->serving)
            stage_serve(s);
        snprintf(request, sizeof(request), ASK "%s\r\n", decisions[i].fields);
        const char *got = stage_ask(s, request);
        bool packed = strstr(got, "Content-Encoding: gzip\r\n") != NULL;
        if (packed != decisions[i].packed ||
            (strstr(got, "Vary: Accept-Encoding\r\n") != NULL) != decisions[i].varies)
            fail_msg("%s %s:\n%s", decisions[i].lines, decisions[i].fields, got);
        assert_true(packed == (strstr(got, LONG) == NULL));
        assert_true(packed == (strstr(got, "Content-Length") == NULL)); /* COMP-08 */
    }
}

static const struct {
    const char *line, *said;
} mistakes[] = {
    { "gzip_comp_level 0;", "value must be between 1 and 9" },
    { "gzip_comp_level 10;", "value must be between 1 and 9" },
    { "gzip_proxied sometimes;", "invalid value \"sometimes\"" },
    { "gzip_proxied any any;", "duplicate value \"any\"" },
    { "gzip_http_version 2;", "invalid value \"2\"" },
    { "gzip_types text/html;", "duplicate MIME type \"text/html\"" },
    { "gzip_disable \"MSIE [1-6\";",
      "pcre2_compile() failed: missing terminating ] for character " },
    { "gzip_buffers 4 8k;", "\"gzip_buffers\" is accepted and has no effect" },
};

static void mistakes_are_said_in_nginx_words(void **state)
{
    for (size_t i = 0; i < COUNT(mistakes); i++) {
        char text[300];

        snprintf(text, sizeof(text), "server { listen 80; %s }", mistakes[i].line);
        assert_has(stage_load(*state, text), mistakes[i].said);
    }
}

static void the_ratio_is_known_to_logs(void **state)
{
    struct stage *s = *state;
    struct exchange *x;

    stage_server(s, "gzip on;");
    x = stage_get(s, "/");
    assert_string_equal(stage_variable(x, "gzip_ratio"), "-");
    char *text = some_text(15000, false);
    struct script sc = { .source = { .ops = &script_ops, .x = x },
                         .text = { text, 15000 },
                         .piece = 15000,
                         .ready = true };
    struct source *g = gzip_stream_new(x, &sc.source, 1, LENGTH_UNKNOWN);
    struct part part;
    assert_int_equal(g->ops->read(g, &part), IO_OK);
    char want[32];
    uint64_t hundredths = (15000ull * 1000 / part.bytes.len + 5) / 10;
    snprintf(want, sizeof(want), "%u.%02u", (unsigned)(hundredths / 100),
             (unsigned)(hundredths % 100));
    assert_string_equal(stage_variable(x, "gzip_ratio"), want);
    g->ops->close(g);
    free(text);
}

#define ROW(promise, function)                           \
    {                                                    \
        promise, function, stage_open, stage_close, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_accept_encoding_is_read_as_the_client_means_it),
        cmocka_unit_test(old_explorers_are_known_by_their_names),
        STAGED(every_delivery_comes_out_as_it_went_in),
        STAGED(a_short_answer_takes_little_memory),
        ROW("COMP-11-an-answer-without-memory-for-zlib-leaves-as-it-is",
            an_answer_without_memory_for_zlib_leaves_as_it_is),
        STAGED(each_condition_decides_for_itself),
        STAGED(mistakes_are_said_in_nginx_words),
        STAGED(the_ratio_is_known_to_logs),
    };

    return cmocka_run_group_tests_name("gzip", tests, NULL, NULL);
}
