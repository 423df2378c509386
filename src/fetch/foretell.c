/* What an origin or a tunnel would ask, said in place of asking: for `bifrons explain`.
 *
 *     a group      the URL, then each server: when it would be asked, or why not
 *     a goal       the URL, then each address: would it be dialled?
 *
 * The balancer is that of a process that has just started: what a running one has seen of its peers
 * is not known here. */
#include "base/buf.h"
#include "base/link.h"
#include "conf/settings.h"
#include "exchange/destination.h"
#include "exchange/exchange.h"
#include "exchange/trace.h"
#include "fetch/origin.h"
#include "fetch/proxy.h"
#include "fetch/upstream/upstream.h"
#include "net/dns.h"
#include "net/io.h"

static const struct place nowhere;

/* --- a group -------------------------------------------------------------------------------- */

static struct span url_of(const struct origin *o, struct span authority)
{
    struct exchange *x = o->source.x;
    struct buf url;

    buf_init(&url, 64 * 1024, NULL);
    buf_adds(&url, "http://");
    buf_add(&url, authority);
    origin_add_target(o, &url);
    struct span text = arena_copy(&x->arena, buf_view(&url));
    buf_done(&url);
    return text;
}

static void tell_peer(struct origin *o, const struct peer *peer, unsigned turn)
{
    struct exchange *x = o->source.x;
    bool may_follow = turn <= origin_tries(o) && !(o->conf->next_upstream & NEXT_OFF);
    const struct upstream_server *s = peer->server;

    trace_say(x, DECIDED_PEER, NEXT, s->place, "%s", peer->name);
    if (turn == 1)
        trace_why(x, "asked first%s", s->backup ? " (backup)" : "");
    else if (may_follow)
        trace_why(x, "asked if those before it fail%s", s->backup ? " (backup)" : "");
    else
        trace_why(x, "not for this request%s", s->backup ? " (backup)" : "");
}

/* Lines of the group whose server has no peer in the balancer's round. */
static void tell_absent(struct origin *o)
{
    const struct upstream *u = o->pick.upstream;
    const struct upstream_server *servers = u->servers.items;
    struct exchange *x = o->source.x;

    for (uint32_t i = 0; i < u->servers.len; i++) {
        uint32_t k = 0;

        while (k < u->peer_count && u->peers[k].server != &servers[i])
            k++;
        if (k < u->peer_count && !servers[i].down)
            continue;
        trace_say(x, DECIDED_PEER, servers[i].down ? REFUSE : NEXT, servers[i].place, "%.*s:%u",
                  (int)servers[i].host.len, servers[i].host.at, servers[i].port);
        trace_why(x, servers[i].down ? "never asked: down"
                     : o->pass->varies && !u->named
                         ? "a name: its addresses are asked for by each request"
                         : "a name: its addresses are asked for at the start");
    }
}

static void foretell_group(struct origin *o)
{
    struct exchange *x = o->source.x;
    const struct proxy_target *t = o->pass;
    struct span url = url_of(o, t->host);
    unsigned turn = 0;

    trace_say(x, DECIDED_SOURCE, ANSWER, t->place, "%.*s", (int)url.len, url.at);
    trace_why(x, "proxy_pass http://%.*s%.*s", (int)t->written.len, t->written.at, (int)t->uri.len,
              t->uri.len > 0 ? t->uri.at : "");
    for (struct peer *p = pick_next(&o->pick); p != NULL; p = pick_next(&o->pick))
        tell_peer(o, p, ++turn);
    tell_absent(o);
}

/* --- a goal of the forward face ------------------------------------------------------------- */

static bool find_addresses(struct exchange *x, struct resolve_result *ret)
{
    const struct trace *t = trace_of(x);

    if (x->goal->literal.family != AF_UNSPEC || (t->address_count == 0 && t->resolves))
        return origin_resolve(x, ret) == IO_OK;
    *ret = (struct resolve_result){ .fault = RESOLVE_FOUND };
    for (unsigned i = 0; i < t->address_count && i < RESOLVE_MOST; i++) {
        ret->addresses[ret->count] = t->addresses[i];
        ret->addresses[ret->count++].port = x->goal->port;
    }
    return true;
}

void goal_foretell(struct exchange *x)
{
    struct resolve_result *found = arena_alloc(&x->arena, sizeof(*found));

    if (!find_addresses(x, found)) {
        trace_say(x, DECIDED_ADDRESS, REFUSE, nowhere, "none");
        trace_why(x, "%.*s could not be resolved", (int)x->goal->host.len, x->goal->host.at);
        exchange_fail(x);
        return;
    }
    if (found->count == 0) {
        trace_say(x, DECIDED_ADDRESS, NEXT, nowhere, "not known");
        trace_why(x, "judged after resolution: --resolve asks for it, --address gives it");
        return;
    }
    if (origin_allowed(x, found) == 0)
        exchange_fail(x);
}

void origin_foretell(struct source *s)
{
    struct origin *o = CONTAINER(s, struct origin, source);
    struct exchange *x = s->x;

    if (o->pick.upstream != NULL) {
        foretell_group(o);
        return;
    }
    struct buf authority;
    buf_init(&authority, 1024, NULL);
    destination_print(x->goal, 80, &authority);
    struct span url = url_of(o, buf_view(&authority));
    buf_done(&authority);
    trace_say(x, DECIDED_SOURCE, ANSWER, nowhere, "%.*s", (int)url.len, url.at);
    goal_foretell(x);
}
