#ifndef FETCH_CONNECT_H
#define FETCH_CONNECT_H

/* CONNECT: the client's bytes go to the host that it named, and back. */
extern const struct module connect_module;

#endif
