/* limit_conn: how many requests of one key may be in progress (nginx-semantics 9).
 *
 *     limit_conn_zone KEY zone=N:S    digest of the key -> how many each worker has
 *     limit_conn N 10                 the sum is at 10: refused; else one more, held to the end
 *
 * A worker changes its own number only, so that a successor of one that died gives back what that
 * one held. A tunnel holds its places until its end. */
#include "base/charged.h"
#include "base/link.h"
#include "base/shape.h"
#include "base/table.h"
#include "base/zone.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/settings.h"
#include "conf/types.h"
#include "decide/limit.h"
#include "exchange/exchange.h"
#include "exchange/generation.h"
#include "exchange/hold.h"
#include "exchange/log.h"
#include "exchange/module.h"
#include "exchange/phase.h"
#include "exchange/template.h"
#include "exchange/trace.h"
#include "exchange/variable.h"
#include "exchange/worker.h"
#include "exchange/zone_line.h"

enum { MOST_CONNECTIONS = 65535 }; /* as in NGINX; a number of a worker has 16 bits */

static const char use[] = "limit_conn_zone";

struct conn_limit {
    struct span zone;
    struct zone_line *line; /* once all is read */
    uint64_t most;
    struct place place;
};

struct conn_settings {
    struct conf_list limits; /* of struct conn_limit */
    uint64_t status;         /* 0: not said */
    unsigned level;
    bool dry_run;
};

extern const struct module limit_conn_module;

/* --- the table ------------------------------------------------------------------------------ */

struct counting {
    uint32_t slot, slots;
    uint64_t most;
    bool refused;
};

static struct counting counting_of(const struct zone *z, uint32_t slot)
{
    uint32_t slots = z->shape.table.value_most / sizeof(uint16_t);

    return (struct counting){ .slot = slot % slots, .slots = slots };
}

static uint64_t sum_of(const uint16_t *counts, uint32_t slots)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < slots; i++)
        sum += counts[i];
    return sum;
}

static enum table_verdict take_place(void *arg, char *value, bool found)
{
    struct counting *c = arg;
    uint16_t counts[TABLE_CHANGE_MOST / sizeof(uint16_t)];

    (void)found;
    memcpy(counts, value, c->slots * sizeof(*counts));
    c->refused = sum_of(counts, c->slots) >= c->most || counts[c->slot] == UINT16_MAX;
    if (c->refused)
        return TABLE_LEAVE;
    counts[c->slot]++;
    memcpy(value, counts, c->slots * sizeof(*counts));
    return TABLE_STORE;
}

/* `most` places of our own come back. */
static enum table_verdict give_places(void *arg, char *value, bool found)
{
    const struct counting *c = arg;
    uint16_t counts[TABLE_CHANGE_MOST / sizeof(uint16_t)];

    memcpy(counts, value, c->slots * sizeof(*counts));
    if (!found || counts[c->slot] == 0)
        return TABLE_LEAVE; /* its record went with a worker gone mad */
    counts[c->slot] -= (uint16_t)(counts[c->slot] < c->most ? counts[c->slot] : c->most);
    memcpy(value, counts, c->slots * sizeof(*counts));
    return sum_of(counts, c->slots) == 0 ? TABLE_DROP : TABLE_STORE;
}

/* --- a place -------------------------------------------------------------------------------- */

struct place_held {
    struct hold hold;
    struct zone *zone; /* a reference: a resize may have made another meanwhile */
    char digest[TABLE_DIGEST];
};

static void release(struct hold *h, struct worker *w)
{
    struct place_held *p = CONTAINER(h, struct place_held, hold);
    struct counting c = counting_of(p->zone, w->shared.slot);

    c.most = 1;
    table_change(&p->zone->table, (struct span){ p->digest, TABLE_DIGEST },
                 (struct table_change){ give_places, &c });
    zone_unref(&p->zone);
    charged_free(p, sizeof(*p), &w->budget);
}

