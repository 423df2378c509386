/* The scheduler of fibers: a queue of those that were woken, and a pool of stacks.
 *
 *     the loop's stack:  fibers_run_queue -> resume ==> fiber ... fiber_wait ==> resume ...
 *
 * Switches go between the loop's stack and a fiber's only, never from fiber to fiber. A fiber's
 * record lies at the top of its own stack.
 *
 * Owns the stacks, idle or in use. */
#include "net/fiber.h"

#include "base/budget.h"
#include "net/must.h"
#include "net/stack.h"

#include <errno.h>

enum { KEEP_IDLE = 64, TRIM_AT_ONCE = 128 };
/* What a stack is charged with: all of it. A quarter is what is used as a rule, but a ceiling that
 * holds as a rule is none. */
enum { STACK_CHARGE = 64 * 1024 };

struct fiber {
    void *sp;
    struct fiber *next; /* in one of the scheduler's three lists */
    struct link made;   /* among all stacks, for tools/gdb.py */
    struct fibers *owner;
    struct wait *wait;   /* what it sleeps in; NULL: awake, or already given up */
    void (*run)(void *); /* NULL: it has ended, and is a stack for another */
    void *arg;
    struct family *family; /* NULL: detached */
    struct fiber *sibling;
    struct fiber **from_sibling;
    void *(*call)(void *); /* to be made for it on the loop's stack */
    int shield;
    bool cancelled;
    char *lowest;
    struct stack_shadow shadow;
};

/* The one variable of the thread: the fiber API is called from everywhere, also where nobody has
 * the loop at hand, and must know whose fiber calls. Set while the run queue runs. */
static _Thread_local struct {
    struct fibers *scheduler;
    struct stack_shadow loop;
} here;

struct fiber *fiber_self(void)
{
    return here.scheduler != NULL ? here.scheduler->running : NULL;
}

/* --- queues --------------------------------------------------------------------------------- */

static void append(struct fiber ***end, struct fiber *f)
{
    f->next = NULL;
    **end = f;
    *end = &f->next;
}

static void make_ready(struct fiber *f)
{
    append(&f->owner->ready_end, f);
}

static struct fiber *pop_ready(struct fibers *fs)
{
    struct fiber *f = fs->ready;

    fs->ready = f->next;
    if (fs->ready == NULL)
        fs->ready_end = &fs->ready;
    return f;
}

/* They come in the next turn: who yields lets the loop look for events first. */
static void ready_the_yielded(struct fibers *fs)
{
    if (fs->yielded == NULL)
        return;
    *fs->ready_end = fs->yielded;
    fs->ready_end = fs->yielded_end;
    fs->yielded = NULL;
    fs->yielded_end = &fs->yielded;
}

/* --- switches ------------------------------------------------------------------------------- */

static void enter(struct fibers *fs, struct fiber *f)
{
    stack_leave(&here.loop, &f->shadow);
    fiber_switch(&fs->loop_sp, f->sp, f);
    stack_arrive(&here.loop, NULL);
}

static void resume(struct fibers *fs, struct fiber *f)
{
    fs->running = f;
    enter(fs, f);
    while (f->call != NULL) { /* an ended fiber's record is still mapped: only fibers_trim unmaps */
        fs->running = NULL;
        f->arg = f->call(f->arg);
        f->call = NULL;
        fs->running = f;
        enter(fs, f);
    }
    fs->running = NULL;
}

/* Returns when somebody resumes the fiber. */
static void suspend(struct fiber *f)
{
    stack_leave(&f->shadow, &here.loop);
    fiber_switch(&f->sp, f->owner->loop_sp, NULL);
    stack_arrive(&f->shadow, &here.loop);
}

void fibers_run_queue(struct fibers *fs)
{
    struct fibers *outer = here.scheduler;

    here.scheduler = fs;
    ready_the_yielded(fs);
    while (fs->ready != NULL) {
        resume(fs, pop_ready(fs));
        if (fs->ready == NULL && fs->on_room != NULL)
            fs->on_room(fs->room_arg);
    }
    here.scheduler = outer;
}

