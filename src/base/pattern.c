/* Regular expressions with limits, on PCRE2. A pattern is compiled to machine code where the
 * machine allows it. That code runs on a stack of its own, which belongs to the room: a fiber's is
 * small. Owns what it is named: patterns, and rooms with their stack. */
#include "base/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* PCRE2 counts the steps from each place where a match may begin, and NGINX grants ten million from
 * each: 8 KiB of path hold a worker for seconds. Here those from all places share MOST_IN_ALL, some
 * 15 ms of compiled code, where it is enough for a walk over the whole subject; none has more than
 * MOST_STEPS, some 2 ms. A step of interpreted code takes ten times as long.
 *
 * In a long subject a walk from each place is a second of work, and no count ends it: the places
 * get their turn PLACES_A_TURN at a time, and between turns the time is looked at. */
enum {
    PLACES_A_TURN = 512,
    MOST_TIME_US = 20000, /* of this thread's CPU */
    MOST_STEPS = 500000,
    BEYOND_A_WALK = 2000,
    MOST_IN_ALL = 4000000,
    MOST_DEPTH = 20000,     /* of the interpreter */
    MOST_HEAP = 16 << 10,   /* KiB; the interpreter's */
    FIRST_STACK = 32 << 10, /* of compiled code */
    MOST_STACK = 1 << 20
};

struct pattern {
    pcre2_code *code; /* owned */
    bool anchored;    /* it may begin in one place only */
    bool in_one_go;   /* `\G`, or a verb: where a turn begins would make a difference */
    unsigned groups;
    unsigned name_count;
    unsigned name_size; /* of an entry of `names`: two bytes of number, the name, a zero */
    PCRE2_SPTR names;   /* the code's */
};

struct pattern_room { /* all owned */
    pcre2_jit_stack *stack;
    pcre2_match_context *context;
    pcre2_match_data *data;
};

static bool refuse(const char *why, char ret_reason[PATTERN_REASON])
{
    snprintf(ret_reason, PATTERN_REASON, "%s", why);
    return false;
}

static bool read_shape(struct pattern *p, char ret_reason[PATTERN_REASON])
{
    uint32_t groups = 0, count = 0, size = 0, options = 0;

    if (pcre2_pattern_info(p->code, PCRE2_INFO_CAPTURECOUNT, &groups) != 0 ||
        pcre2_pattern_info(p->code, PCRE2_INFO_NAMECOUNT, &count) != 0 ||
        pcre2_pattern_info(p->code, PCRE2_INFO_NAMEENTRYSIZE, &size) != 0 ||
        pcre2_pattern_info(p->code, PCRE2_INFO_NAMETABLE, &p->names) != 0 ||
        pcre2_pattern_info(p->code, PCRE2_INFO_ALLOPTIONS, &options) != 0)
        return refuse("out of memory", ret_reason);
    if (groups >= PATTERN_MOST_GROUPS)
        return refuse("too many groups", ret_reason);
    p->anchored = (options & PCRE2_ANCHORED) != 0;
    p->groups = groups;
    p->name_count = count;
    p->name_size = size;
    return true;
}

static bool has(struct span text, const char *part)
{
    while (text.len > 0 && !span_starts(text, part))
        text = span_from(text, 1);
    return text.len > 0;
}

struct pattern *pattern_new(struct span text, bool caseless, char ret_reason[PATTERN_REASON],
                            size_t *ret_at)
{
    struct pattern *p = calloc(1, sizeof(*p));
    int error = 0;

    if (p == NULL)
        abort();
    *ret_at = text.len;
    p->in_one_go = has(text, "\\G") || has(text, "(*");
    p->code = pcre2_compile((PCRE2_SPTR)text.at, text.len,
                            PCRE2_USE_OFFSET_LIMIT | (caseless ? PCRE2_CASELESS : 0), &error,
                            ret_at, NULL);
    if (p->code == NULL)
        pcre2_get_error_message(error, (PCRE2_UCHAR *)ret_reason, PATTERN_REASON);
    if (p->code == NULL || !read_shape(p, ret_reason)) {
        pattern_free(&p);
        return NULL;
    }
    pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE); /* where it cannot, it is interpreted */
    return p;
}

void pattern_free(struct pattern **p)
{
    if (*p == NULL)
        return;
    pcre2_code_free((*p)->code);
    free(*p);
    *p = NULL;
}

unsigned pattern_group_count(const struct pattern *p)
{
    return p->groups;
}

unsigned pattern_name_count(const struct pattern *p)
{
    return p->name_count;
}

struct span pattern_name(const struct pattern *p, unsigned i, unsigned *ret_group)
{
    PCRE2_SPTR entry = p->names + (size_t)i * p->name_size;

