#ifndef DECIDE_REWRITE_H
#define DECIDE_REWRITE_H

#include "exchange/module.h"

extern const struct module rewrite_module;

#endif