bool fibers_have_yielded(const struct fibers *fs)
{
    return fs->yielded != NULL;
}

void fiber_yield(void)
{
    struct fiber *f = fiber_self();

    must(f != NULL);
    append(&f->owner->yielded_end, f);
    suspend(f);
}

void *fiber_on_loop_stack(void *(*fn)(void *), void *arg)
{
    struct fiber *f = fiber_self();

    if (f == NULL)
        return fn(arg);
    f->call = fn;
    f->arg = arg;
    suspend(f);
    return f->arg;
}

/* --- waiting -------------------------------------------------------------------------------- */

static bool let_go(struct wait *w)
{
    return w->abandon == NULL || w->abandon(w);
}

/* The sleeper gives up. If the kernel still holds its memory, it sleeps on until wait_wake. */
static void give_up(struct wait *w, enum wake why)
{
    struct fiber *f = w->fiber;

    f->wait = NULL;
    w->why = why;
    timer_unset(f->owner->wheel, &w->timer);
    if (!let_go(w) || w->fired)
        return;
    w->fired = true;
    make_ready(f);
}

static void on_deadline(struct timer *t)
{
    give_up((struct wait *)(void *)((char *)t - offsetof(struct wait, timer)), WAKE_TIMEOUT);
}

enum wake fiber_wait(struct wait *w, uint64_t deadline)
{
    struct fiber *f = fiber_self();

    must(f != NULL); /* the loop's own stack never sleeps */
    if (w->fired)
        return w->why;
    if (f->owner->cancel_in > 0 && --f->owner->cancel_in == 0)
        fiber_cancel(f);
    w->fiber = f;
    if (f->cancelled && f->shield == 0) {
        w->why = WAKE_CANCEL;
        if (let_go(w) || w->fired)
            return WAKE_CANCEL;
    } else {
        f->wait = w;
        w->timer.on_time = on_deadline;
        if (deadline != TIMER_NEVER)
            timer_set(f->owner->wheel, &w->timer, deadline);
    }
    suspend(f);
    return w->why;
}

void wait_wake(struct wait *w, enum wake why)
{
    struct fiber *f = w->fiber;

    if (w->fired)
        return;
    w->fired = true;
    if (f == NULL) { /* it has not slept yet, and will not */
        w->why = why;
        return;
    }
    if (f->wait != w) {        /* it gave up before, and keeps that reason */
        if (f != fiber_self()) /* else it is in fiber_wait still, asking to let go */
            make_ready(f);
        return;
    }
    f->wait = NULL;
    w->why = why;
    timer_unset(f->owner->wheel, &w->timer);
    make_ready(f);
}

void fiber_cancel(struct fiber *f)
{
    f->cancelled = true;
    if (f->wait != NULL && f->shield == 0)
        give_up(f->wait, WAKE_CANCEL);
}

bool fiber_cancelled(void)
{
    struct fiber *f = fiber_self();

    return f != NULL && f->cancelled;
}

void fiber_revive(void)
{
    fiber_self()->cancelled = false;
}

int fiber_shield(int add)
{
    struct fiber *f = fiber_self();

    return f != NULL ? f->shield += add : 0;
}

/* --- families ------------------------------------------------------------------------------- */

static void join_family(struct fiber *f, struct family *family)
{
    f->family = family;
    f->sibling = family->first;
    f->from_sibling = &family->first;
    if (f->sibling != NULL)
        f->sibling->from_sibling = &f->sibling;
    family->first = f;
}

static void leave_family(struct fiber *f)
{
    struct family *family = f->family;

    *f->from_sibling = f->sibling;
    if (f->sibling != NULL)
        f->sibling->from_sibling = f->from_sibling;
    f->family = NULL;
    if (family->first == NULL && family->joiner != NULL)
        wait_wake(family->joiner, WAKE_DONE);
}

static enum wake wait_for_last(struct family *f)
{
    struct wait w = { 0 };

    f->joiner = &w;
    enum wake why = fiber_wait(&w, TIMER_NEVER);
    f->joiner = NULL;
    return why;
}

