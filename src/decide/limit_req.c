/* limit_req: how many requests of one key may come in the course of time (nginx-semantics 9).
 *
 *     a bucket that leaks `rate` a second; each request pours in one
 *
 *     excess = max(0, excess before - rate * ms / 1000 + 1000)      in thousandths of a request
 *
 *     excess > burst            refused, and the bucket is as it was
 *     excess > delay            waits until it has leaked down to `delay`
 *
 * Of several limits each must agree before any is poured into; the longest wait counts. Time is the
 * machine's monotonic one, which all workers share. */
#include "base/errlog.h"
#include "base/shape.h"
#include "base/table.h"
#include "base/zone.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/settings.h"
#include "conf/types.h"
#include "decide/limit.h"
#include "exchange/exchange.h"
#include "exchange/log.h"
#include "exchange/module.h"
#include "exchange/phase.h"
#include "exchange/template.h"
#include "exchange/trace.h"
#include "exchange/turn.h"
#include "exchange/variable.h"
#include "exchange/zone_line.h"

enum { ONE = 1000, NO_DELAY = INT32_MAX, MOST_BURST = 1000 * 1000 * 1000 };
enum { BACK_BY_FAR = 60000 /* ms: no clock that was read a moment ago; the bucket is no bucket */ };

static const char use[] = "limit_req_zone";

struct req_zone {
    struct template key; /* first: see limit_zone_is_new */
    int64_t rate;        /* thousandths of a request in a second */
};

struct req_limit {
    struct span zone;
    struct zone_line *line; /* once all is read */
    int64_t burst, delay;   /* thousandths */
    struct place place;
};

struct req_settings {
    struct conf_list limits; /* of struct req_limit */
    uint64_t status;         /* 0: not said */
    unsigned level;
    bool dry_run;
};

extern const struct module limit_req_module;

/* --- a bucket ------------------------------------------------------------------------------- */

struct bucket {    /* in the table */
    uint64_t last; /* ms */
    int64_t excess;
};

static const struct table_shape shape = { TABLE_DIGEST, sizeof(struct bucket), TABLE_EVICTS };

struct pouring {
    const struct req_limit *limit;
    uint64_t now;
    int64_t excess; /* afterwards */
    enum { LOOK, POUR } what;
    bool refused;
};

static int64_t rate_of(const struct req_limit *l)
{
    return ((const struct req_zone *)l->line->of)->rate;
}

/* Since it was changed; what another process wrote may be anything. */
static int64_t time_since(const struct bucket *b, uint64_t now)
{
    if (b->last <= now)
        return now - b->last < INT64_MAX ? (int64_t)(now - b->last) : INT64_MAX;
    return b->last - now > BACK_BY_FAR ? INT64_MAX : 0;
}

static int64_t excess_after(const struct bucket *b, int64_t rate, int64_t ms)
{
    int64_t leaked;

    if (b->excess < 0 || b->excess > INT64_MAX / 2 || __builtin_mul_overflow(rate, ms, &leaked))
        return 0;
    int64_t excess = b->excess - leaked / 1000 + ONE;
    return excess > 0 ? excess : 0;
}

/* A first request costs nothing: it is the one that the rate allows. */
static enum table_verdict pour(void *arg, char *value, bool found)
{
    struct pouring *p = arg;
    struct bucket b;

    memcpy(&b, value, sizeof(b));
    int64_t ms = found ? time_since(&b, p->now) : 1;
    p->excess = found ? excess_after(&b, rate_of(p->limit), ms) : 0;
    p->refused = p->excess > p->limit->burst;
    if (!found && p->what == LOOK)
        return TABLE_LEAVE;
    if (!p->refused && p->what == POUR) {
        b.excess = p->excess;
        if (ms > 0)
            b.last = p->now;
        memcpy(value, &b, sizeof(b));
    }
    return TABLE_STORE; /* one that is refused is in use, too, and not the first to make room */
}

static struct pouring into(struct exchange *x, const struct req_limit *l, struct span key, int what)
{
    struct pouring p = { .limit = l, .now = exchange_now(x), .what = what };
    struct zone *z = l->line->zone;
    char digest[TABLE_DIGEST];

    if (z == NULL) {
        p.refused = true;
        return p;
    }
    table_digest(&z->table, key, digest);
    table_change(&z->table, (struct span){ digest, sizeof(digest) },
                 (struct table_change){ pour, &p });
    return p;
}

/* --- a request ------------------------------------------------------------------------------ */

static const char status_key; /* of a note: a string */

static void note_status(struct exchange *x, const char *status)
{
    exchange_keep(x, &status_key, (void *)(uintptr_t)status);
}

