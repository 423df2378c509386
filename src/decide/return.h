#ifndef DECIDE_RETURN_H
#define DECIDE_RETURN_H

#include "exchange/module.h"

/* `return`: an answer, or a redirect, without asking anybody. */
extern const struct module return_module;

#endif
