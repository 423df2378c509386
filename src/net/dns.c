/* The resolver: names become addresses.
 *
 *     lookup: hosts? cache? --no--> question (one a name) <--- all who ask the same wait here;
 *                                      |                         who has a stale answer, not long
 *                                      |  a fiber, and a child
 *                              +-------+-------+
 *                           inquiry AAAA    inquiry A    each: servers in turn, two rounds
 * (dns_ask.c)
 *                              +-------+-------+
 *                                      v
 *                              result: cached, copied to all who wait
 *
 * A question goes on when those who asked have left, until its own time is up: then what it learns
 * is at hand for the next. Owns the questions, the cache, the table of hosts; a question holds a
 * reference to its resolver. */
#include "net/dns.h"

#include "base/link.h"
#include "net/dns_ask.h"
#include "net/dns_cache.h"
#include "net/dns_hosts.h"
#include "net/dns_wire.h"
#include "net/fiber.h"
#include "net/loop.h"

#include <stdlib.h>

enum {
    MOST_QUESTIONS = 1024, /* at the same time */
    ROUNDS = 2,
    LEAST_TRY_MS = 1000,
    LONGEST_KEPT_S = 24 * 60 * 60,
    LONGEST_NEGATIVE_S = 60,
    FAULT_KEPT_MS = 1000,  /* servers silent or broken: not every request waits for that anew */
    HALF_KEPT_MS = 10000,  /* addresses of one family found, nothing known of the other */
    HALF_WAIT_MS = 50,     /* for the other family (RFC 8305 3) */
    STALE_AFTER_MS = 1800, /* of waiting for a name that was known (RFC 8767 5) */
    STALE_KEPT_MS = 30000  /* and so long nobody waits again */
};

struct resolver {
    struct loop *loop;
    struct resolver_options options; /* without the hosts' text */
    struct hosts hosts;
    struct dns_cache cache;
    struct link questions; /* under way */
    unsigned question_count;
    unsigned users;
    unsigned refs; /* its users', and one for each question */
    bool closing;
};

/* Who waits for a question. Lies on its fiber's stack. */
struct asker {
    struct link link;
    struct wait wait;
    struct resolve_result *result;
};

/* One kind of address of one name. */
struct inquiry {
    struct question *question;
    struct dns_name name; /* asked for now: the question's, or an alias */
    enum { INQUIRY_WAITS, INQUIRY_RUNS, INQUIRY_ENDED } state;
    enum ask outcome;
    unsigned aliases; /* followed so far */
    uint32_t seconds; /* the least time to live of all that was followed */
    unsigned unable;  /* a bit for each server that will not answer this */
    struct dns_ask ask;
};

struct question {
    struct link link;
    struct link askers;
    struct resolver *resolver;
    struct fiber *fiber; /* NULL: not yet running */
    struct dns_name name;
    uint64_t began, deadline;
    unsigned inquiry_count;
    struct inquiry inquiries[2]; /* IPv6 first */
    struct wait *patient;        /* of the inquiry that has ended, for the other */
    struct resolve_result result;
};

/* --- an inquiry: servers in turn, aliases one by one ---------------------------------------- */

static uint64_t try_ends(const struct inquiry *i)
{
    const struct resolver *r = i->question->resolver;
    uint64_t own = r->options.timeout_ms / (r->options.server_count * ROUNDS);
    uint64_t at = loop_now(r->loop) + (own > LEAST_TRY_MS ? own : LEAST_TRY_MS);

    return at < i->question->deadline ? at : i->question->deadline;
}

static enum ask ask_server(struct inquiry *i, const struct address *server)
{
    struct dns_ask *ask = &i->ask;

    ask->question.aliases_left = DNS_MOST_ALIASES - i->aliases;
    enum ask outcome = dns_ask(ask, server, try_ends(i));
    if (outcome == ASK_ANSWERED && (ask->reply == DNS_UNABLE || ask->reply == DNS_BROKEN))
        return ASK_UNABLE;
    return outcome;
}

/* Who said that it will not answer is not asked again; who was silent, once more. */
static enum ask ask_servers(struct inquiry *i)
{
    const struct resolver *r = i->question->resolver;
    unsigned tries = r->options.server_count * ROUNDS;