static enum verdict refuse(struct exchange *x, const struct req_settings *own,
                           const struct pouring *p)
{
    const struct req_limit *l = p->limit;

    exchange_log(x, own->level, 0, "limiting requests%s, excess: %lld.%03lld by zone \"%.*s\"",
                 own->dry_run ? ", dry run" : "", (long long)p->excess / ONE,
                 (long long)p->excess % ONE, (int)l->zone.len, l->zone.at);
    note_status(x, own->dry_run ? "REJECTED_DRY_RUN" : "REJECTED");
    decided(x, DECIDED_LIMIT, own->dry_run ? NEXT : REFUSE, l->place, "limit_req");
    if (own->dry_run)
        return NEXT;
    x->fault = FAULT_CONNECTION_LIMIT;
    return exchange_refuse(x, limit_status(x, own->status), NULL);
}

static uint64_t delay_of(const struct pouring *p)
{
    int64_t over = p->excess - p->limit->delay;

    return over > 0 ? (uint64_t)(over * 1000 / rate_of(p->limit)) : 0;
}

static enum verdict delay(struct exchange *x, const struct req_settings *own,
                          const struct pouring *p)
{
    const struct req_limit *l = p->limit;
    enum level level = own->level == LEVEL_INFO ? LEVEL_INFO : own->level + 1;

    exchange_log(x, level, 0, "delaying request%s, excess: %lld.%03lld, by zone \"%.*s\"",
                 own->dry_run ? ", dry run" : "", (long long)p->excess / ONE,
                 (long long)p->excess % ONE, (int)l->zone.len, l->zone.at);
    note_status(x, own->dry_run ? "DELAYED_DRY_RUN" : "DELAYED");
    decided(x, DECIDED_LIMIT, NEXT, l->place, "limit_req");
    if (own->dry_run || exchange_sleep(x, delay_of(p)) == IO_OK)
        return NEXT;
    x->fault = FAULT_CLIENT_GONE;
    return exchange_refuse(x, 499, NULL);
}

static void foretell(struct exchange *x, const struct req_limit *l, struct span key)
{
    trace_say(x, DECIDED_LIMIT, NEXT, l->place, "limit_req %.*s", (int)l->zone.len, l->zone.at);
    if (key.len == 0)
        trace_why(x, "the key is empty: it is not counted");
    else
        trace_why(x, "%lld.%03lld requests of this key in a second", (long long)rate_of(l) / ONE,
                  (long long)rate_of(l) % ONE);
}

static bool foretell_all(struct exchange *x, const struct req_settings *own)
{
    const struct req_limit *limits = own->limits.items;

    for (uint32_t i = 0; trace_of(x) != NULL && i < own->limits.len; i++)
        foretell(x, &limits[i], template_value(x, limits[i].line->of));
    return trace_of(x) != NULL;
}

/* All of them, as `what`. The one that refuses, or the one that delays the longest; `limit` NULL:
 * no key was counted. */
static struct pouring into_all(struct exchange *x, const struct req_settings *own, int what)
{
    const struct req_limit *limits = own->limits.items;
    struct pouring longest = { .limit = NULL };

    for (uint32_t i = 0; i < own->limits.len; i++) {
        struct span key = template_value(x, limits[i].line->of);

        if (key.len == 0)
            continue;
        struct pouring p = into(x, &limits[i], key, what);
        if (longest.limit == NULL || p.refused || delay_of(&p) > delay_of(&longest))
            longest = p;
        if (p.refused && what == LOOK)
            break;
    }
    return longest;
}

static enum verdict on_preaccess(struct exchange *x, const void *settings)
{
    const struct req_settings *own = settings;

