/* Sockets that pass from process to process.
 *
 *     BIFRONS=FD,SLOT,NTH,FLAGS,PORT,IP;FD,...   of a master that was told to change its binary
 *     LISTEN_FDS=N, LISTEN_PID=us                  descriptors 3, 4 ... of a service manager
 */
#include "run/inherit.h"

#include "base/address.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "base/span.h"
#include "net/listen.h"
#include "run/manifest.h"
#include "run/supply.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

enum { FIRST_OF_MANAGER = 3, MOST_OF_MANAGER = 1024 };

static bool complain(int fd, const char *from, struct buf *messages)
{
    buf_addf(messages, "bifrons: [emerg] descriptor %d of %s is no listening socket\n", fd, from);
    return false;
}

static bool is_listening(int fd)
{
    int listening = 0;
    socklen_t size = sizeof(listening);

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening != 0;
}

/* A number, and the comma behind it. */
static bool eat_number(struct cursor *c, uint64_t max, uint64_t *ret)
{
    return cursor_decimal(c, max, ret) && cursor_eat_byte(c, ',');
}

/* What follows the descriptor. */
static bool take_one(struct supply *s, struct cursor *c, int fd)
{
    struct manifest_listener asked = { .backlog = 0 };
    uint64_t slot, nth, flags, port;
    struct span ip;

    if (!eat_number(c, MOST_WORKERS - 1, &slot) || !eat_number(c, UINT16_MAX, &nth) ||
        !eat_number(c, UINT16_MAX, &flags) || !eat_number(c, UINT16_MAX, &port) ||
        !cursor_until(c, ';', &ip) || !address_parse_ip(ip, &asked.address))
        return false;
    asked.address.port = (uint16_t)port; /* 0: the kernel chose it */
    asked.flags = (unsigned)flags;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    supply_add_socket(s, &asked, (uint32_t)nth, (unsigned)slot, fd);
    return true;
}

static bool take_those_of_master(struct supply *s, struct span text, struct buf *messages)
{
    struct cursor c = cursor_of(text);
    uint64_t fd;

    while (cursor_left(&c) > 0) {
        bool good = eat_number(&c, INT_MAX, &fd);

        if (good && !is_listening((int)fd))
            return complain((int)fd, "$BIFRONS", messages);
        if (!good || !take_one(s, &c, (int)fd)) {
            buf_adds(messages, "bifrons: [emerg] invalid $BIFRONS\n");
            return false;
        }
    }
    return true;
}

static bool take_those_of_manager(struct supply *s, int count, struct buf *messages)
{
    for (int fd = FIRST_OF_MANAGER; fd < FIRST_OF_MANAGER + count; fd++) {
        struct manifest_listener asked = { .backlog = 0 };
        int v6only = 0;
        socklen_t size = sizeof(v6only);

        if (!is_listening(fd) || listen_address(fd, &asked.address) < 0)
            return complain(fd, "$LISTEN_FDS", messages);
        if (asked.address.family == AF_INET6 &&
            getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, &size) == 0 && v6only)
            asked.flags = LISTEN_IPV6ONLY;
        if (asked.address.family == AF_INET)
            asked.flags = LISTEN_IPV6ONLY; /* as the configuration says it of all */
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        fcntl(fd, F_SETFL, O_NONBLOCK);
        supply_add_socket(s, &asked, 0, 0, fd);
    }
    return true;
}

/* A number that is all of a variable. */
static uint64_t number_in(const char *name, uint64_t max)
{
    const char *text = getenv(name);
    struct cursor c = cursor_of(span_of(text != NULL ? text : ""));
    uint64_t number;

    return cursor_decimal(&c, max, &number) && cursor_left(&c) == 0 ? number : 0;
}

static int count_of_manager(void)
{
    bool for_us = number_in("LISTEN_PID", INT_MAX) == (uint64_t)getpid();

    return for_us ? (int)number_in("LISTEN_FDS", MOST_OF_MANAGER) : 0;
}

/* NULL: there is none. Others may use the name for something else. */
static const char *of_master(void)
{
    const char *text = getenv("BIFRONS");

    return text != NULL && text[0] >= '0' && text[0] <= '9' ? text : NULL;
}

bool inherit_has_master(void)
{
    return of_master() != NULL;
}

bool inherit_sockets(struct supply **ret, struct buf *messages)
{
    const char *text = of_master();
    int count = text == NULL ? count_of_manager() : 0;

    *ret = NULL;
    if (text == NULL && count == 0)
        return true;
    struct supply *s = supply_of_sockets();
    bool good = text != NULL ? take_those_of_master(s, span_of(text), messages)
                             : take_those_of_manager(s, count, messages);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (good)
        *ret = s;
    else
        supply_free(&s);
    return good;
}

void inherit_write(const struct supply *s, struct buf *out)
{
    buf_adds(out, "BIFRONS=");
    for (unsigned i = 0; i < s->sockets.count; i++) {
        const struct supply_socket *socket = s->sockets.at[i];

        buf_addf(out, "%d,%u,%u,%u,%u,", socket->fd, socket->slot, socket->nth, socket->asked.flags,
                 socket->asked.address.port);
        address_print_ip(&socket->asked.address, out);
        buf_add_byte(out, ';');
    }
    buf_add_byte(out, '\0');
}
