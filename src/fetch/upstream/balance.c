/* Smooth weighted round robin, and what failures do to it: NGINX's arithmetic to the letter, since
 * people have tuned weights by it (nginx-semantics 7.7). */
#include "base/errlog.h"
#include "exchange/log.h"
#include "exchange/turn.h"
#include "fetch/upstream/upstream.h"

enum { MOST_TRACKED = 1024 };

void pick_begin(struct pick *p, struct upstream *u, struct exchange *x)
{
    *p = (struct pick){ .upstream = u, .x = x };
}

static bool was_tried(const struct pick *p, uint32_t i)
{
    return i >= MOST_TRACKED || (p->tried[i / 64] >> (i % 64) & 1);
}

static bool is_single(const struct upstream *u)
{
    return u->peer_count == 1;
}

static bool is_usable(const struct upstream *u, const struct peer *peer, uint64_t now)
{
    const struct upstream_server *s = peer->server;
    const struct peer_state *state = peer->state;

    if (s->down || (s->max_conns > 0 && state->connections >= s->max_conns))
        return false;
    if (is_single(u))
        return true;
    return s->max_fails == 0 || state->fails < s->max_fails ||
           now / 1000 - state->checked / 1000 > s->fail_timeout / 1000;
}

static struct peer *pick_among(struct pick *p, bool backups, uint64_t now)
{
    struct upstream *u = p->upstream;
    struct peer *best = NULL;
    int64_t total = 0;
    uint32_t best_at = 0;

    for (uint32_t i = 0; i < u->peer_count; i++) {
        struct peer *peer = &u->peers[i];
        struct peer_state *s = peer->state;
        int64_t weight = (int64_t)peer->server->weight;

        if (peer->server->backup != backups || was_tried(p, i) || !is_usable(u, peer, now))
            continue;
        if (s->effective_weight > weight)
            s->effective_weight = weight;
        s->current_weight += s->effective_weight;
        total += s->effective_weight;
        if (s->effective_weight < weight)
            s->effective_weight++;
        if (best == NULL || s->current_weight > best->state->current_weight) {
            best = peer;
            best_at = i;
        }
    }
    if (best == NULL)
        return NULL;
    best->state->current_weight -= total;
    p->tried[best_at / 64] |= (uint64_t)1 << (best_at % 64);
    if (now / 1000 - best->state->checked / 1000 > best->server->fail_timeout / 1000)
        best->state->checked = now;
    best->state->connections++;
    return best;
}

struct peer *pick_next(struct pick *p)
{
    uint64_t now = exchange_now(p->x);
    struct peer *peer = p->on_backups ? NULL : pick_among(p, false, now);

    if (peer == NULL && p->upstream->backups > 0) {
        p->on_backups = true;
        peer = pick_among(p, true, now);
    }
    return peer;
}

static void count_failure(struct pick *p, struct peer *peer)
{
    struct peer_state *s = peer->state;
    const struct upstream_server *server = peer->server;

    s->fails++;
    s->accessed = s->checked = exchange_now(p->x);
    if (server->max_fails == 0)
        return;
    s->effective_weight -= (int64_t)(server->weight / server->max_fails);
    if (s->effective_weight < 0)
        s->effective_weight = 0;
    if (s->fails >= server->max_fails)
        exchange_log(p->x, LEVEL_WARN, 0, "upstream server temporarily disabled: %s", peer->name);
}

void pick_note(struct pick *p, struct peer *peer, enum peer_outcome outcome)
{
    struct peer_state *s = peer->state;

    if (s->connections > 0)
        s->connections--;
    if (is_single(p->upstream))
        return;
    switch (outcome) {
    case PEER_GOOD:
        if (s->accessed < s->checked)
            s->fails = 0;
        break;
    case PEER_FAILED:
        count_failure(p, peer);
        break;
    case PEER_UNCOUNTED:
        break;
    }
}

unsigned pick_tries(const struct upstream *u)
{
    unsigned tries = 0;

    for (uint32_t i = 0; i < u->peer_count; i++)
        tries += !u->peers[i].server->down;
    return tries;
}
