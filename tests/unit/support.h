/* What tests of the upper floors share: a worker on the fake loop, with settings that came the only
 * way there is, through a bundle; an exchange to be asked step by step; and clients that speak over
 * the fake loop.
 *
 *     stage_open -> stage_load(text) -> stage_exchange ...          -> stage_close
 *                                    -> stage_serve -> stage_ask ... -> */
#ifndef TESTS_UNIT_SUPPORT_H
#define TESTS_UNIT_SUPPORT_H

#include "base/address.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "base/errlog.h"
#include "base/errlog_file.h"
#include "base/hash.h"
#include "base/pattern.h"
#include "base/span.h"
#include "exchange/client.h"
#include "exchange/core.h"
#include "exchange/exchange.h"
#include "exchange/generation.h"
#include "exchange/listener.h"
#include "exchange/module.h"
#include "exchange/nobody.h"
#include "exchange/phase.h"
#include "exchange/run.h"
#include "exchange/template.h"
#include "exchange/worker.h"
#include "fetch/upstream/pool.h"
#include "log/sink.h"
#include "net/loop.h"
#include "net/loop_fake.h"
#include "net/timer.h"
#include "proto/h1.h"
#include "run/bundle.h"
#include "run/generation_build.h"
#include "run/module_list.h"
#include "serve/h1.h"
#include "serve/serve.h"
#include "unit/base/unit.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* A test on a stage of its own. */
#define STAGED(test) cmocka_unit_test_setup_teardown(test, stage_open, stage_close)

enum { STAGE_START_MS = 100000, STAGE_FIRST_FD = 700, STAGE_TEXT = 1 << 20 };

struct stage {
    struct worker worker;
    struct loop loop;
    struct errlog log;
    struct errlog_file log_file;
    struct client client; /* nobody: of stage_exchange */
    struct exchange *x;
    struct buf said;
    char *text; /* what stage_log and stage_ask return */
    bool serving;
};

static inline int stage_open(void **state)
{
    struct stage *s = calloc(1, sizeof(*s));
    struct worker *w = &s->worker;

    s->log_file.to.fd = memfd_create("log", MFD_CLOEXEC);
    s->log = (struct errlog){ .file = &s->log_file, .level = LEVEL_INFO };
    s->text = malloc(STAGE_TEXT);
    buf_init(&s->said, STAGE_TEXT, NULL);
    *w = (struct worker){ .loop = &s->loop, .log = &s->log, .shared.token = "0a1b2c3d" };
    w->budget.max = SIZE_MAX / 2;
    w->hash_key = hash_key_new();
    link_init(&w->tunnels);
    assert_int_equal(loop_init_fake(&s->loop, 1000, &w->budget, STAGE_START_MS), 0);
    sinks_start(w);
    pools_start(w);
    s->client.ops = &nobody_ops;
    *state = s;
    return 0;
}

static inline void stage_end_exchange(struct stage *s)
{
    if (s->x != NULL)
        exchange_end(s->x, IO_OK);
    s->x = NULL;
}

static inline void stage_is_idle(struct worker *w)
{
    (void)w;
}

static inline int stage_close(void **state)
{
    struct stage *s = *state;
    struct worker *w = &s->worker;

    stage_end_exchange(s);
    if (s->serving)
        serve_drain(w, stage_is_idle);
    pools_drain(w);
    fake_run(&s->loop, loop_now(&s->loop) + 1000000);
    pools_drain(w);
    fake_run(&s->loop, loop_now(&s->loop) + 1000);
    bool clean = w->live_exchanges == 0 && w->live_connections == 0 &&
                 w->upstream_connections == 0 && s->loop.fibers.live == 0 &&
                 s->loop.blocks.live == 0;
    if (!clean)
        print_error(
            "left: %u exchanges, %u connections, %u upstream connections, %u fibers, %u blocks\n",
            w->live_exchanges, w->live_connections, w->upstream_connections, s->loop.fibers.live,
            s->loop.blocks.live);
    generation_unref(&w->generation);
    exchange_pool_free(w);
    serve_free(w);
    pools_free(w);
    pattern_room_free(&w->pattern_room);
    sinks_free(w);
    loop_done(&s->loop);
    buf_done(&s->said);
    close(s->log_file.to.fd);
    free(s->text);
    free(s);
    return clean ? 0 : -1;
}

/* Builds and makes it the newest. What was said, errors and warnings; "" if nothing. */
static inline const char *stage_load(struct stage *s, const char *text)
{
    struct bundle_request request = { .file = SPAN("/etc/test.conf"),
                                      .text = span_of(text),
                                      .prefix = SPAN("/proc/nonexistent/") };

    buf_clear(&s->said);
    int bundle = bundle_build(&request, &s->said);
    if (bundle >= 0) {
        struct generation *g = generation_build(bundle, &s->said);

        assert_non_null(g);
        close(bundle);
        generation_swap(&s->worker, g, NULL);
    }
    buf_add_byte(&s->said, '\0');
    assert_true(buf_ok(&s->said));
    return s->said.data;
}

/* The same inside `server { listen 80; access_log off; ... }`: must be good. */
static inline void stage_server(struct stage *s, const char *lines)
{
    size_t size = strlen(lines) + 200;
    char *text = malloc(size);

    snprintf(text, size, "access_log off;\nserver {\nlisten 80;\nserver_name a.example;\n%s\n}\n",
             lines);
    assert_string_equal(stage_load(s, text), "");
    free(text);
}

