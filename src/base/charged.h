#ifndef BASE_CHARGED_H
#define BASE_CHARGED_H

#include <stddef.h>

struct budget;

/* Heap objects whose number peers choose: zeroed, and paid for by the worker's budget. */

/* NULL: over the budget, or no memory. */
void *charged_new(size_t size, struct budget *budget);
/* `size` as it was given. NULL is harmless. */
void charged_free(void *object, size_t size, struct budget *budget);

#endif