    i->unable = 0;
    for (unsigned at = 0; at < tries && loop_now(r->loop) < i->question->deadline; at++) {
        unsigned server = at % r->options.server_count;

        if (i->unable & 1u << server)
            continue;
        enum ask outcome = ask_server(i, &r->options.servers[server]);
        if (outcome == ASK_ANSWERED || outcome == ASK_CANCELLED)
            return outcome;
        if (outcome == ASK_UNABLE)
            i->unable |= 1u << server;
    }
    return i->unable != 0 ? ASK_UNABLE : ASK_SILENT;
}

static void follow(struct inquiry *i)
{
    const struct dns_answer *answer = &i->ask.answer;

    for (;;) {
        i->outcome = ask_servers(i);
        if (i->outcome != ASK_ANSWERED)
            return;
        i->aliases += answer->aliases;
        if (answer->seconds < i->seconds)
            i->seconds = answer->seconds;
        if (i->ask.reply != DNS_ALIAS)
            return;
        i->name = answer->alias;
    }
}

/* --- a question: its inquiries, and what they come to --------------------------------------- */

static bool has_addresses(const struct inquiry *i)
{
    return i->state == INQUIRY_ENDED && i->outcome == ASK_ANSWERED && i->ask.reply == DNS_ADDRESSES;
}

static void add_addresses(struct resolve_result *result, const struct inquiry *i)
{
    const struct dns_answer *answer = &i->ask.answer;
    unsigned n = RESOLVE_MOST - result->count;

    if (n > answer->count)
        n = answer->count;
    memcpy(&result->addresses[result->count], answer->addresses, n * sizeof(struct address));
    result->count += n;
}

static enum resolve_fault fault_of(const struct question *q)
{
    enum resolve_fault fault = RESOLVE_NO_NAME;

