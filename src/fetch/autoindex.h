#ifndef FETCH_AUTOINDEX_H
#define FETCH_AUTOINDEX_H

#include "exchange/module.h"

/* `autoindex`: folders without an index as lists; without it, 403. */
extern const struct module autoindex_module;

#endif
