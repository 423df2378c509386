/* A worker as run/service.c puts it together, but on the fake loop and with logs in memory and in a
 * folder of its own. Owns all of it, and asserts at the end that nothing else was left behind. */
#include "replay.h"

#include "base/pattern.h"
#include "exchange/exchange.h"
#include "exchange/listener.h"
#include "exchange/run.h"
#include "fetch/tunnel.h"
#include "fetch/upstream/pool.h"
#include "log/sink.h"
#include "net/loop_backend.h"
#include "net/offload.h"
#include "run/bundle.h"
#include "run/generation_build.h"
#include "serve/serve.h"
#include "tls/tls.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_TEXT = 64 << 20 };

static const char preamble[] =
    "client_body_temp_path %; proxy_temp_path %; log_format replay '$status \"$request\" "
    "$request_time $upstream_addr'; access_log %/access.log replay; ";

/* --- settings --------------------------------------------------------------------------------- */

static void expand(const struct replay *r, const char *text, struct buf *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '%')
            buf_adds(out, r->folder);
        else
            buf_add_byte(out, *text);
    }
}

static struct generation *build(const struct replay *r, const char *config)
{
    struct buf text, messages, prefix;

    buf_init(&text, MOST_TEXT, NULL);
    buf_init(&messages, MOST_TEXT, NULL);
    buf_init(&prefix, 256, NULL);
    expand(r, preamble, &text);
    expand(r, config, &text);
    expand(r, "%/", &prefix);
    struct bundle_request request = { .file = span_of("replay.conf"),
                                      .text = buf_view(&text),
                                      .prefix = buf_view(&prefix),
                                      .globals = { "", 0 } };
    int bundle = bundle_build(&request, &messages);
    struct generation *g = bundle >= 0 ? generation_build(bundle, &messages) : NULL;

    if (g == NULL)
        fail_msg("%.*s", (int)messages.len, messages.data);
    close(bundle);
    buf_done(&text);
    buf_done(&messages);
    buf_done(&prefix);
    return g;
}

/* The numbers of fake descriptors are the configured ports. */
static void listen_all(struct replay *r, const struct generation *g)
{
    struct listener *const *all = g->listeners.items;
    struct serve_socket sockets[64] = {};

    for (uint32_t i = 0; i < g->listeners.len; i++) {
        uint32_t number = all[i]->socket;

        assert_true(number < COUNT(sockets));
        if (all[i]->wildcard == NULL)
            sockets[number] =
                (struct serve_socket){ all[i]->address.port, number, all[i]->address.port };
        if (all[i]->socket >= r->listeners)
            r->listeners = all[i]->socket + 1;
    }
    assert_int_equal(serve_listen(&r->worker, sockets, r->listeners), 0);
}

static void on_waited(struct timer *t)
{
    (void)t; /* it only moves the clock */
}

static void start_worker(struct replay *r)
{
    struct worker *w = &r->worker;

    w->loop = &r->loop;
    w->log = &r->log;
    w->budget = (struct budget){ .max = SIZE_MAX / 2 };
    w->hash_key = hash_key_new();
    link_init(&w->tunnels);
    memcpy(w->shared.token, "01234567", sizeof("01234567"));
    assert_int_equal(loop_init_fake(&r->loop, 1000, &w->budget, START), 0);
    sinks_start(w);
    pools_start(w);
    assert_int_equal(serve_start(w), 0);
}

struct replay *replay_new(const char *config)
{
    struct replay *r = calloc(1, sizeof(*r));

    assert_non_null(r);
    tls_process_init();
    strcpy(r->folder, "/tmp/bifrons-replay-XXXXXX");
    assert_non_null(mkdtemp(r->folder));
    arena_init(&r->scratch, 4096, NULL);
    r->log_file.to.fd = memfd_create("errors", MFD_CLOEXEC);
    r->log = (struct errlog){ .file = &r->log_file, .level = LEVEL_INFO };
    r->waiting.on_time = on_waited;
    start_worker(r);
    struct generation *g = build(r, config);
    generation_swap(&r->worker, g, NULL);
    listen_all(r, g);
    replay_settle(r);
    return r;
}

void replay_reload(struct replay *r, const char *config)
{
    generation_swap(&r->worker, build(r, config), NULL);
}

void replay_file(struct replay *r, const char *name, struct span bytes)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", r->folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, bytes.at, bytes.len), bytes.len);
    static const struct timespec always[2] = { { .tv_sec = 1600000000 }, { .tv_sec = 1600000000 } };
    assert_int_equal(futimens(fd, always), 0); /* the same ETag in every run */
    close(fd);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void on_idle(struct worker *w)
{
    (void)w;
}