static inline struct listener *stage_listener(const struct stage *s, unsigned i)
{
    assert_true(i < s->worker.generation->listeners.len);
    return ((struct listener **)s->worker.generation->listeners.items)[i];
}

/* An exchange of a client at 192.0.2.7 on the first listener; its head is taken, and nothing
 * decided. */
static inline struct exchange *stage_exchange(struct stage *s, const char *head)
{
    static const struct h1_limits limits = { 1 << 20, 1 << 20, 1000 };
    struct h1_request request;
    enum h1_fault fault;
    const char *why = NULL;
    size_t taken;

    stage_end_exchange(s);
    struct exchange *x = s->x = exchange_new(&s->worker, &s->client);
    x->listener = stage_listener(s, 0);
    x->server = x->listener->fallback;
    exchange_enter(x, x->server);
    assert_true(address_parse(span_of("192.0.2.7:40000"), 0, &x->client_address));
    x->local_address = x->listener->address;
    fields_init(&x->request.fields, &x->arena, NULL, 0);
    struct span bytes = arena_copy(&x->arena, span_of(head));
    assert_int_equal(h1_request_parse(bytes, &limits, &x->request.fields, &request, &taken, &fault),
                     PARSE_OK);
    x->request.line = span_first(bytes, span_find(bytes, '\r'));
    x->request.received = taken;
    if (!request_take(x, &request, &why))
        assert_int_not_equal(x->response.status, 0);
    return x;
}

/* `GET path` of host a.example. */
static inline struct exchange *stage_get(struct stage *s, const char *path)
{
    size_t size = strlen(path) + 100;
    char *head = malloc(size);

    snprintf(head, size, "GET %s HTTP/1.1\r\nHost: a.example\r\n\r\n", path);
    struct exchange *x = stage_exchange(s, head);
    free(head);
    return x;
}

/* Runs the hooks up to and with `last`, or until one has answered. */
static inline enum verdict stage_phases(struct exchange *x, enum phase last)
{
    const struct generation *g = x->generation;

    for (enum phase phase = PHASE_POST_READ; phase <= last; phase++) {
        for (unsigned i = 0; i < g->index.hook_count[phase] && !x->redirected; i++) {
            const struct hook_entry *e = &g->index.hooks[phase][i];
            enum verdict verdict = e->hook->run(x, settings_in(x->block, e->module));

            if (verdict == ANSWER || verdict == REFUSE)
                return verdict;
        }
    }
    return NEXT;
}

/* The first field of that name in the answer; "-": none. */
static inline const char *stage_answer(struct exchange *x, const char *name)
{
    const struct field *f = fields_find_name(&x->response.fields, span_of(name));

    return f != NULL ? arena_cstr(&x->arena, f->value) : "-";
}

/* A variable; "-": unset. */
static inline const char *stage_variable(struct exchange *x, const char *name)
{
    struct span value;

    return variable_value(x, span_of(name), &value) ? arena_cstr(&x->arena, value) : "-";
}

static inline void stage_on_time(struct timer *t)
{
    (void)t;
}

/* So much time passes, also when nothing is to happen in it (up to two ticks more). */
static inline void stage_pass(struct stage *s, uint64_t ms)
{
    struct timer t = { .on_time = stage_on_time };
    uint64_t until = loop_now(&s->loop) + ms;

    timer_set(&s->loop.wheel, &t, until);
    fake_run(&s->loop, until + 2 * TIMER_TICK_MS);
    assert_false(timer_is_set(&t));
}

/* All of the error log so far. */
static inline const char *stage_log(struct stage *s)
{
    ssize_t n = pread(s->log_file.to.fd, s->text, STAGE_TEXT - 1, 0);

    s->text[n > 0 ? n : 0] = '\0';
    return s->text;
}

/* --- over the loop -------------------------------------------------------------------------- */

static inline void stage_serve(struct stage *s)
{
    struct serve_socket sockets[16];
    unsigned count = s->worker.generation->listeners.len;

    for (unsigned i = 0; i < count; i++)
        sockets[i] = (struct serve_socket){ STAGE_FIRST_FD + (int)i, i, i };
    assert_int_equal(serve_start(&s->worker), 0);
    assert_int_equal(serve_listen(&s->worker, sockets, count), 0);
    s->serving = true;
}

static inline struct fake_peer *stage_connect(struct stage *s)
{
    struct address from;

    assert_true(address_parse(span_of("192.0.2.7:40000"), 0, &from));
    return fake_connect(&s->loop, STAGE_FIRST_FD, &from);
}

/* What has come back to the client so far. */
static inline const char *stage_received(struct stage *s, const struct fake_peer *p)
{
    struct span got = fake_received(p);

    assert_true(got.len < STAGE_TEXT);
    if (got.len > 0)
        memcpy(s->text, got.at, got.len);
    s->text[got.len] = '\0';
    return s->text;
}

/* A client sends these bytes on a connection of its own; all that it gets within a second. */
static inline const char *stage_ask(struct stage *s, const char *bytes)
{
    struct fake_peer *p = stage_connect(s);

    fake_send(p, span_of(bytes));
    fake_run(&s->loop, loop_now(&s->loop) + 1000);
    const char *got = stage_received(s, p);
    fake_send_eof(p);
    fake_run(&s->loop, loop_now(&s->loop) + 1000);
    return got;
}

static inline void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no \"%s\" in:\n%s", part, text);
}

static inline void assert_has_not(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        fail_msg("\"%s\" in:\n%s", part, text);
}

#endif
