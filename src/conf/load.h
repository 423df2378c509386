#ifndef CONF_LOAD_H
#define CONF_LOAD_H

#include "base/span.h"
#include "conf/source.h"

struct conf_call;

/* The bytes of a file that the configuration names (path as conf_file_path gave it). False: refused
 * at `word`. */
bool conf_load(struct conf_call *call, unsigned word, struct span path, enum conf_kind kind,
               struct span *ret);

#endif
