/* One request and its answer, on one fiber:
 *
 *     read head -> decide -> fetch -> filter -> send -> log
 *
 * Owns `x->source` once a hook has set it. A call that yields returns only when nobody else, not
 * even the kernel, still uses our memory. */
#include "exchange/exchange.h"

#include "base/errlog.h"
#include "conf/settings.h"
#include "exchange/body.h"
#include "exchange/carried.h"
#include "exchange/client.h"
#include "exchange/filter.h"
#include "exchange/generation.h"
#include "exchange/hold.h"
#include "exchange/log.h"
#include "exchange/module.h"
#include "exchange/page.h"
#include "exchange/phase.h"
#include "exchange/run.h"
#include "exchange/source.h"
#include "exchange/stat.h"
#include "exchange/trace.h"
#include "net/conn.h"
#include "net/fiber.h"
#include "net/io.h"
#include "proto/fields.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

enum { MOST_REDIRECTS = 10, PARTS_A_TURN = 32 };

static enum verdict hooks_run(struct exchange *x, enum phase phase)
{
    const struct generation *g = x->generation;

    for (unsigned i = 0; i < g->index.hook_count[phase] && !x->redirected; i++) {
        const struct hook_entry *entry = &g->index.hooks[phase][i];
        enum verdict verdict = entry->hook->run(x, settings_in(x->block, entry->module));

        if (verdict == ANSWER || verdict == REFUSE)
            return verdict;
    }
    return NEXT;
}

/* From `first` on. Afterwards a source is set, or the exchange is redirected, or nobody is left to
 * answer. */
static enum verdict phases_run(struct exchange *x, enum phase first)
{
    for (enum phase phase = first; phase <= PHASE_CONTENT && !x->redirected; phase++) {
        enum verdict verdict = hooks_run(x, phase);

        if (verdict == ANSWER || verdict == REFUSE)
            return verdict;
    }
    if (x->redirected || x->source != NULL)
        return NEXT;
    return exchange_refuse(x, span_ends(x->request.uri, "/") ? 403 : 404, NULL);
}

static void fetch_head(struct exchange *x)
{
    if (trace_of(x) != NULL && x->source->ops->foretell != NULL)
        x->source->ops->foretell(x->source);
    else if (x->source->ops->head(x->source) == IO_OK)
        hooks_run(x, PHASE_RESPONSE);
    else if (!x->redirected)
        exchange_fail(x);
}

/* Each filter that wants this answer becomes the source of the next. One that refuses it has put a
 * page in its place, for which all are asked again, or has led to an error page. */
static void filters_wrap(struct exchange *x)
{
    const struct generation *g = x->generation;
    bool refused = false;

    for (unsigned i = 0; i < g->index.filter_count && !x->redirected; i++) {
        const struct filter *filter = g->modules[g->index.filters[i]]->filter;
        const void *settings = settings_in(x->block, g->index.filters[i]);
        const struct source *before = x->source;

        if (filter->wants(x, settings) && filter->wrap != NULL) {
            x->source = filter->wrap(x, settings, x->source);
        } else if (x->source != before && !refused) {
            refused = true;
            i = UINT_MAX; /* the next is the first */
        }
    }
}

/* The head of a tunnel passes those alone that want nothing of a body. */
static void filters_head(struct exchange *x)
{
    const struct generation *g = x->generation;

    for (unsigned i = 0; i < g->index.filter_count; i++) {
        const struct filter *filter = g->modules[g->index.filters[i]]->filter;

        if (filter->wrap == NULL)
            filter->wants(x, settings_in(x->block, g->index.filters[i]));
    }
}

/* An error page has the status of its error, and so neither date nor ranges. */
static void give_status(struct exchange *x)
{
    struct response *r = &x->response;

    if (r->given == 0)
        return;
    r->status = r->given;
    r->reason = (struct span){ NULL, 0 };
    if (r->status == 200)
        return;
    r->accept_ranges = false;
    if (r->last_modified >= 0)
        fields_remove(&r->fields, FIELD_LAST_MODIFIED);
    r->last_modified = -1;
}

