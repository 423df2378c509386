#ifndef DECIDE_ACCESS_H
#define DECIDE_ACCESS_H

#include "exchange/module.h"

/* `allow`, `deny`: by the client's address. */
extern const struct module access_module;

#endif
