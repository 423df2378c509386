#ifndef FETCH_FILE_H
#define FETCH_FILE_H

#include "exchange/module.h"

/* `root`, `index`: files as answers. */
extern const struct module file_module;

#endif
