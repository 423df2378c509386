/* The first frame of a stack as fiber_aarch64.S leaves and loads it:
 *
 *     [x19: what runs][x20 ... x29][x30: where the switch returns to][d8 ... d15][fpcr] */
#include "net/stack.h"

#include <stdint.h>

void *stack_frame(char *top, void (*run)(void *))
{
    uint64_t *frame = (uint64_t *)(void *)(top - 176);

    for (int i = 0; i < 22; i++)
        frame[i] = 0;
    frame[0] = (uintptr_t)run;
    frame[11] = (uintptr_t)fiber_entry;
    return frame;
}
