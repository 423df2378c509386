/* `bifrons explain`: one exchange whose client is not there.
 *
 *     words -> bundle -> generation -> listener -> rehearsal -> table or JSON
 *
 * The worker has no socket, no log and no name server; an access log that would be written is not
 * opened. What is read of the disk: the configuration, and the files that the request leads to. */
#include "run/explain.h"

#include "base/budget.h"
#include "base/cursor.h"
#include "base/errlog.h"
#include "base/hash.h"
#include "base/link.h"
#include "base/pattern.h"
#include "conf/settings.h"
#include "exchange/client.h"
#include "exchange/exchange.h"
#include "exchange/generation.h"
#include "exchange/listener.h"
#include "exchange/nobody.h"
#include "exchange/run.h"
#include "exchange/trace.h"
#include "exchange/worker.h"
#include "fetch/upstream/pool.h"
#include "net/conn.h"
#include "net/fiber.h"
#include "net/io.h"
#include "net/loop.h"
#include "net/offload.h"
#include "proto/fields.h"
#include "proto/h1.h"
#include "run/bundle.h"
#include "run/generation_build.h"
#include "run/own_addresses.h"
#include "run/paths.h"
#include "serve/h1.h"
#include "serve/serve.h"
#include "tls/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LONGEST_OUTPUT = 64 << 20, LONGEST_HEAD = 2 << 20, MOST_FIBERS = 1024 };

static const struct place nowhere;

struct rehearsal {
    struct client client;
    struct client_ops ops;
    struct worker worker;
    struct loop loop;
    struct errlog log; /* nowhere */
    struct conn conn;  /* never opened: says that TLS is there */
    struct layer tls;
    struct question *question;
    const struct listener *listener;
    struct trace trace;
    struct buf head, out;
    struct span folder;
};

static struct rehearsal *rehearsal_of(const struct client *c)
{
    return CONTAINER((struct client *)(uintptr_t)c, struct rehearsal, client);
}

/* --- the client that is not there ----------------------------------------------------------- */

static void preset(struct exchange *x, unsigned status, const char *why)
{
    x->response.status = (uint16_t)status;
    x->keep_alive = false;
    trace_say(x, DECIDED_TARGET, REFUSE, nowhere, "%.*s", (int)x->request.target.len,
              x->request.target.len > 0 ? x->request.target.at : "");
    trace_why(x, "%s", why);
}

/* As serve/h1_read.c does it for bytes that come. */
static enum io read_typed(struct client *c)
{
    struct rehearsal *r = rehearsal_of(c);
    struct exchange *x = c->x;
    struct h1_limits limits = h1_limits_of(x->core);
    struct h1_request head = { .minor = 1 };
    enum h1_fault fault = H1_HEAD_TOO_LONG;
    struct span bytes = buf_view(&r->head);
    const char *why = NULL;
    size_t taken = 0;

    fields_init(&x->request.fields, &x->arena, NULL, 0);
    x->request.line = span_first(bytes, span_find(bytes, '\r'));
    if (h1_request_parse(bytes, &limits, &x->request.fields, &head, &taken, &fault) != PARSE_OK) {
        x->request.method = head.method;
        x->request.target = head.target;
        x->request.fields.count = 0;
        preset(x, h1_fault_status(fault), h1_fault_text(fault));
        return IO_OK;
    }
    x->request.received = taken;
    if (!request_take(x, &head, &why))
        preset(x, x->response.status, why);
    else if (x->listener->ssl && !r->question->way.secure)
        preset(x, 497, "client sent plain HTTP request to HTTPS port");
    return IO_OK;
}

static void tls_info(const struct layer *l, struct conn_info *ret)
{
    const struct rehearsal *r = CONTAINER((struct layer *)(uintptr_t)l, struct rehearsal, tls);

    *ret = (struct conn_info){ .encrypted = true,
                               .protocol = SPAN("TLSv1.3"),
                               .server_name = r->question->host };
}

static const struct transport tls_of_nobody = { .info = tls_info };

static const struct conn *conn_of_nobody(const struct client *c)
{
    const struct rehearsal *r = rehearsal_of(c);

    return r->question->way.secure ? &r->conn : NULL;
}

static void make_client(struct rehearsal *r)
{
    r->ops = nobody_ops;
    r->ops.read_head = read_typed;
    r->ops.conn = conn_of_nobody;
    r->client.ops = &r->ops;
    r->tls = (struct layer){ .ops = &tls_of_nobody };
    r->conn.top = &r->tls;
}

/* --- the listener --------------------------------------------------------------------------- */

static bool is_wildcard(const struct address *a)
{
    static const uint8_t zero[16];

    return memcmp(a->ip, zero, sizeof(zero)) == 0;
}