    if (q->result.count > 0)
        return RESOLVE_FOUND;
    for (unsigned n = 0; n < q->inquiry_count; n++) {
        enum ask outcome = q->inquiries[n].outcome;

        if (outcome == ASK_SILENT)
            return RESOLVE_SILENT;
        if (outcome != ASK_ANSWERED)
            fault = RESOLVE_BROKEN;
    }
    return fault;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How long the result may be kept. */
static uint64_t keep_ms(const struct question *q)
{
    const struct resolver_options *o = &q->resolver->options;
    bool found = q->result.count > 0, half = false;
    uint64_t seconds = found ? LONGEST_KEPT_S : LONGEST_NEGATIVE_S;

    if (q->result.fault == RESOLVE_SILENT || q->result.fault == RESOLVE_BROKEN)
        return FAULT_KEPT_MS;
    for (unsigned n = 0; n < q->inquiry_count; n++) {
        const struct inquiry *i = &q->inquiries[n];

        half = half || i->state != INQUIRY_ENDED || i->outcome != ASK_ANSWERED;
        if (!found || has_addresses(i))
            seconds = smaller(seconds, i->seconds);
    }
    uint64_t ms = found && o->valid_ms > 0 ? o->valid_ms : seconds * 1000;
    return half ? smaller(ms, HALF_KEPT_MS) : ms;
}

static void answer_askers(struct question *q)
{
    while (!link_alone(&q->askers)) {
        struct asker *a = CONTAINER(q->askers.next, struct asker, link);

        link_remove(&a->link);
        *a->result = q->result;
        wait_wake(&a->wait, WAKE_DONE);
    }
}

/* What is known so far becomes the result, and is kept for as long as it may be. */
static void conclude(struct question *q)
{
    struct resolver *r = q->resolver;
    uint64_t now = loop_now(r->loop);

    q->result.count = 0;
    for (unsigned n = 0; n < q->inquiry_count; n++)
        if (has_addresses(&q->inquiries[n]))
            add_addresses(&q->result, &q->inquiries[n]);
    q->result.fault = fault_of(q);
    bool failed = q->result.fault == RESOLVE_SILENT || q->result.fault == RESOLVE_BROKEN;
    if (fiber_cancelled() ||
        (failed && dns_cache_renew(&r->cache, &q->name, now, now + STALE_KEPT_MS, &q->result)))
        return;
    uint64_t ms = keep_ms(q);
    if (ms > 0)
        dns_cache_put(&r->cache, &q->name, &q->result, now + ms);
}

/* One kind of address is there: a moment later it is told, also without the other. */
static void wait_for_the_other(struct question *q)
{
    struct wait w = { 0 };

    q->patient = &w;
    enum wake why = fiber_wait(&w, loop_now(q->resolver->loop) + HALF_WAIT_MS);
    q->patient = NULL;
    if (why != WAKE_TIMEOUT)
        return;
    conclude(q);
    answer_askers(q);
}

static bool any_runs(const struct question *q)
{
    return q->inquiries[0].state == INQUIRY_RUNS || q->inquiries[1].state == INQUIRY_RUNS;
}

static void run_inquiry(void *arg)
{
    struct inquiry *i = arg;
    struct question *q = i->question;

    i->state = INQUIRY_RUNS;
    follow(i);
    i->state = INQUIRY_ENDED;
    if (q->patient != NULL)
        wait_wake(q->patient, WAKE_DONE);
    else if (has_addresses(i) && any_runs(q))
        wait_for_the_other(q);
}

static void resolver_unref(struct resolver *r)
{
    if (--r->refs > 0)
        return;
    dns_cache_done(&r->cache);
    hosts_done(&r->hosts);
    free(r);
}

static void question_end(struct question *q)
{
    struct resolver *r = q->resolver;

    answer_askers(q);
    link_remove(&q->link);
    r->question_count--;
    free(q);
    resolver_unref(r);
}

static void run_question(void *arg)
{
    struct question *q = arg;
    struct family family = { 0 };
    bool both = q->inquiry_count == 2;

    q->fiber = fiber_self();
    if (!q->resolver->closing) {
        if (both && fiber_spawn(NULL, &family, run_inquiry, &q->inquiries[1]) == 0)
            both = false;
        run_inquiry(&q->inquiries[0]);
        family_join(&family);
        if (both) /* no stack for a child: one after the other */
            run_inquiry(&q->inquiries[1]);
        conclude(q);
    }
    question_end(q);
}

static void add_inquiry(struct question *q, enum dns_type type)
{
    struct inquiry *i = &q->inquiries[q->inquiry_count++];

    i->question = q;
    i->name = q->name;
    i->outcome = ASK_CANCELLED;
    i->ask.loop = q->resolver->loop;
    i->ask.question = (struct dns_question){ .name = &i->name, .type = type };
    i->seconds = UINT32_MAX;
}

/* NULL: too many, or no memory. */
static struct question *question_new(struct resolver *r, const struct dns_name *name)
{
    struct question *q = r->question_count < MOST_QUESTIONS ? calloc(1, sizeof(*q)) : NULL;

    if (q == NULL)
        return NULL;
    q->resolver = r;
    q->name = *name;
    q->began = loop_now(r->loop);
    q->deadline = q->began + r->options.timeout_ms;
    link_init(&q->askers);
    if (r->options.ipv6)
        add_inquiry(q, DNS_AAAA);
    if (r->options.ipv4)
        add_inquiry(q, DNS_A);
    if (fiber_spawn(&r->loop->fibers, NULL, run_question, q) < 0) {
        free(q);
        return NULL;
    }
    link_append(&r->questions, &q->link);
    r->question_count++;
    r->refs++;
    return q;
}

/* --- lookup --------------------------------------------------------------------------------- */

static struct question *question_find(struct resolver *r, const struct dns_name *name)
{
    for (struct link *l = r->questions.next; l != &r->questions; l = l->next) {
        struct question *q = CONTAINER(l, struct question, link);

        if (span_same(dns_name_span(&q->name), dns_name_span(name)))
            return q;
    }
    return NULL;
}

/* Timeout, cancel: the question forgets the asker at once, before its fiber runs. */
static bool leave(struct wait *w)
{
    link_remove(&CONTAINER(w, struct asker, wait)->link);
    return true;
}

/* `ret` is untouched but for IO_OK. */
static enum io ask(struct question *q, uint64_t deadline, struct resolve_result *ret)
{
    struct asker a = { .wait.abandon = leave, .result = ret };

