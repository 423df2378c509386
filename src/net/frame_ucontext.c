/* The switch by the C library, for machines without one of ours (SWITCH=ucontext for all others).
 * It saves the signal mask, too: two system calls a switch.
 *
 * What `load_sp` points to is a context: on the stack that it was left from, or, before the first
 * switch, at the top of its own. */
#include "net/stack.h"

#include <stdint.h>
#include <ucontext.h>

struct context {
    ucontext_t machine;
    void (*run)(void *);
};

/* What the switch hands over: between the two halves of one nothing else runs on this thread. */
static _Thread_local struct {
    const struct context *to;
    void *arg;
} handed;

void fiber_entry(void)
{
    handed.to->run(handed.arg);
}

void *stack_frame(char *top, void (*run)(void *))
{
    size_t size = (sizeof(struct context) + 63) & ~(size_t)63;
    struct context *first = (struct context *)(void *)(top - size);
    char *end = (char *)first;

    getcontext(&first->machine);
    first->run = run;
    first->machine.uc_link = NULL;
    first->machine.uc_stack.ss_size = STACK_SIZE / 2; /* only its end counts */
    first->machine.uc_stack.ss_sp = end - STACK_SIZE / 2;
    makecontext(&first->machine, fiber_entry, 0);
    return first;
}

void *fiber_switch(void **ret_sp, void *load_sp, void *arg)
{
    struct context here = { .run = NULL };
    const struct context *to = load_sp;

    *ret_sp = &here;
    handed.to = to;
    handed.arg = arg;
    swapcontext(&here.machine, &to->machine);
    return handed.arg;
}