/* One round: decides, fetches the answer's head, lets the filters have it. */
static void run_round(struct exchange *x, enum phase first)
{
    phases_run(x, first);
    if (!x->redirected && x->source != NULL)
        fetch_head(x);
    if (x->redirected || x->source == NULL)
        return;
    if (x->source->ops->takeover != NULL) {
        if (x->response.status == 101)
            filters_head(x);
        return;
    }
    if (trace_of(x) != NULL && x->response.status == 0) /* foretold: there is no head */
        return;
    give_status(x);
    carried_apply(x);
    filters_wrap(x);
}

/* The reader of the head has said what is wrong with it. There may be an error page, perhaps of an
 * upstream: nothing of such a message goes there. */
static void refuse_malformed(struct exchange *x)
{
    unsigned status = x->response.status;

    if (x->request.host.len > 0 && !exchange_is_forward(x))
        hooks_run(x, PHASE_POST_READ); /* that much is known: of which server it was asked */
    exchange_refuse(x, status, NULL);
    if (!x->redirected && x->source != NULL)
        filters_wrap(x);
    if (!x->redirected)
        return;
    x->request.fields.count = 0;
    exchange_become_get(x);
    if (x->request.uri.len == 0)
        x->request.uri = span_of("/");
    x->request.raw_path = x->request.args = (struct span){ NULL, 0 }; /* nor is its target sent */
}

static enum phase phase_after(enum restart restart)
{
    switch (restart) {
    case RESTART_NOT:
    case RESTART_SERVER:
        return PHASE_SERVER_REWRITE;
    case RESTART_LOCATION:
        return PHASE_FIND;
    case RESTART_NAMED:
        return PHASE_REWRITE;
    }
    abort();
}

/* Once more for each internal redirect (index, rewrite, error_page, X-Accel-Redirect ...). */
static void follow_redirects(struct exchange *x)
{
    unsigned redirects = 0;

    while (x->redirected && redirects++ < MOST_REDIRECTS) {
        enum phase first = phase_after(x->redirected);

        x->redirected = RESTART_NOT;
        run_round(x, first);
    }
    if (x->redirected) {
        x->redirected = RESTART_NOT;
        exchange_log(x, LEVEL_ERROR, 0,
                     "rewrite or internal redirection cycle while processing \"%.*s\"",
                     (int)x->request.uri.len, x->request.uri.at);
        page_error(x, 500);
    }
}

/* Afterwards `x->source` is set and its head is in `x->response`, or `x->source` is NULL and nobody
 * is left to be answered. */
static void settle(struct exchange *x)
{
    if (x->response.status != 0)
        refuse_malformed(x);
    else
        run_round(x, PHASE_POST_READ);
    follow_redirects(x);
}

/* Bytes may go from socket to socket, if nothing has to be put between them. */
static bool may_pipe(const struct exchange *x)
{
    const struct conn *conn = x->client->ops->conn(x->client);

    return conn != NULL && conn_plain(conn) && x->response.length != LENGTH_UNKNOWN;
}

/* A slow client makes send_part wait, and so stops the reading: that is all of back-pressure. */
static enum io relay(struct exchange *x)
{
    const struct client_ops *to = x->client->ops;
    enum io io = to->send_head(x->client); /* held back: leaves with a first part that is at hand */
    const struct source_ops *from = x->source->ops; /* a head that cannot be sent becomes a page */

    if (io == IO_OK && response_has_no_body(x))
        return to->send_end(x->client);
    x->source->pipes = may_pipe(x);
    for (unsigned parts = 1; io == IO_OK; parts++) {
        struct part part; /* good until the next read */

        if (parts % PARTS_A_TURN == 0) /* a file never waits, and a fast client neither */
            fiber_yield();

        if (from->ready != NULL &&
            !from->ready(x->source))   /* before a read that would wait nothing */
            io = to->flush(x->client); /* stays behind: events arrive one by one */
        if (io == IO_OK)
            io = from->read(x->source, &part);
        if (io == IO_EOF)
            return to->send_end(x->client);
        if (io == IO_OK)
            io = to->send_part(x->client, &part);
        if (io == IO_OK && part.last)
            return IO_OK;
    }
    return io;
}

