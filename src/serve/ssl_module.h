#ifndef SERVE_SSL_MODULE_H
#define SERVE_SSL_MODULE_H

#include <stdint.h>

struct generation;

/* `ssl_*`, in servers and forward blocks. */
extern const struct module ssl_module;

/* Bytes of the sessions that a worker may keep, in all caches together. */
uint64_t ssl_sessions_most(const struct generation *g);

#endif
