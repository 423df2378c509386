#ifndef NET_STACK_H
#define NET_STACK_H

#include <sanitizer/common_interface_defs.h>
#include <stdbool.h>
#include <stddef.h>

/* Private to fiber.c: the memory of a stack, and what a switch must tell the sanitizer. */

#if defined(__SANITIZE_ADDRESS__)
#    define STACK_SANITIZED 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define STACK_SANITIZED 1
#    endif
#endif

/* What lies between the variables of a sanitized frame needs room, too. */
#ifdef STACK_SANITIZED
enum { STACK_SIZE = 256 * 1024 };
#else
enum { STACK_SIZE = 64 * 1024 };
#endif
enum { STACK_GUARD = 64 * 1024 };

/* The lowest usable byte of STACK_SIZE; below it lies the guard. NULL: the kernel refuses the
 * memory, or the mapping for the guard (near its limit on mappings mmap may still work, and
 * mprotect not). */
void *stack_map(void);
void stack_unmap(void *lowest);

/* frame_$(SWITCH).c: a first frame at `top`; the switch there calls `run` with the switch's
 * argument. */
void *stack_frame(char *top, void (*run)(void *));

/* fiber_$(SWITCH).S, or frame_ucontext.c: saves the state, changes to `load_sp`, returns `arg` over
 * there. */
void *fiber_switch(void **ret_sp, void *load_sp, void *arg);
void fiber_entry(void);

/* Where a stack lies, and its shadow for locals while it is switched away. */
struct stack_shadow {
    void *fake;
    const void *lowest;
    size_t size;
};

#ifdef STACK_SANITIZED
#    include <sanitizer/common_interface_defs.h>

/* `from` NULL: that stack is left for good. */
static inline void stack_leave(struct stack_shadow *from, const struct stack_shadow *to)
{
    __sanitizer_start_switch_fiber(from != NULL ? &from->fake : NULL, to->lowest, to->size);
}

/* First thing on the other side. `from` learns where the stack that was left lies; NULL: known. */
static inline void stack_arrive(struct stack_shadow *here, struct stack_shadow *from)
{
    __sanitizer_finish_switch_fiber(here->fake, from != NULL ? &from->lowest : NULL,
                                    from != NULL ? &from->size : NULL);
}
#else
static inline void stack_leave(struct stack_shadow *from, const struct stack_shadow *to)
{
    (void)from;
    (void)to;
}

static inline void stack_arrive(struct stack_shadow *here, struct stack_shadow *from)
{
    (void)here;
    (void)from;
}
#endif

#endif
