/* A wheel of timers, after the hashed hierarchical wheels of Varghese and Lauck.
 *
 *     level 0: the 64 ticks of now's block     [ . . . T . x . . ]     T: the last tick worked off
 *     level 1: the 64 blocks of now's block    [ . . T . . x x . ]     x: timers, right of T
 *     ... 2, 3, and a list for what lies beyond
 *
 * A timer lies on the level of the highest digit (base 64) in which its tick differs from T. So
 * on every level all that is set lies to the right of T: the first bit of the lowest level in
 * use is what comes next, and T may jump there. A slot above level 0 is then dealt out to the
 * levels below.
 *
 * Owns nothing: timers lie in what they time. */
#include "net/timer.h"

enum { SLOT_BITS = 6, WHEEL_BITS = SLOT_BITS * WHEEL_LEVELS };

static uint64_t tick_of(uint64_t at) /* the first one that is not before `at` */
{
    return at / TIMER_TICK_MS + (at % TIMER_TICK_MS != 0);
}

static void insert(struct timer **head, struct timer *t)
{
    t->next = *head;
    t->pprev = head;
    if (t->next != NULL)
        t->next->pprev = &t->next;
    *head = t;
}

static void take_out(struct timer *t)
{
    *t->pprev = t->next;
    if (t->next != NULL)
        t->next->pprev = t->pprev;
    t->pprev = NULL;
    t->next = NULL;
}

static void place(struct wheel *w, struct timer *t, uint64_t tick)
{
    uint64_t differs = tick ^ w->tick;

    if (differs >> WHEEL_BITS != 0) {
        insert(&w->far, t);
        return;
    }
    unsigned level = (63 - (unsigned)__builtin_clzll(differs)) / SLOT_BITS;
    unsigned slot = tick >> (level * SLOT_BITS) & (WHEEL_SLOTS - 1);
    insert(&w->slot[level][slot], t);
    w->occupied[level] |= UINT64_C(1) << slot;
}

void wheel_init(struct wheel *w, uint64_t now)
{
    *w = (struct wheel){ .tick = now / TIMER_TICK_MS };
}

void timer_unset(struct wheel *w, struct timer *t)
{
    struct timer **from = t->pprev;

    if (from == NULL)
        return;
    take_out(t);
    w->count--;

    /* Was it the last of its slot? `from` may also lie in another timer, or in wheel_turn. */
    size_t index = ((uintptr_t)from - (uintptr_t)w->slot) / sizeof(*from);
    if (index < WHEEL_LEVELS * WHEEL_SLOTS && *from == NULL)
        w->occupied[index / WHEEL_SLOTS] &= ~(UINT64_C(1) << index % WHEEL_SLOTS);
}

void timer_set(struct wheel *w, struct timer *t, uint64_t at)
{
    uint64_t tick = tick_of(at);

    timer_unset(w, t);
    if (at == TIMER_NEVER)
        return;
    t->at = at;
    w->count++;
    place(w, t, tick > w->tick ? tick : w->tick + 1);
}

/* Where something is to be done next: a slot, or level WHEEL_LEVELS: the far list. False:
 * nothing. */
static bool next_slot(const struct wheel *w, unsigned *ret_level, uint64_t *ret_tick)
{
    unsigned level = 0;

    while (level < WHEEL_LEVELS && w->occupied[level] == 0)
        level++;
    if (level == WHEEL_LEVELS && w->far == NULL)
        return false;

    unsigned shift = level * SLOT_BITS;
    uint64_t slot = level < WHEEL_LEVELS ? (uint64_t)__builtin_ctzll(w->occupied[level])
                                         : (w->tick >> shift) + 1;
    unsigned above = level < WHEEL_LEVELS ? shift + SLOT_BITS : 64;
    uint64_t base = above < 64 ? w->tick >> above << above : 0;

    *ret_level = level;
    *ret_tick = base | slot << shift;
    return true;
}

uint64_t wheel_next(const struct wheel *w)
{
    unsigned level;
    uint64_t tick;

    return next_slot(w, &level, &tick) ? tick * TIMER_TICK_MS : TIMER_NEVER;
}

/* Fires or deals out what lay in one slot; `due` is its list. */
static void work_off(struct wheel *w, struct timer **due)
{
    while (*due != NULL) { /* a callback may unset others of this list */
        struct timer *t = *due;
        uint64_t tick = tick_of(t->at);

        take_out(t);
        if (tick > w->tick) {
            place(w, t, tick);
            continue;
        }
        w->count--;
        t->on_time(t);
    }
}

void wheel_turn(struct wheel *w, uint64_t now)
{
    uint64_t now_tick = now / TIMER_TICK_MS;
    unsigned level;
    uint64_t tick;

    while (next_slot(w, &level, &tick) && tick <= now_tick) {
        unsigned slot = tick >> (level * SLOT_BITS) & (WHEEL_SLOTS - 1);
        struct timer **from = level < WHEEL_LEVELS ? &w->slot[level][slot] : &w->far;
        struct timer *due = *from;

        w->tick = tick;
        *from = NULL;
        due->pprev = &due;
        if (level < WHEEL_LEVELS)
            w->occupied[level] &= ~(UINT64_C(1) << slot);
        work_off(w, &due);
    }
    if (now_tick > w->tick)
        w->tick = now_tick;
}
