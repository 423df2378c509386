/* Stacks for fibers: mapped apart from all else, with a guard below.
 *
 *     lowest - 64 KiB          lowest                      lowest + STACK_SIZE
 *     [ guard: no access      ][ stack, grows downward   <-- ]
 *
 * 64 KiB of guard, with -fstack-clash-protection: a frame of 70 KiB jumped one of 4 KiB. */
#include "net/stack.h"

#include <stdint.h>
#include <sys/mman.h>

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
    return guard + STACK_GUARD;
}

void stack_unmap(void *lowest)
{
    munmap((char *)lowest - STACK_GUARD, STACK_GUARD + STACK_SIZE);
}

#if defined(__x86_64__)
void *stack_frame(char *top, void (*run)(void *))
{
    enum { MXCSR = 0x1f80, FCW = 0x037f }; /* as the ABI has them at the start of a process */
    uint64_t *frame = (uint64_t *)(void *)(top - 8 * sizeof(uint64_t));

    frame[0] = MXCSR | (uint64_t)FCW << 32;
    for (int i = 1; i < 7; i++)
        frame[i] = 0;
    frame[5] = (uintptr_t)run;
    frame[7] = (uintptr_t)fiber_entry;
    return frame;
}
#elif defined(__aarch64__)
void *stack_frame(char *top, void (*run)(void *))
{
    uint64_t *frame = (uint64_t *)(void *)(top - 176);

    for (int i = 0; i < 22; i++)
        frame[i] = 0;
    frame[0] = (uintptr_t)run;
    frame[11] = (uintptr_t)fiber_entry;
    return frame;
}
#else
#    error "no context switch for this machine: see fiber_x86_64.S"
#endif