/* Shielded: whoever ends a family may be cancelled himself, and has to wait all the same. */
void family_end(struct family *f)
{
    for (struct fiber *child = f->first; child != NULL; child = child->sibling)
        fiber_cancel(child);

    fiber_shield(+1);
    while (f->first != NULL)
        wait_for_last(f);
    fiber_shield(-1);
}

void family_join(struct family *f)
{
    while (f->first != NULL)
        if (wait_for_last(f) == WAKE_CANCEL) {
            family_end(f);
            return;
        }
}

/* --- birth and death ------------------------------------------------------------------------ */

/* The record lies on the stack that still runs: it may be idle already, but not unmapped. */
static void retire(struct fiber *f)
{
    struct fibers *fs = f->owner;

    if (f->family != NULL)
        leave_family(f);
    f->run = NULL;
    fs->live--;
    fs->idle_count++;
    f->next = fs->idle;
    fs->idle = f;
}

static void body(void *arg)
{
    struct fiber *f = arg;

    stack_arrive(&f->shadow, &here.loop);
    f->run(f->arg);
    retire(f);
    stack_leave(NULL, &here.loop);
    fiber_switch(&f->sp, f->owner->loop_sp, NULL);
    __builtin_unreachable();
}

static struct fiber *make(struct fibers *fs)
{
    if (!budget_take(fs->budget, STACK_CHARGE))
        return NULL;
    char *lowest = stack_map();
    if (lowest == NULL) {
        budget_give(fs->budget, STACK_CHARGE);
        return NULL;
    }

    size_t record = (sizeof(struct fiber) + 63) & ~(size_t)63;
    struct fiber *f = (struct fiber *)(void *)(lowest + STACK_SIZE - record);
    *f = (struct fiber){ .owner = fs, .lowest = lowest };
    link_append(&fs->made, &f->made);
    return f;
}

static void unmake(struct fiber *f)
{
    link_remove(&f->made);
    budget_give(f->owner->budget, STACK_CHARGE);
    stack_unmap(f->lowest);
}

static struct fiber *pop_idle(struct fibers *fs)
{
    struct fiber *f = fs->idle;

    fs->idle = f->next;
    fs->idle_count--;
    return f;
}

/* A family that is being ended takes no child that would live on. */
static bool born_cancelled(const struct family *family)
{
    const struct fiber *self = fiber_self();

    return family != NULL && self != NULL && self->family == family && self->cancelled;
}

int fiber_spawn(struct fibers *owner, struct family *family, void (*run)(void *), void *arg)
{
    struct fibers *fs = owner != NULL ? owner : here.scheduler;

    if (fs->live >= fs->max)
        return -ENOMEM;
    struct fiber *f = fs->idle != NULL ? pop_idle(fs) : make(fs);
    if (f == NULL)
        return -ENOMEM;

    *f = (struct fiber){
        .sp = stack_frame((char *)f, body),
        .made = f->made,
        .owner = fs,
        .run = run,
        .arg = arg,
        .cancelled = born_cancelled(family),
        .lowest = f->lowest,
        .shadow = { .lowest = f->lowest, .size = STACK_SIZE },
    };
    if (family != NULL)
        join_family(f, family);
    fs->live++;
    fs->started++;
    make_ready(f);
    return 0;
}

void fibers_init(struct fibers *fs, struct wheel *wheel, uint32_t max, struct budget *budget)
{
    *fs = (struct fibers){ .wheel = wheel, .max = max, .budget = budget };
    link_init(&fs->made);
    fs->ready_end = &fs->ready;
    fs->yielded_end = &fs->yielded;
}

void fibers_done(struct fibers *fs)
{
    must(fs->live == 0);
    while (fs->idle != NULL)
        unmake(pop_idle(fs));
}

void fibers_trim(struct fibers *fs)
{
    uint32_t keep = KEEP_IDLE + fs->live / 2;

    for (int i = 0; i < TRIM_AT_ONCE && fs->idle_count > keep; i++)
        unmake(pop_idle(fs));
}