    *ret_group = (unsigned)entry[0] << 8 | entry[1];
    return span_of((const char *)entry + 2);
}

static struct pattern_room *room_new(void)
{
    struct pattern_room *room = calloc(1, sizeof(*room));

    if (room == NULL)
        abort();
    room->context = pcre2_match_context_create(NULL);
    room->data = pcre2_match_data_create(PATTERN_MOST_GROUPS, NULL);
    if (room->context == NULL || room->data == NULL)
        abort();
    pcre2_set_depth_limit(room->context, MOST_DEPTH);
    pcre2_set_heap_limit(room->context, MOST_HEAP);
    room->stack = pcre2_jit_stack_create(FIRST_STACK, MOST_STACK, NULL);
    if (room->stack != NULL) /* else this machine makes no code, and all is interpreted */
        pcre2_jit_stack_assign(room->context, NULL, room->stack);
    return room;
}

static size_t steps_from_each_place(const struct pattern *p, struct span subject)
{
    size_t share = MOST_IN_ALL / (subject.len + 1), walk = subject.len + BEYOND_A_WALK;
    size_t steps = share > walk ? share : walk;

    return p->anchored || steps > MOST_STEPS ? MOST_STEPS : steps;
}

/* From the places `first` to `last`. */
static int match(const struct pattern *p, struct pattern_room *room, struct span subject,
                 size_t steps, size_t first, size_t last)
{
    pcre2_set_match_limit(room->context, (uint32_t)steps);
    pcre2_set_offset_limit(room->context, last);
    return pcre2_match(p->code, (PCRE2_SPTR)(subject.at != NULL ? subject.at : ""), subject.len,
                       first, 0, room->data, room->context);
}

static uint64_t cpu_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static bool is_long(struct span subject)
{
    return subject.len > PLACES_A_TURN;
}

static int match_in_turns(const struct pattern *p, struct pattern_room *room, struct span subject,
                          size_t steps, uint64_t began)
{
    int got = PCRE2_ERROR_NOMATCH;

    for (size_t first = 0; first <= subject.len && got == PCRE2_ERROR_NOMATCH;
         first += PLACES_A_TURN) {
        if (first > 0 && cpu_us() - began > MOST_TIME_US)
            return PCRE2_ERROR_MATCHLIMIT;
        got = match(p, room, subject, steps, first, first + PLACES_A_TURN - 1);
    }
    return got;
}

static int match_anywhere(const struct pattern *p, struct pattern_room *room, struct span subject,
                          uint64_t began)
{
    size_t steps = steps_from_each_place(p, subject);

    return p->anchored || p->in_one_go || !is_long(subject)
               ? match(p, room, subject, steps, 0, PCRE2_UNSET)
               : match_in_turns(p, room, subject, steps, began);
}

enum pattern_verdict pattern_match(const struct pattern *p, struct pattern_room **room,
                                   struct span subject, struct pattern_groups *ret)
{
    if (*room == NULL)
        *room = room_new();
    uint64_t began = is_long(subject) ? cpu_us() : 0;
    int got = match_anywhere(p, *room, subject, began);
    bool has_time = !is_long(subject) || cpu_us() - began <= MOST_TIME_US;
    if (got == PCRE2_ERROR_MATCHLIMIT && !p->anchored && has_time) {
        /* a long match right from the start, or behind the first slash, is nobody's attack */
        got = match(p, *room, subject, MOST_STEPS, 0, 1);
        if (got < 0)
            return PATTERN_LIMIT;
    }
    if (got == PCRE2_ERROR_NOMATCH)
        return PATTERN_NO;
    if (got < 0)
        return PATTERN_LIMIT;
    *ret = (struct pattern_groups){ .subject = subject,
                                    .bounds = pcre2_get_ovector_pointer((*room)->data),
                                    .count = (unsigned)got };
    return PATTERN_MATCH;
}

struct span pattern_group(const struct pattern_groups *g, unsigned n)
{
    if (n >= g->count || g->bounds[2 * n] == PCRE2_UNSET)
        return (struct span){ NULL, 0 };
    size_t from = g->bounds[2 * n], to = g->bounds[2 * n + 1];
    if (to < from) /* `\K` inside a look-ahead */
        to = from;
    return (struct span){ g->subject.at + from, to - from };
}

void pattern_room_free(struct pattern_room **room)
{
    if (*room == NULL)
        return;
    pcre2_match_context_free((*room)->context);
    pcre2_match_data_free((*room)->data);
    pcre2_jit_stack_free((*room)->stack);
    free(*room);
    *room = NULL;
}
