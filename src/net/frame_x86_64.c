/* The first frame of a stack as fiber_x86_64.S leaves and loads it:
 *
 *     [mxcsr, fcw][r15 r14 r13 r12][rbx: what runs][rbp][where the switch returns to] */
#include "net/stack.h"

#include <stdint.h>

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
