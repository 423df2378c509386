/* Listening sockets: made, bound, listening. Owns nothing: the descriptor is the caller's. */
#include "net/listen.h"

#include "base/address.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

static bool set_int(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

/* All but the first are inherited by what is accepted. */
static bool set_tcp(int fd, const struct listen_tcp *t)
{
    return set_int(fd, IPPROTO_TCP, TCP_FASTOPEN, t->fastopen) &&
           set_int(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, t->deferred) &&
           set_int(fd, SOL_SOCKET, SO_KEEPALIVE, t->keepalive) &&
           (t->idle == 0 || set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, t->idle)) &&
           (t->interval == 0 || set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, t->interval)) &&
           (t->probes == 0 || set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, t->probes));
}

/* Buffer sizes are set before listen(): accepted sockets inherit them, and the window scale with
 * them. */
static bool set_options(int fd, const struct address *a, const struct listen_options *o)
{
    if (!set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1))
        return false;
    if ((o->flags & LISTEN_REUSEPORT) != 0 && !set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1))
        return false;
    if (o->rcvbuf > 0 && !set_int(fd, SOL_SOCKET, SO_RCVBUF, o->rcvbuf))
        return false;
    if (o->sndbuf > 0 && !set_int(fd, SOL_SOCKET, SO_SNDBUF, o->sndbuf))
        return false;
    if ((o->flags & LISTEN_NODELAY) != 0 && !set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1))
        return false;
    return a->family != AF_INET6 ||
           set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, (o->flags & LISTEN_IPV6ONLY) != 0);
}

int listen_open(const struct address *a, const struct listen_options *o)
{
    struct sockaddr_storage to;
    socklen_t size = address_to_sockaddr(a, &to);
    int fd = socket(a->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (!set_options(fd, a, o) || bind(fd, (struct sockaddr *)&to, size) < 0 ||
        listen(fd, o->backlog) < 0 || !set_tcp(fd, &o->tcp)) {
        int error = errno;

        close(fd);
        return -error;
    }
    return fd;
}

int listen_address(int fd, struct address *ret)
{
    struct sockaddr_storage bound = { .ss_family = AF_UNSPEC };
    socklen_t size = sizeof(bound);
    struct address found;

    if (getsockname(fd, (struct sockaddr *)&bound, &size) < 0)
        return -errno;
    if (!address_of_sockaddr((struct sockaddr *)&bound, &found))
        return -EAFNOSUPPORT;
    *ret = found;
    return 0;
}

int listen_beside(int first, const struct listen_options *o)
{
    struct listen_options options = *o;
    struct address bound;
    int failed = listen_address(first, &bound);

    if (failed < 0)
        return failed;
    if (!set_int(first, SOL_SOCKET, SO_REUSEPORT, 1))
        return -errno;
    options.flags |= LISTEN_REUSEPORT;
    return listen_open(&bound, &options);
}

int listen_change(int fd, const struct listen_options *o)
{
    if (!set_int(fd, IPPROTO_TCP, TCP_NODELAY, (o->flags & LISTEN_NODELAY) != 0) ||
        (o->rcvbuf > 0 && !set_int(fd, SOL_SOCKET, SO_RCVBUF, o->rcvbuf)) ||
        (o->sndbuf > 0 && !set_int(fd, SOL_SOCKET, SO_SNDBUF, o->sndbuf)) ||
        listen(fd, o->backlog) < 0 || !set_tcp(fd, &o->tcp))
        return -errno;
    return 0;
}