    if (own->limits.len == 0 || foretell_all(x, own) || exchange_note(x, &status_key) != NULL)
        return NEXT;
    struct pouring p = into_all(x, own, LOOK);
    if (p.limit == NULL)
        return NEXT;
    if (!p.refused)
        p = into_all(x, own, POUR); /* another worker may have been faster: then it is refused */
    if (p.refused)
        return refuse(x, own, &p);
    if (delay_of(&p) > 0)
        return delay(x, own, &p);
    note_status(x, "PASSED");
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

/* rate=N, rate=Nr/s, rate=Nr/m */
static bool read_rate(struct conf_call *call, unsigned word, int64_t *ret)
{
    struct span all = conf_word(call, word), number = span_from(all, sizeof("rate=") - 1);
    int64_t scale = span_ends(number, "r/m") ? 60 : 1;
    uint64_t n;

    if (span_ends(number, "r/s") || span_ends(number, "r/m"))
        number.len -= 3;
    if (!conf_read_number(number, MOST_BURST, &n) || n == 0)
        return conf_refuse(call, word, "invalid rate \"%.*s\"", (int)all.len, all.at);
    *ret = (int64_t)n * ONE / scale;
    return true;
}

static bool set_zone(struct conf_call *call, void *field)
{
    struct req_zone *zone = arena_zalloc(conf_arena(call), sizeof(*zone));
    struct zone_line line = { .use = use,
                              .place = conf_place(call, 0),
                              .shape = { .kind = ZONE_TABLE, .table = shape },
                              .of = zone };

    (void)field;
    zone->rate = ONE;
    if (!template_compile(call, 1, &zone->key))
        return false;
    for (unsigned i = 2; i < conf_count(call); i++) {
        bool good = zone_is_word(conf_word(call, i))
                        ? zone_read(call, i, &line.name, &line.shape.size)
                    : span_starts(conf_word(call, i), "rate=") ? read_rate(call, i, &zone->rate)
                                                               : limit_refuse_word(call, i);
        if (!good)
            return false;
    }
    if (line.name.len == 0)
        return conf_refuse(call, 0, "\"limit_req_zone\" must have \"zone\" parameter");
    if (!limit_zone_is_new(call, &line))
        return false;
    limit_warn_of_key(call, &zone->key);
    zone_declare(conf_user(call), &line);
    return true;
}

static bool read_amount(struct conf_call *call, unsigned word, const char *what, int64_t *ret)
{
    struct span all = conf_word(call, word);
    uint64_t n;

    if (!conf_read_number(span_from(all, strlen(what) + 1), MOST_BURST, &n) || n == 0)
        return conf_refuse(call, word, "invalid %s value \"%.*s\"", what, (int)all.len, all.at);
    *ret = (int64_t)n * ONE;
    return true;
}

static bool read_word(struct conf_call *call, unsigned word, struct req_limit *l)
{
    struct span all = conf_word(call, word);

    if (zone_is_word(all)) {
        l->zone = span_from(all, sizeof("zone=") - 1);
        return true;
    }
    if (span_starts(all, "burst="))
        return read_amount(call, word, "burst", &l->burst);
    if (span_starts(all, "delay="))
        return read_amount(call, word, "delay", &l->delay);
    if (!span_is(all, "nodelay"))
        return limit_refuse_word(call, word);
    l->delay = (int64_t)NO_DELAY * ONE;
    return true;
}

static bool set_limit(struct conf_call *call, void *field)
{
    struct conf_list *limits = field;
    struct req_limit limit = { .place = conf_place(call, 0) };
    const struct req_limit *others = limits->items;

    for (unsigned i = 1; i < conf_count(call); i++)
        if (!read_word(call, i, &limit))
            return false;
    if (limit.zone.len == 0)
        return conf_refuse(call, 0, "\"limit_req\" must have \"zone\" parameter");
    for (uint32_t i = 0; i < limits->len; i++)
        if (span_same(others[i].zone, limit.zone))
            return conf_refuse(call, 0, "\"limit_req\" directive is duplicate");
    return conf_list_add(call, limits, &limit, sizeof(limit));
}

static bool check(struct conf *conf, struct conf_block *block, void *settings)
{
    struct req_settings *own = settings;
    struct req_limit *limits = own->limits.items;

    (void)block;
    for (uint32_t i = 0; i < own->limits.len; i++) {
        limits[i].line = zone_meant(conf, limits[i].place, limits[i].zone, use);
        if (limits[i].line == NULL)
            return false;
    }
    return true;
}

static const struct conf_type zone_type = { .set = set_zone, .many = true };
static const struct conf_type limit_type = { .set = set_limit,
                                             .size = sizeof(struct conf_list),
                                             .many = true };

enum { ANYWHERE = CTX_HTTP | CTX_SERVER | CTX_LOCATION | CTX_FORWARD };
#define FIELD(name) offsetof(struct req_settings, name)

static const struct directive directives[] = {
    { "limit_req_zone", CTX_HTTP, 3, 3, &zone_type, 0, NULL, NONE,
      "shared memory that counts requests by a key, and their rate", 0, NULL },
    { "limit_req", ANYWHERE, 1, 3, &limit_type, FIELD(limits), NULL, WHOLE,
      "requests of one key beyond the rate wait, beyond the burst they are refused", 0, NULL },
    { "limit_req_status", ANYWHERE, 1, 1, &conf_number, FIELD(status), NULL, WHOLE,
      "status of what is refused; unset: 503, in a forward block 429", 0, &limit_statuses },
    { "limit_req_log_level", ANYWHERE, 1, 1, &conf_choice, FIELD(level), "error", WHOLE,
      "level of the records about what is refused; of what waits one less", 0, limit_levels },
    { "limit_req_dry_run", ANYWHERE, 1, 1, &conf_flag, FIELD(dry_run), "off", WHOLE,
      "say what would be refused or wait, and let it pass", 0, NULL },
    {},
};

static const struct variable variables[] = {
    { "limit_req_status", NO_FAMILY, get_status,
      "what limit_req did: PASSED, DELAYED, REJECTED, DELAYED_DRY_RUN, REJECTED_DRY_RUN" },
    {},
};

static const struct hook hooks[] = {
    { .phase = PHASE_PREACCESS, .run = on_preaccess },
    {},
};

const struct module limit_req_module = {
    .name = "limit_req",
    .directives = directives,
    .variables = variables,
    .hooks = hooks,
    .settings_size = sizeof(struct req_settings),
    .check = check,
};