/* How well it fits an address with a port: 2 itself, 1 as a wildcard, 0 not. */
static int fit_of(const struct listener *l, const struct address *to)
{
    if (address_same(&l->address, to))
        return 2;
    return is_wildcard(&l->address) && l->address.port == to->port &&
           (l->address.family == to->family || !l->ipv6only);
}

static uint16_t port_asked(const struct question *q)
{
    return q->port != 0 ? q->port : q->way.secure ? 443 : 80;
}

/* 0: not to be taken. By the address that is said to be connected to, else by the URL: a literal
 * address in it is one. */
static int rank_of(const struct listener *l, const struct question *q)
{
    struct address to = q->to;

    if (l->forward != q->way.forward)
        return 0;
    if (to.family != AF_UNSPEC)
        return fit_of(l, &to);
    if (q->way.forward)
        return 1;
    if (address_parse_ip(q->host, &to)) {
        to.port = port_asked(q);
        int fit = fit_of(l, &to);
        if (fit > 0)
            return 1 + fit;
    }
    return l->address.port == port_asked(q);
}

static const struct listener *best_listener(const struct generation *g, const struct question *q)
{
    struct listener *const *all = g->listeners.items;
    const struct listener *best = NULL;

    for (uint32_t i = 0; i < g->listeners.len; i++)
        if (rank_of(all[i], q) > (best != NULL ? rank_of(best, q) : 0))
            best = all[i];
    for (uint32_t i = 0; i < g->listeners.len && best == NULL; i++)
        if (q->to.family == AF_UNSPEC && q->port == 0 && !all[i]->forward && !q->way.forward &&
            all[i]->ssl == q->way.secure)
            best = all[i]; /* the URL names no port: the first one that speaks its scheme */
    return best;
}

static bool complain_of_listener(const struct rehearsal *r, const struct generation *g)
{
    const struct question *q = r->question;
    struct listener *const *all = g->listeners.items;
    const char *before = "; there are ";

    fprintf(stderr, "bifrons: explain: no %s listens there", q->way.forward ? "forward" : "server");
    for (uint32_t i = 0; i < g->listeners.len; i++) {
        if (all[i]->forward != q->way.forward)
            continue;
        fprintf(stderr, "%s%.*s%s", before, (int)all[i]->text.len, all[i]->text.at,
                all[i]->ssl ? " ssl" : "");
        before = ", ";
    }
    fputc('\n', stderr);
    return false;
}

static bool choose_listener(struct rehearsal *r, const struct generation *g)
{
    r->listener = best_listener(g, r->question);
    if (r->listener == NULL)
        return complain_of_listener(r, g);
    if (r->question->way.secure && !r->listener->ssl) {
        fprintf(stderr, "bifrons: explain: %.*s speaks no TLS\n", (int)r->listener->text.len,
                r->listener->text.at);
        return false;
    }
    return true;
}

static const char *why_listener(const struct rehearsal *r)
{
    const struct question *q = r->question;

    if (q->to.family != AF_UNSPEC)
        return "by --to";
    if (q->way.forward)
        return "the first of a forward block";
    return rank_of(r->listener, q) > 0 ? "by address and port of the URL"
                                       : "the URL names no port: the first of its scheme";
}

static struct address local_address(const struct rehearsal *r)
{
    struct address local = r->question->to, host;

    if (local.family != AF_UNSPEC)
        return local;
    local = r->listener->address;
    if (!is_wildcard(&local))
        return local;
    if (!address_parse_ip(r->question->host, &host))
        address_parse_ip(span_of(local.family == AF_INET6 ? "::1" : "127.0.0.1"), &host);
    host.port = local.port;
    return host;
}

/* --- the rehearsal -------------------------------------------------------------------------- */

static void tell_answer(struct exchange *x)
{
    const struct field *location = fields_find(&x->response.fields, FIELD_LOCATION);
    const struct field *type = fields_find(&x->response.fields, FIELD_CONTENT_TYPE);
    unsigned status = x->response.status;

    if (status == 0) {
        trace_say(x, DECIDED_ANSWER, NEXT, nowhere, "not known");
        trace_why(x, "%s",
                  x->request.method_id == METHOD_CONNECT ? "200 once the tunnel stands"
                  : exchange_is_forward(x)               ? "what the origin says"
                                                         : "what the upstream says");
        return;
    }
    trace_say(x, DECIDED_ANSWER, status < 400 ? ANSWER : REFUSE, nowhere, "%u %s", status,
              status_reason(status));
    if (x->source == NULL)
        trace_why(x, "nothing is sent: the connection is closed");
    else if (location != NULL)
        trace_why(x, "Location: %.*s", (int)location->value.len, location->value.at);
    else if (type != NULL)
        trace_why(x, "%.*s", (int)type->value.len, type->value.at);
}

