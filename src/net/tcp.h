#ifndef NET_TCP_H
#define NET_TCP_H

#include "net/conn.h"

/* The transport at the bottom of every conn. */
extern const struct transport tcp_transport;

#endif
