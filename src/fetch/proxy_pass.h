#ifndef FETCH_PROXY_PASS_H
#define FETCH_PROXY_PASS_H

#include "base/span.h"
#include "net/io.h"

/* `proxy_pass URL`: where requests go on to. A URL without variables is known before the first
 * request; one with them is made for each. */
struct exchange;
struct generation;
struct proxy_settings;
struct proxy_target;

extern const struct conf_type proxy_pass_type; /* field: struct proxy_target */
/* The key of the pool that all addresses share that are known only at run time: one pool of a fixed
 * size, whatever requests make of the URL. */
extern const struct span proxy_pass_pool;

bool proxy_pass_is_set(const struct proxy_target *t);
/* After all is read: a name may be that of an `upstream` block, wherever that stands. */
void proxy_pass_settle(struct generation *g, struct proxy_settings *own);

/* Where this request goes. NULL: the URL is none; the error log says so. */
const struct proxy_target *proxy_pass_target(struct exchange *x, const struct proxy_settings *own);
/* What that has answered for this exchange, if the URL varies; NULL: not asked yet. */
const struct proxy_target *proxy_pass_target_of(const struct exchange *x);
/* Asks for the addresses of a name that came with the request. Not IO_OK: x->fault. */
enum io proxy_pass_resolve(struct exchange *x, const struct proxy_target *t);

#endif