/* False: refused. */
static bool hold_place(struct exchange *x, const struct conn_limit *l, struct span key)
{
    struct zone *z = l->line->zone;
    struct place_held *p = z != NULL ? charged_new(sizeof(*p), &x->worker->budget) : NULL;

    if (p == NULL)
        return false;
    struct counting c = counting_of(z, x->worker->shared.slot);
    c.most = l->most;
    table_digest(&z->table, key, p->digest);
    bool room = table_change(&z->table, (struct span){ p->digest, TABLE_DIGEST },
                             (struct table_change){ take_place, &c });
    if (!room || c.refused) {
        charged_free(p, sizeof(*p), &x->worker->budget);
        return false;
    }
    p->zone = zone_ref(z);
    p->hold.release = release;
    exchange_hold(x, &p->hold);
    return true;
}

/* --- a request ------------------------------------------------------------------------------ */

static const char status_key; /* of a note: a string */

static void note_status(struct exchange *x, const char *status)
{
    exchange_keep(x, &status_key, (void *)(uintptr_t)status);
}

static enum verdict refuse(struct exchange *x, const struct conn_settings *own,
                           const struct conn_limit *l)
{
    exchange_log(x, own->level, 0, "limiting connections%s by zone \"%.*s\"",
                 own->dry_run ? ", dry run," : "", (int)l->zone.len, l->zone.at);
    note_status(x, own->dry_run ? "REJECTED_DRY_RUN" : "REJECTED");
    decided(x, DECIDED_LIMIT, own->dry_run ? NEXT : REFUSE, l->place, "limit_conn");
    if (own->dry_run)
        return NEXT;
    x->fault = FAULT_CONNECTION_LIMIT;
    return exchange_refuse(x, limit_status(x, own->status), NULL);
}

static void foretell(struct exchange *x, const struct conn_limit *l, struct span key)
{
    trace_say(x, DECIDED_LIMIT, NEXT, l->place, "limit_conn %.*s", (int)l->zone.len, l->zone.at);
    if (key.len == 0)
        trace_why(x, "the key is empty: it is not counted");
    else
        trace_why(x, "at most %llu requests of this key at a time", (unsigned long long)l->most);
}

static enum verdict on_preaccess(struct exchange *x, const void *settings)
{
    const struct conn_settings *own = settings;
    const struct conn_limit *limits = own->limits.items;
    const struct hold *before = exchange_newest_hold(x);

    if (exchange_note(x, &status_key) != NULL)
        return NEXT; /* once a request */
    for (uint32_t i = 0; i < own->limits.len; i++) {
        struct span key = template_value(x, limits[i].line->of);

        if (trace_of(x) != NULL) {
            foretell(x, &limits[i], key);
            continue;
        }
        if (key.len == 0)
            continue;
        note_status(x, "PASSED");
        if (!hold_place(x, &limits[i], key)) {
            exchange_release_holds(x, before);
            return refuse(x, own, &limits[i]);
        }
    }
    return NEXT;
}

static bool get_status(struct exchange *x, struct span arg, struct span *ret)
{
    const char *status = exchange_note(x, &status_key);

    (void)arg;
    if (status != NULL)
        *ret = span_of(status);
    return status != NULL;
}

/* --- settings ------------------------------------------------------------------------------- */

static bool set_zone(struct conf_call *call, void *field)
{
    struct generation *g = conf_user(call);
    struct template *key = arena_zalloc(conf_arena(call), sizeof(*key));
    struct zone_line line = { .use = use, .place = conf_place(call, 0), .of = key };

    (void)field;
    if (!template_compile(call, 1, key))
        return false;
    if (!zone_is_word(conf_word(call, 2)))
        return limit_refuse_word(call, 2);
    line.shape.kind = ZONE_TABLE;
    if (!zone_read(call, 2, &line.name, &line.shape.size) || !limit_zone_is_new(call, &line))
        return false;
    limit_warn_of_key(call, key);
    zone_declare(g, &line);
    return true;
}

