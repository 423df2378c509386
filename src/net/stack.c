/* Stacks for fibers: mapped apart from all else, with a guard below.
 *
 *     lowest - 64 KiB          lowest                      lowest + STACK_SIZE
 *     [ guard: no access      ][ stack, grows downward   <-- ]
 *
 * 64 KiB of guard, with -fstack-clash-protection: a frame of 70 KiB jumped one of 4 KiB. */
#include "net/stack.h"

#include <string.h>
#include <sys/mman.h>
#include <valgrind/valgrind.h>

#ifdef STACKS_FOR_VALGRIND
#    include <valgrind/valgrind.h>

/* Valgrind is told where stacks lie, or it takes a switch for a wild jump. Its number for a stack
 * lies at the far end of that stack. */
static void announce(char *lowest)
{
    unsigned number = VALGRIND_STACK_REGISTER(lowest, lowest + STACK_SIZE - 1);

    memcpy(lowest, &number, sizeof(number));
}

static void retract(const char *lowest)
{
    unsigned number;

    memcpy(&number, lowest, sizeof(number));
    VALGRIND_STACK_DEREGISTER(number);
}
#else
static void announce(char *lowest)
{
    (void)lowest;
}

static void retract(const char *lowest)
{
    (void)lowest;
}
#endif

void *stack_map(void)
{
    enum { FLAGS = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK };
    char *guard = mmap(NULL, STACK_GUARD + STACK_SIZE, PROT_NONE, FLAGS, -1, 0);

    if (guard == MAP_FAILED)
        return NULL;
    if (mprotect(guard + STACK_GUARD, STACK_SIZE, PROT_READ | PROT_WRITE) != 0) {
        munmap(guard, STACK_GUARD + STACK_SIZE);
        return NULL;
    }
    announce(guard + STACK_GUARD);
    return guard + STACK_GUARD;
}

void stack_unmap(void *lowest)
{
    retract(lowest);
    munmap((char *)lowest - STACK_GUARD, STACK_GUARD + STACK_SIZE);
}
