/* What the three bench programs share: sockets on loopback, and giving up with one line. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_A_TURN = 256 };

static inline void give_up_if(bool failed, const char *what)
{
    if (!failed)
        return;
    perror(what);
    exit(1);
}

static inline long number(const char *text, long most)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (*text == '\0' || *end != '\0' || value < 0 || value > most) {
        fprintf(stderr, "%s: expected a number up to %ld\n", text, most);
        exit(1);
    }
    return value;
}

static inline struct sockaddr_in loopback(long port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
}

/* No Nagle, and no waiting: a bench must not measure timers. */
static inline void make_quick(int fd)
{
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    give_up_if(fcntl(fd, F_SETFL, O_NONBLOCK) < 0, "fcntl");
}

/* Binds the port (0: a free one) and says so on standard output, as the proxy does. */
static inline int listen_on(long port)
{
    struct sockaddr_in address = loopback(port);
    socklen_t len = sizeof(address);
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    give_up_if(fd < 0, "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    give_up_if(bind(fd, (struct sockaddr *)&address, len) < 0, "bind");
    give_up_if(listen(fd, 1024) < 0, "listen");
    give_up_if(getsockname(fd, (struct sockaddr *)&address, &len) < 0, "getsockname");
    printf("listening 127.0.0.1:%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

/* Blocking as yet; -1: refused. */
static inline int connect_to(long port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    give_up_if(fd < 0, "socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static inline void watch_for(int epoll, int fd, void *what, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = what };

    give_up_if(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0, "epoll_ctl");
}

static inline void watch(int epoll, int fd, void *what)
{
    watch_for(epoll, fd, what, EPOLLIN);
}

#endif
