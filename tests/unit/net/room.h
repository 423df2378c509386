#ifndef TESTS_NET_ROOM_H
#define TESTS_NET_ROOM_H

/* What the tests on real sockets share: one loop, and pairs of which the test holds the far end. */

#include "base/address.h"
#include "net/loop.h"
#include "net/sock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct loop loop;

static inline int room_setup(void **state)
{
    (void)state;
    return loop_init_epoll(&loop, 1000, NULL);
}

static inline int room_teardown(void **state)
{
    (void)state;
    bool clean = loop.open_socks == 0 && loop.fibers.live == 0 && loop.blocks.live == 0 &&
                 loop.wheel.count == 1; /* the loop's own second */
    loop_done(&loop);
    return clean ? 0 : -1;
}

/* Turns without sleeping long: the events that are there come, and timers that are near. */
static inline void turns(int n)
{
    for (int i = 0; i < n; i++)
        assert_int_equal(loop_turn(&loop, 2), 0);
}

static inline void turn_until(const bool *done)
{
    for (int i = 0; i < 5000 && !*done; i++)
        assert_int_equal(loop_turn(&loop, 2), 0);
    assert_true(*done);
}

/* `ret_ours` is a listener on loopback; returns its port. */
static inline uint16_t listen_somewhere(int *ret_ours)
{
    struct address at = { .family = AF_INET, .ip = { 127, 0, 0, 1 } };
    struct sockaddr_storage where;
    socklen_t size = address_to_sockaddr(&at, &where);

    *ret_ours = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*ret_ours, (struct sockaddr *)&where, size), 0);
    assert_int_equal(listen(*ret_ours, 100), 0);
    assert_int_equal(getsockname(*ret_ours, (struct sockaddr *)&where, &size), 0);
    assert_true(address_of_sockaddr((struct sockaddr *)&where, &at));
    return at.port;
}

static inline struct address at_port(uint16_t port)
{
    return (struct address){ .family = AF_INET, .port = port, .ip = { 127, 0, 0, 1 } };
}

/* A blocking client's descriptor. */
static inline int connect_to_port(uint16_t port)
{
    struct address to = at_port(port);
    struct sockaddr_storage where;
    socklen_t size = address_to_sockaddr(&to, &where);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&where, size), 0);
    return fd;
}

/* TCP over loopback: the accepted end goes into the loop, the other is the test's (blocking). */
static inline int open_pair(struct sock *s)
{
    int listener;
    int far = connect_to_port(listen_somewhere(&listener));
    int near = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    close(listener);
    *s = (struct sock){ 0 };
    assert_int_equal(sock_open(&loop, s, near, SOCK_KIND_STREAM), 0);
    return far;
}

static inline void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Its memory is the test's again. */
static inline void end_sock(struct sock *s)
{
    sock_close(s, false, NULL);
    assert_int_equal(loop_turn(&loop, 0), 0);
    assert_int_equal(s->fd, -1);
}

static inline void close_pair(struct sock *s, int far)
{
    close(far);
    end_sock(s);
}

/* Reads once; the bytes are dropped. */
static inline enum io recv_once(struct sock *s, uint32_t max, uint32_t *ret_n)
{
    struct lease l = { 0 };
    enum io io = sock_recv_start(s, max, &l);

    *ret_n = l.size;
    lease_done(&l);
    return io;
}

#endif
