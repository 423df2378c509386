#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include <stdint.h>

struct address;

enum {
    LISTEN_IPV6ONLY = 1,
    LISTEN_REUSEPORT = 2, /* see listen_beside */
    LISTEN_NODELAY = 4    /* TCP_NODELAY: accepted sockets inherit it */
};

/* Of TCP alone. 0: the kernel's. */
struct listen_tcp {
    int32_t fastopen;       /* as many may wait that sent bytes with their SYN; 0: none */
    int32_t deferred;       /* 1: nobody is accepted before he has sent something */
    int32_t keepalive;      /* 1: silent peers are probed */
    int32_t idle, interval; /* s */
    int32_t probes;
};

struct listen_options {
    int backlog;        /* 511 as NGINX */
    int rcvbuf, sndbuf; /* bytes; 0: the kernel's */
    unsigned flags;     /* LISTEN_... */
    struct listen_tcp tcp;
};

/* Makes, binds and listens: a non-blocking, close-on-exec socket; SO_REUSEADDR is set. Descriptor
 * or -errno. */
int listen_open(const struct address *a, const struct listen_options *o);
/* A further socket of the same address, beside one that listens already: connections are spread
 * over them (SO_REUSEPORT, which the first one gets now: it was bound as the only one of its
 * address). */
int listen_beside(int first, const struct listen_options *o);
/* Gives a listening socket other options. 0 or -errno. */
int listen_change(int fd, const struct listen_options *o);
/* Where it is really bound: asks for port 0 are answered by the kernel. 0 or -errno. */
int listen_address(int fd, struct address *ret);

#endif
