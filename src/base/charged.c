/* Heap objects on the budget (DESIGN 7.11). */
#include "base/charged.h"

#include "base/budget.h"

#include <stdlib.h>

void *charged_new(size_t size, struct budget *budget)
{
    if (!budget_take(budget, size))
        return NULL;
    void *object = calloc(1, size);
    if (object == NULL)
        budget_give(budget, size);
    return object;
}

void charged_free(void *object, size_t size, struct budget *budget)
{
    if (object == NULL)
        return;
    budget_give(budget, size);
    free(object);
}
