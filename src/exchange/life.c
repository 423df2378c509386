/* How an exchange comes into being, keeps notes, changes its source, and says what it decided.
 *
 *     exchange_new    from the worker's pool, else from the heap
 *     ... exchange_run and its phases (exchange.c) ...
 *     exchange_end    back into the pool, chained by `source`; the arena keeps its first chunk
 *
 * Ways back into the phases, and what is left of the answer so far:
 *
 *     exchange_search          the location anew     there was none yet; an error's status stays
 *     exchange_restart, _at    the server's rewrites, then the location     dropped
 *     exchange_restart_named   in the location @name                        dropped
 */
#include "base/budget.h"
#include "base/buf.h"
#include "base/charged.h"
#include "base/errlog.h"
#include "conf/settings.h"
#include "exchange/body.h"
#include "exchange/client.h"
#include "exchange/core.h"
#include "exchange/destination.h"
#include "exchange/exchange.h"
#include "exchange/generation.h"
#include "exchange/module.h"
#include "exchange/phase.h"
#include "exchange/run.h"
#include "exchange/source.h"
#include "exchange/trace.h"
#include "exchange/turn.h"
#include "net/fiber.h"
#include "net/io.h"
#include "net/loop.h"
#include "proto/fields.h"
#include "proto/framing.h"
#include "proto/uri.h"

#include <stdlib.h>

enum { ARENA_CHUNK = 8192 };

void worker_say_spent(struct worker *w, uint64_t connection, const char *so)
{
    uint64_t now = loop_now(w->loop);

    if (w->short_of_memory != 0 && now - w->short_of_memory < 1000)
        return;
    w->short_of_memory = now;
    errlog_write(w->log, LEVEL_CRIT, connection, 0, "memory budget spent: %s", so);
}

struct exchange *exchange_new(struct worker *w, struct client *client)
{
    struct exchange *x = w->idle_exchanges;

    if (budget_spent(&w->budget))
        return NULL;
    if (x != NULL) {
        w->idle_exchanges = (struct exchange *)x->source;
        x->source = NULL;
    } else {
        x = charged_new(sizeof(*x), &w->budget);
        if (x == NULL)
            return NULL;
        arena_init(&x->arena, ARENA_CHUNK, &w->budget);
    }
    x->worker = w;
    x->client = client;
    x->generation = generation_ref(w->generation);
    x->started = loop_now(w->loop);
    x->response.length = LENGTH_UNKNOWN;
    x->response.last_modified = -1;
    x->response.fields.arena = &x->arena;
    x->request.fields.arena = &x->arena;
    client->x = x;
    w->live_exchanges++;
    w->exchanges++;
    return x;
}

void exchange_pool_free(struct worker *w)
{
    while (w->idle_exchanges != NULL) {
        struct exchange *dead = w->idle_exchanges;

        w->idle_exchanges = (struct exchange *)dead->source;
        arena_done(&dead->arena);
        charged_free(dead, sizeof(*dead), &w->budget);
    }
}

void exchange_enter(struct exchange *x, const struct conf_block *block)
{
    x->block = block;
    x->core = core_of(block);
}

void exchange_source(struct exchange *x, struct source *s)
{
    struct source *before = x->source;

    x->source = NULL;
    if (before != NULL)
        before->ops->close(before);
    x->source = s;
}

void destination_print(const struct destination *d, uint16_t port_left_out, struct buf *out)
{
    bool brackets = d->literal.family == AF_INET6 && span_find(d->host, ':') < d->host.len;

    buf_adds(out, brackets ? "[" : "");
    buf_add(out, d->host);
    buf_adds(out, brackets ? "]" : "");
    if (d->port != port_left_out)
        buf_addf(out, ":%u", d->port);
}

void *exchange_note(const struct exchange *x, const void *key)
{
    for (const struct note *n = x->notes; n != NULL; n = n->next)
        if (n->key == key)
            return n->value;
    return NULL;
}

void exchange_keep(struct exchange *x, const void *key, void *value)
{
    for (struct note *n = x->notes; n != NULL; n = n->next) {
        if (n->key == key) {
            n->value = value;
            return;
        }
    }
    struct note *n = arena_alloc(&x->arena, sizeof(*n));
    *n = (struct note){ x->notes, key, value };
    x->notes = n;
}

bool exchange_may_dial(void *arg, const struct address *candidate)
{
    struct exchange *x = arg;
    const struct generation *g = x->generation;

    for (unsigned i = 0; i < g->index.hook_count[PHASE_DIAL]; i++) {
        const struct hook_entry *entry = &g->index.hooks[PHASE_DIAL][i];

        if (entry->hook->on_candidate(x, candidate, settings_in(x->block, entry->module)) == REFUSE)
            return false;
    }
    return true;
}

/* The source is asked by its fault what to tell its peer's counters: it goes first. */
static void give_up_answer(struct exchange *x)
{
    struct response *r = &x->response;

    exchange_source(x, NULL);
    x->fault = FAULT_NONE;
    r->given = 0;
    r->reason = (struct span){ NULL, 0 };
    r->fields.count = 0;
    r->accept_ranges = r->own_location = false;
    r->length = LENGTH_UNKNOWN;
    r->last_modified = -1;
}

