#ifndef EXCHANGE_LOG_H
#define EXCHANGE_LOG_H

#include "base/errlog.h"

struct buf;
struct exchange;

/* A record in the error log with the exchange's context (client, server, request ...). */
void exchange_log(struct exchange *x, enum level level, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Key of a note whose value is the peer being asked (a string), for the error log. */
extern const char exchange_peer_key;
/* Key of a note whose value is a struct exchange_target *: what the peer is asked for, for the
 * same; without one it is what the client asked for. */
struct exchange_target {
    void (*add)(const struct exchange_target *t, struct buf *out);
};
extern const char exchange_target_key;

#endif