/* The body broke before a byte of its head had left (RESP-35): a page takes its place. */
static bool settle_anew(struct exchange *x)
{
    if (!x->client->ops->drop_head(x->client))
        return false;
    exchange_fail(x);
    if (x->redirected)
        follow_redirects(x);
    else if (x->source != NULL)
        filters_wrap(x);
    return x->source != NULL;
}

static enum io answer(struct exchange *x)
{
    enum io io = relay(x);

    if (io != IO_OK && io != IO_CANCELLED && settle_anew(x))
        io = relay(x);
    return io;
}

/* Closes the source; then all of it returns to the pool. */
static void give_back(struct exchange *x)
{
    struct worker *w = x->worker;
    struct hold *holds = exchange_take_holds(x);

    holds_release(&holds, w);
    exchange_source(x, NULL);
    if (x->body != NULL)
        body_done(x->body);
    generation_unref(&x->generation);
    arena_clear(&x->arena);
    w->live_exchanges--;

    struct arena arena = x->arena;
    *x = (struct exchange){ .arena = arena };
    x->source = (struct source *)w->idle_exchanges; /* the pool's link while idle */
    w->idle_exchanges = x;
}

/* With the head that was read; the caller counts. */
static enum after run(struct exchange *x)
{
    settle(x);
    if (x->source != NULL && x->source->ops->takeover != NULL) {
        enum after after = x->source->ops->takeover(x->source);

        if (after ==
            AFTER_TAKEN) { /* what its lines will say was noted: a tunnel may live for days */
            give_back(x);
            return after;
        }
    }
    if (x->source == NULL) {
        exchange_end(x, IO_FAILED);
        return AFTER_CLOSE;
    }
    enum io io = answer(x);
    if (io == IO_TIMEOUT)
        exchange_log(x, LEVEL_INFO, ETIMEDOUT, "client timed out while sending to client");

    enum after after = io == IO_OK && x->keep_alive ? AFTER_KEEP : AFTER_CLOSE;
    exchange_end(x, io);
    return after;
}

enum after exchange_run(struct exchange *x)
{
    struct worker *w = x->worker;

    stat_add(w, STAT_READING, 1);
    enum io io = x->client->ops->read_head(x->client);
    stat_add(w, STAT_READING, -1);
    if (io != IO_OK) { /* not one byte: nothing to answer, nothing to log */
        exchange_end(x, io);
        return AFTER_CLOSE;
    }
    stat_add(w, STAT_REQUESTS, 1);
    stat_add(w, STAT_WRITING, 1);
    enum after after = run(x);
    stat_add(w, STAT_WRITING, -1);
    return after;
}

void exchange_rehearse(struct exchange *x)
{
    if (x->client->ops->read_head(x->client) != IO_OK)
        return;
    settle(x);
}

static void run_loggers(struct exchange *x)
{
    const struct generation *g = x->generation;

    for (unsigned i = 0; i < g->index.logger_count; i++)
        g->modules[g->index.loggers[i]]->log(x, settings_in(x->block, g->index.loggers[i]));
}

void exchange_end(struct exchange *x, enum io io)
{
    if (io == IO_CANCELLED && x->fault == FAULT_NONE)
        x->fault = FAULT_CLIENT_GONE;
    if (x->response.head_sent == 0 && x->fault == FAULT_CLIENT_GONE)
        x->response.status = 499;
    if (x->response.status != 0 && trace_of(x) == NULL)
        run_loggers(x); /* the source holds the bytes of the answer's fields */
    give_back(x);
}
