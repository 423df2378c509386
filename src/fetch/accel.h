#ifndef FETCH_ACCEL_H
#define FETCH_ACCEL_H

#include "exchange/decision.h"

#include <stdbool.h>

struct exchange;
struct proxy_settings;

/* What an upstream tells us, not its clients: `X-Accel-*`, and errors that are ours to replace. */

enum ignored_field { /* proxy_ignore_headers */
                     IGNORED_REDIRECT = 1 << 0,
                     IGNORED_BUFFERING = 1 << 1,
                     IGNORED_OTHER = 1 << 2 /* obeyed by nothing here so far */
};

/* The hook of PHASE_RESPONSE. */
enum verdict accel_on_response(struct exchange *x, const void *settings);
/* X-Accel-Buffering; `otherwise`: it says nothing. */
bool accel_buffers(const struct exchange *x, const struct proxy_settings *own, bool otherwise);

#endif