static bool set_limit(struct conf_call *call, void *field)
{
    struct conf_list *limits = field;
    struct conn_limit limit = { .zone = conf_word(call, 1), .place = conf_place(call, 0) };
    struct span number = conf_word(call, 2);
    const struct conn_limit *others = limits->items;

    for (uint32_t i = 0; i < limits->len; i++)
        if (span_same(others[i].zone, limit.zone))
            return conf_refuse(call, 0, "\"limit_conn\" directive is duplicate");
    if (!conf_read_number(number, UINT32_MAX, &limit.most) || limit.most == 0)
        return conf_refuse(call, 2, "invalid number of connections \"%.*s\"", (int)number.len,
                           number.at);
    if (limit.most > MOST_CONNECTIONS)
        return conf_refuse(call, 2, "connection limit must be less 65536");
    return conf_list_add(call, limits, &limit, sizeof(limit));
}

static bool check(struct conf *conf, struct conf_block *block, void *settings)
{
    struct conn_settings *own = settings;
    struct conn_limit *limits = own->limits.items;

    (void)block;
    for (uint32_t i = 0; i < own->limits.len; i++) {
        limits[i].line = zone_meant(conf, limits[i].place, limits[i].zone, use);
        if (limits[i].line == NULL)
            return false;
    }
    return true;
}

static bool init(struct generation *g, struct conf *conf, void *settings)
{
    struct zone_line *const *all = g->zones.items;

    (void)conf, (void)settings;
    for (uint32_t i = 0; i < g->zones.len; i++)
        if (all[i]->use == use)
            all[i]->shape.table =
                (struct table_shape){ TABLE_DIGEST, (uint32_t)(g->worker_slots * sizeof(uint16_t)),
                                      TABLE_REFUSES };
    return true;
}

/* In a worker that was just born: one that had its slot before it holds nothing any more. */
static void start(struct worker *w, struct generation *g, void *settings)
{
    struct zone_line *const *all = g->zones.items;

    (void)settings;
    for (uint32_t i = 0; i < g->zones.len && w->generation == NULL; i++) {
        if (all[i]->use != use || all[i]->zone == NULL)
            continue;
        struct counting c = counting_of(all[i]->zone, w->shared.slot);

        c.most = UINT16_MAX;
        table_change_all(&all[i]->zone->table, (struct table_change){ give_places, &c });
    }
}

static const struct conf_type zone_type = { .set = set_zone, .many = true };
static const struct conf_type limit_type = { .set = set_limit,
                                             .size = sizeof(struct conf_list),
                                             .many = true };

enum { ANYWHERE = CTX_HTTP | CTX_SERVER | CTX_LOCATION | CTX_FORWARD };
#define FIELD(name) offsetof(struct conn_settings, name)

static const struct directive directives[] = {
    { "limit_conn_zone", CTX_HTTP, 2, 2, &zone_type, 0, NULL, NONE,
      "shared memory that counts requests in progress, by a key", 0, NULL },
    { "limit_conn", ANYWHERE, 2, 2, &limit_type, FIELD(limits), NULL, WHOLE,
      "most requests in progress of one key; a tunnel counts until its end", 0, NULL },
    { "limit_conn_status", ANYWHERE, 1, 1, &conf_number, FIELD(status), NULL, WHOLE,
      "status of what is refused; unset: 503, in a forward block 429", 0, &limit_statuses },
    { "limit_conn_log_level", ANYWHERE, 1, 1, &conf_choice, FIELD(level), "error", WHOLE,
      "level of the records about what is refused", 0, limit_levels },
    { "limit_conn_dry_run", ANYWHERE, 1, 1, &conf_flag, FIELD(dry_run), "off", WHOLE,
      "say what would be refused, and let it pass", 0, NULL },
    {},
};

static const struct variable variables[] = {
    { "limit_conn_status", NO_FAMILY, get_status,
      "what limit_conn did: PASSED, REJECTED, REJECTED_DRY_RUN" },
    {},
};

static const struct hook hooks[] = {
    { .phase = PHASE_PREACCESS, .run = on_preaccess },
    {},
};

const struct module limit_conn_module = {
    .name = "limit_conn",
    .directives = directives,
    .variables = variables,
    .hooks = hooks,
    .settings_size = sizeof(struct conn_settings),
    .check = check,
    .init = init,
    .start = start,
};