static void begin(struct rehearsal *r, struct exchange *x)
{
    const struct listener *l = r->listener;

    trace_attach(x, &r->trace);
    x->client_address = address_unmap(&r->question->client);
    x->local_address = local_address(r);
    x->requests = 1;
    x->listener = l;
    x->server = listener_first_server(
        l, r->question->way.secure ? r->question->host : (struct span){ NULL, 0 }, &r->worker);
    exchange_enter(x, x->server);
    trace_say(x, DECIDED_LISTENER, NEXT, l->place, "%.*s", (int)l->text.len, l->text.at);
    trace_why(x, "%s%s", why_listener(r), l->ssl ? ", with TLS" : "");
    if (!serve_may_come(x->generation, l, &x->client_address)) {
        trace_say(x, DECIDED_RULE, REFUSE, nowhere, "reset");
        trace_why(x, "\"deny\": the connection is reset before anything is read of it");
    }
}

static void rehearse(void *arg)
{
    struct rehearsal *r = arg;
    struct exchange *x = exchange_new(&r->worker, &r->client);

    if (x == NULL)
        abort(); /* there is no budget that could be spent */
    begin(r, x);
    exchange_rehearse(x);
    tell_answer(x);
    explain_print(x, r->question, r->folder, &r->out);
    exchange_end(x, IO_OK);
    loop_stop(&r->loop);
}

static bool start_worker(struct rehearsal *r, struct generation *g)
{
    struct worker *w = &r->worker;

    w->loop = &r->loop;
    w->log = &r->log;
    w->budget = (struct budget){ .max = SIZE_MAX / 2 };
    w->hash_key = hash_key_new();
    link_init(&w->tunnels);
    if (loop_init_epoll(&r->loop, MOST_FIBERS, &w->budget) < 0)
        return false;
    if (r->question->way.forward)
        worker_note_own_addresses(w);
    g->dns.silent.servers = true;
    g->dns.silent.forward = !r->question->wish.resolve;
    pools_start(w);
    generation_swap(w, g, NULL);
    return true;
}

static void end_worker(struct rehearsal *r)
{
    struct worker *w = &r->worker;

    offload_stop(&r->loop);
    loop_turn(&r->loop, 0);
    generation_unref(&w->generation);
    exchange_pool_free(w);
    pools_free(w);
    pattern_room_free(&w->pattern_room);
    free(w->own.at);
    loop_done(&r->loop);
}

static int perform(struct rehearsal *r, struct generation *g)
{
    struct question *q = r->question;

    if (!choose_listener(r, g) || !start_worker(r, g)) {
        generation_unref(&g);
        return 1;
    }
    trace_init(&r->trace);
    r->trace.resolves = q->wish.resolve;
    r->trace.addresses = &q->address;
    r->trace.address_count = q->address.family != AF_UNSPEC;
    make_client(r);
    buf_init(&r->head, LONGEST_HEAD, NULL);
    buf_init(&r->out, LONGEST_OUTPUT, NULL);
    question_write_head(q, &r->head);
    int failed = fiber_spawn(&r->loop.fibers, NULL, rehearse, r);
    if (failed == 0)
        failed = loop_run(&r->loop);
    struct span text = buf_view(&r->out);
    fwrite(text.at, 1, text.len, stdout);
    if (r->loop.fibers.live > 0) { /* a name server that did not answer is still being asked */
        fflush(stdout);
        _exit(0);
    }
    end_worker(r);
    trace_done(&r->trace);
    buf_done(&r->head);
    buf_done(&r->out);
    return failed < 0 || fflush(stdout) != 0;
}

static struct generation *build(const struct bundle_request *request)
{
    struct generation *g = NULL;
    struct buf messages;

    buf_init(&messages, 1 << 20, NULL);
    tls_process_init();
    int bundle = bundle_build(request, &messages);
    if (bundle >= 0) {
        buf_clear(&messages); /* warnings are for `-t` */
        g = generation_build(bundle, &messages);
        close(bundle);
    }
    struct span text = buf_view(&messages);
    if (text.len > 0)
        fwrite(text.at, 1, text.len, stderr);
    buf_done(&messages);
    return g;
}

static struct span folder_of(struct span path)
{
    while (path.len > 0 && path.at[path.len - 1] != '/')
        path.len--;
    return path;
}

int explain_main(int argc, char **argv)
{
    struct question question;
    struct arena arena;
    int code = 1;

    arena_init(&arena, 16 * 1024, NULL);
    if (question_read(argc, argv, &arena, &question)) {
        struct rehearsal *r = calloc(1, sizeof(*r));
        struct bundle_request request = paths_of(&question.options);

        if (r == NULL)
            abort();
        request.folders = FOLDERS_LEFT;
        struct generation *g = build(&request);
        r->question = &question;
        r->folder = folder_of(request.file);
        code = g != NULL ? perform(r, g) : 1;
        free(r);
    }
    question_done(&question);
    arena_done(&arena);
    return code;
}
