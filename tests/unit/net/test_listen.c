/* Listening sockets, on loopback; the kernel chooses the ports. */
#include "base/address.h"
#include "base/span.h"
#include "net/listen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static struct address loopback(void)
{
    struct address a;

    assert_true(address_parse(span_of("127.0.0.1"), 0, &a));
    return a;
}

static int get_int(int fd, int level, int option)
{
    int value = -1;
    socklen_t size = sizeof(value);

    assert_int_equal(getsockopt(fd, level, option, &value, &size), 0);
    return value;
}

static void port_0_is_answered_by_the_kernel(void **state)
{
    struct address at = loopback(), bound;
    struct listen_options o = { .backlog = 511 };
    int fd = listen_open(&at, &o);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(listen_address(fd, &bound), 0);
    assert_true(bound.port > 0);
    assert_true(address_same_ip(&bound, &at));
    close(fd);
}

static void a_listener_is_ready_for_the_loop(void **state)
{
    struct address at = loopback();
    struct listen_options o = { .backlog = 511, .rcvbuf = 64 << 10, .sndbuf = 32 << 10 };
    int fd = listen_open(&at, &o);

    (void)state;
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(get_int(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
    assert_int_equal(get_int(fd, SOL_SOCKET, SO_REUSEADDR), 1);
    assert_int_equal(get_int(fd, SOL_SOCKET, SO_REUSEPORT), 0);
    assert_int_equal(get_int(fd, SOL_SOCKET, SO_RCVBUF), 128 << 10); /* the kernel doubles */
    assert_int_equal(get_int(fd, SOL_SOCKET, SO_SNDBUF), 64 << 10);
    close(fd);
}

static void an_address_in_use_is_refused_unless_shared(void **state)
{
    struct address at = loopback(), bound;
    struct listen_options alone = { .backlog = 1 },
                          shared = { .backlog = 1, .flags = LISTEN_REUSEPORT };
    int first = listen_open(&at, &shared);

    (void)state;
    assert_int_equal(listen_address(first, &bound), 0);
    assert_int_equal(listen_open(&bound, &alone), -EADDRINUSE);
    int second = listen_open(&bound, &shared);
    assert_true(second >= 0);
    close(first);
    close(second);
}

static void ipv6only_is_as_asked(void **state)
{
    struct address at;
    struct listen_options o = { .backlog = 1, .flags = LISTEN_IPV6ONLY };

    (void)state;
    assert_true(address_parse(span_of("[::]"), 0, &at));
    int fd = listen_open(&at, &o);
    if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)
        skip(); /* a machine without IPv6 */
    assert_int_equal(get_int(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
    close(fd);
    o.flags = 0;
    fd = listen_open(&at, &o);
    assert_int_equal(get_int(fd, IPPROTO_IPV6, IPV6_V6ONLY), 0);
    close(fd);
}

static void what_is_no_socket_has_no_address(void **state)
{
    struct address bound = { .port = 7 };

    (void)state;
    assert_int_equal(listen_address(-1, &bound), -EBADF);
    assert_int_equal(bound.port, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(port_0_is_answered_by_the_kernel),
        cmocka_unit_test(a_listener_is_ready_for_the_loop),
        cmocka_unit_test(an_address_in_use_is_refused_unless_shared),
        cmocka_unit_test(ipv6only_is_as_asked),
        cmocka_unit_test(what_is_no_socket_has_no_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