static void restart(struct exchange *x, enum restart from, const struct conf_block *block)
{
    give_up_answer(x);
    x->redirected = from;
    exchange_enter(x, block);
}

void exchange_rewrite(struct exchange *x, struct span uri, struct span args)
{
    x->request.uri = uri;
    x->request.args = args;
    x->request.raw_path = (struct span){ NULL, 0 };
}

enum verdict exchange_search(struct exchange *x)
{
    x->redirected = RESTART_LOCATION; /* nothing was answered yet; the status of an error stays */
    exchange_enter(x, x->server);
    return NEXT;
}

enum verdict exchange_restart(struct exchange *x, struct span uri, struct span args)
{
    exchange_rewrite(x, uri, args);
    x->request.path_use = PATH_IN_LOCATION;
    restart(x, RESTART_SERVER, x->server);
    return NEXT;
}

bool exchange_restart_at(struct exchange *x, struct span where)
{
    struct span path = where, args = { NULL, 0 };

    span_cut(where, '?', &path, &args);
    if (path_has_dots(path))
        return false;
    exchange_restart(x, path, args);
    return true;
}

void exchange_forget_body(struct exchange *x)
{
    if (x->body != NULL)
        body_done(x->body);
    x->body = NULL;
    x->request.framing = BODY_NONE;
}

void exchange_become_get(struct exchange *x)
{
    if (x->request.method_id != METHOD_HEAD && x->request.method_id != METHOD_GET)
        fields_remove(&x->request.fields, FIELD_UPGRADE); /* what follows is a body, no protocol */
    if (x->request.method_id != METHOD_HEAD) {
        x->request.method_id = METHOD_GET;
        x->request.method = span_of("GET");
    }
    exchange_forget_body(x);
}

bool exchange_restart_as_get(struct exchange *x, struct span where)
{
    if (!exchange_restart_at(x, where))
        return false;
    exchange_become_get(x);
    return true;
}

bool exchange_restart_named(struct exchange *x, struct span name)
{
    const struct named_location *all = x->generation->named.items;

    for (uint32_t i = 0; i < x->generation->named.len; i++) {
        if (all[i].server != x->server || !span_same(all[i].name, name))
            continue;
        restart(x, RESTART_NAMED, all[i].block);
        decided(x, DECIDED_LOCATION, NEXT, all[i].block->place, all[i].block->label.at);
        return true;
    }
    return false;
}

enum io exchange_sleep(struct exchange *x, uint64_t ms)
{
    struct wait nobody = { .fiber = NULL }; /* wakes it: time does */

    x->client->ops->watch(x->client, true);
    enum wake why = fiber_wait(&nobody, deadline_in(x, ms));
    x->client->ops->watch(x->client, false);
    return why == WAKE_CANCEL ? IO_CANCELLED : IO_OK;
}

/* The first DECISIONS_FIRST stay; of all others the latest: a ring. */
void decided(struct exchange *x, enum decided what, enum verdict verdict, struct place place,
             const char *detail)
{
    struct decisions *d = &x->decisions;
    unsigned slot =
        d->count < DECISIONS_KEPT
            ? d->count
            : DECISIONS_FIRST + (d->count - DECISIONS_FIRST) % (DECISIONS_KEPT - DECISIONS_FIRST);

    d->at[slot] = (struct decision){ .line = place.line,
                                     .file = place.file,
                                     .what = (uint8_t)what,
                                     .verdict = (uint8_t)verdict,
                                     .detail = detail };
    d->count++;
    if (d->trace != NULL)
        trace_decision(d->trace, &d->at[slot], place);
}

const char *decided_name(enum decided what)
{
    static const char *const names[DECIDED_WHATS] = {
        [DECIDED_LISTENER] = "listener",
        [DECIDED_SERVER] = "server",
        [DECIDED_LOCATION] = "location",
        [DECIDED_REWRITE] = "rewrite",
        [DECIDED_IF] = "if",
        [DECIDED_BREAK] = "break",
        [DECIDED_RETURN] = "return",
        [DECIDED_RULE] = "rule",
        [DECIDED_FLOOR] = "floor",
        [DECIDED_LIMIT] = "limit",
        [DECIDED_INDEX] = "index",
        [DECIDED_TRY_FILES] = "try_files",
        [DECIDED_ERROR_PAGE] = "error_page",
        [DECIDED_ACCEL] = "x_accel_redirect",
        [DECIDED_UPSTREAM] = "upstream",
        [DECIDED_PEER] = "peer",
        [DECIDED_RETRY] = "retry",
        [DECIDED_SOURCE] = "source",
        [DECIDED_TARGET] = "target",
        [DECIDED_ADDRESS] = "address",
        [DECIDED_ANONYMITY] = "anonymity",
        [DECIDED_FILTER] = "filter",
        [DECIDED_ANSWER] = "answer",
    };

    return names[what];
}

struct field *response_add(struct exchange *x, const char *name, struct span value)
{
    return fields_add(&x->response.fields, span_of(name), value, FROM_US);
}
