#ifndef EXCHANGE_LOG_CONTEXT_H
#define EXCHANGE_LOG_CONTEXT_H

#include "exchange/exchange.h"

/* Appends `, client: A, server: S, request: "R", host: "H"`: what is known of the exchange, for the
 * error log. */
void log_context(const struct exchange *x, struct buf *out);

#endif
