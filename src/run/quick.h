#ifndef RUN_QUICK_H
#define RUN_QUICK_H

#include <stdbool.h>

struct buf;
struct options;

/* `bifrons reverse-proxy --from A --to B`, `bifrons forward-proxy ...`, `bifrons file-server ...`:
 * commands that need no file. */
bool quick_knows(const char *command);
/* The configuration that the words stand for, in o->text; or o->task says what else to do. False:
 * said on stderr. */
bool quick_read(int argc, char **argv, struct options *o);

/* quick_list.c: a file of hosts and networks, one a line, as `list denied { }`. `ret_any`: it holds
 * one, else nothing is added. False: said on stderr, with the line. */
bool quick_add_list(const char *path, struct buf *out, bool *ret_any);

#endif
