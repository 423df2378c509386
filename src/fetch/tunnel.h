#ifndef FETCH_TUNNEL_H
#define FETCH_TUNNEL_H

#include "exchange/exchange.h"

/* CONNECT: the client's bytes go to the host that it named, and back. */
extern const struct module tunnel_module;

/* Ends every live tunnel of the worker; each still writes its log line. */
void tunnels_stop(struct worker *w);

#endif