static void assert_nothing_is_left(const struct replay *r)
{
    const struct worker *w = &r->worker;

    assert_int_equal(r->loop.open_socks, 0);
    assert_int_equal(r->loop.fibers.live, 0);
    assert_int_equal(r->loop.wheel.count, 0);
    assert_int_equal(w->live_exchanges, 0);
    assert_int_equal(w->live_connections, 0);
    assert_int_equal(w->live_tunnels, 0);
    assert_int_equal(w->spooled, 0);
    assert_int_equal(w->pooled_connections, 0);
    assert_int_equal(w->upstream_connections, 0);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

static void free_backends(struct replay *r)
{
    while (r->backends != NULL) {
        struct backend *dead = r->backends;
        r->backends = dead->next;
        free(dead);
    }
}

void replay_free(struct replay *r)
{
    struct worker *w = &r->worker;

    if (!r->draining)
        serve_drain(w, on_idle);
    r->draining = true;
    replay_run(r);
    pools_drain(w);
    replay_run(r);
    assert_nothing_is_left(r);
    assert_int_equal(w->generation->refs, 1);
    generation_unref(&w->generation);
    replay_run(r);
    exchange_pool_free(w);
    serve_free(w);
    pools_free(w);
    pattern_room_free(&w->pattern_room);
    sinks_free(w);
    assert_int_equal(r->loop.blocks.live, 0);
    offload_stop(&r->loop);
    loop_done(&r->loop);
    assert_int_equal(w->budget.used, 0);
    assert_string_equal(replay_errors(r, LEVEL_EMERG), "");
    assert_string_equal(replay_errors(r, LEVEL_ALERT), "");
    close(r->log_file.to.fd);
    nftw(r->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free_backends(r);
    arena_done(&r->scratch);
    free(r);
}

int replay_end(void **state)
{
    if (*state != NULL)
        replay_free(*state);
    return 0;
}

/* --- time ------------------------------------------------------------------------------------- */

void replay_settle(struct replay *r)
{
    fake_run(&r->loop, 0);
}

void replay_wait(struct replay *r, uint64_t ms)
{
    uint64_t until = loop_now(&r->loop) + ms;

    timer_set(&r->loop.wheel, &r->waiting, until);
    fake_run(&r->loop, until);
}

void replay_run(struct replay *r)
{
    fake_run(&r->loop, TIMER_NEVER - 1);
}

void replay_turn(struct replay *r)
{
    loop_turn(&r->loop, 0);
}

uint64_t replay_now(const struct replay *r)
{
    return loop_now(&r->loop) - START;
}

unsigned replay_open(const struct replay *r)
{
    unsigned listeners = r->draining ? 0 : r->listeners;

    return r->loop.open_socks - listeners + r->loop.fibers.live + (unsigned)r->loop.wheel.count;
}

/* --- logs ------------------------------------------------------------------------------------- */

static struct span read_all(struct replay *r, int fd)
{
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    char *text = arena_zalloc(&r->scratch, (size_t)st.st_size + 1);
    assert_int_equal(pread(fd, text, (size_t)st.st_size, 0), st.st_size);
    return (struct span){ text, (size_t)st.st_size };
}

const char *replay_log(struct replay *r)
{
    return replay_logged(r, "access.log");
}

const char *replay_logged(struct replay *r, const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", r->folder, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    const char *text = read_all(r, fd).at;
    close(fd);
    return text;
}

const char *replay_errors(struct replay *r, enum level level)
{
    struct span left = read_all(r, r->log_file.to.fd), line;
    char mark[32];
    struct buf found;

    snprintf(mark, sizeof(mark), " [%s] ", level_name(level));
    buf_init(&found, MOST_TEXT, NULL);
    while (span_cut(left, '\n', &line, &left)) {
        const char *at = memmem(line.at, line.len, mark, strlen(mark));

        if (at == NULL)
            continue;
        line = span_from(line, (size_t)(at - line.at) + strlen(mark));
        size_t colon = span_find(line, ':'); /* behind PID#TID */
        buf_add(&found, span_from(line, colon + 2));
        buf_add_byte(&found, '\n');
    }
    const char *text = arena_cstr(&r->scratch, buf_view(&found));
    buf_done(&found);
    return text;
}

unsigned replay_error_count(struct replay *r, enum level level)
{
    const char *text = replay_errors(r, level);
    unsigned count = 0;

    for (; *text != '\0'; text++)
        count += *text == '\n';
    return count;
}

void assert_closed_after(struct replay *r, unsigned c, uint64_t ms)
{
    replay_wait(r, ms - TICK);
    if (fake_is_closed(r->clients[c]))
        fail_msg("closed before its time: %s", client_got(r, c));
    replay_wait(r, 3 * TICK);
    if (!fake_is_closed(r->clients[c]))
        fail_msg("not closed at its time: %s", client_got(r, c));
}
