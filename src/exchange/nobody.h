#ifndef EXCHANGE_NOBODY_H
#define EXCHANGE_NOBODY_H

/* A client that is not there: its request is over, or it never was. Sends go nowhere. */
extern const struct client_ops nobody_ops;

#endif