    link_append(&q->askers, &a.link);
    switch (fiber_wait(&a.wait, deadline)) {
    case WAKE_DONE:
        return IO_OK;
    case WAKE_TIMEOUT:
        return IO_TIMEOUT;
    case WAKE_CANCEL:
        break;
    }
    return IO_CANCELLED;
}

/* `ret` holds stale addresses, which are good enough when nothing better comes in time. */
static enum io ask_for_better(struct question *q, uint64_t deadline, struct resolve_result *ret)
{
    if (q == NULL || loop_now(q->resolver->loop) >= q->began + STALE_AFTER_MS)
        return IO_OK;
    enum io io = ask(q, smaller(deadline, q->began + STALE_AFTER_MS), ret);
    return io == IO_TIMEOUT ? IO_OK : io;
}

static bool find_in_hosts(const struct resolver *r, const struct dns_name *name,
                          struct resolve_result *ret)
{
    unsigned count = 0;

    if (r->options.ipv6)
        count = hosts_find(&r->hosts, name, AF_INET6, RESOLVE_MOST / 2, ret->addresses);
    if (r->options.ipv4)
        count += hosts_find(&r->hosts, name, AF_INET, RESOLVE_MOST / 2, ret->addresses + count);
    if (count == 0)
        return false;
    ret->count = count;
    ret->fault = RESOLVE_FOUND;
    return true;
}

static enum io no_addresses(struct resolve_result *ret, enum resolve_fault fault)
{
    ret->count = 0;
    ret->fault = fault;
    return IO_OK;
}

enum io resolver_lookup(struct resolver *r, struct span name, uint64_t deadline,
                        struct resolve_result *ret)
{
    struct dns_name asked;

    if (!dns_name_read(name, &asked))
        return no_addresses(ret, RESOLVE_NO_NAME);
    if (find_in_hosts(r, &asked, ret) || dns_cache_find(&r->cache, &asked, loop_now(r->loop), ret))
        return IO_OK;
    if (r->options.server_count == 0 || (!r->options.ipv4 && !r->options.ipv6))
        return no_addresses(ret, RESOLVE_BROKEN);

    struct question *q = question_find(r, &asked);
    if (q == NULL)
        q = question_new(r, &asked);
    if (dns_cache_find_stale(&r->cache, &asked, loop_now(r->loop), ret))
        return ask_for_better(q, deadline, ret);
    return q != NULL ? ask(q, deadline, ret) : no_addresses(ret, RESOLVE_BROKEN);
}

/* --- life ----------------------------------------------------------------------------------- */

struct resolver *resolver_new(struct loop *l, const struct resolver_options *options)
{
    struct resolver *r = calloc(1, sizeof(*r));

    if (r == NULL || hosts_init(&r->hosts, options->hosts) < 0) {
        free(r);
        return NULL;
    }
    r->loop = l;
    r->options = *options;
    r->options.hosts = (struct span){ NULL, 0 };
    r->users = r->refs = 1;
    link_init(&r->questions);
    dns_cache_init(&r->cache, l->budget);
    return r;
}

struct resolver *resolver_share(struct resolver *r)
{
    r->users++;
    return r;
}

bool resolver_has(const struct resolver *r, const struct resolver_options *options)
{
    const struct resolver_options *have = &r->options;

    if (have->server_count != options->server_count || have->timeout_ms != options->timeout_ms ||
        have->valid_ms != options->valid_ms || have->ipv4 != options->ipv4 ||
        have->ipv6 != options->ipv6)
        return false;
    for (unsigned i = 0; i < have->server_count; i++)
        if (!address_same(&have->servers[i], &options->servers[i]))
            return false;
    return true;
}

void resolver_free(struct resolver **ref)
{
    struct resolver *r = *ref;

    if (r == NULL)
        return;
    *ref = NULL;
    if (--r->users > 0)
        return;
    r->closing = true;
    for (struct link *l = r->questions.next; l != &r->questions; l = l->next) {
        struct question *q = CONTAINER(l, struct question, link);

        if (q->fiber != NULL)
            fiber_cancel(q->fiber);
    }
    resolver_unref(r);
}
