/* Sockets that pass from process to process.
 *
 *     BIFRONS=FD,SLOT,NTH,FLAGS,PORT,IP;FD,...   of a master that was told to change its binary
 *     LISTEN_FDS=N, LISTEN_PID=us                  descriptors 3, 4 ... of a service manager
 */
#include "run/inherit.h"

#include "net/listen.h"
#include "run/supply.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static bool take_one(struct supply *s, const char *text, struct buf *messages)
{
    struct manifest_listener asked = { .backlog = 0 };
    unsigned slot, nth, flags;
    char ip[64];
    uint16_t port;
    int fd;

    if (sscanf(text, "%d,%u,%u,%u,%hu,%63[^;]", &fd, &slot, &nth, &flags, &port, ip) != 6 ||
        slot >= MOST_WORKERS || !address_parse_ip(span_of(ip), &asked.address)) {
        buf_adds(messages, "bifrons: [emerg] invalid $BIFRONS\n");
        return false;
    }
    if (!is_listening(fd))
        return complain(fd, "$BIFRONS", messages);
    asked.address.port = port; /* 0: the kernel chose it */
    asked.flags = flags;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    supply_add_socket(s, &asked, nth, slot, fd);
    return true;
}

static bool take_those_of_master(struct supply *s, const char *text, struct buf *messages)
{
    while (text != NULL && *text != '\0') {
        if (!take_one(s, text, messages))
            return false;
        text = strchr(text, ';');
        text = text != NULL ? text + 1 : NULL;
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

static int count_of_manager(void)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    int n = count != NULL ? atoi(count) : 0;

    if (pid == NULL || atoi(pid) != (int)getpid() || n <= 0 || n > MOST_OF_MANAGER)
        return 0;
    return n;
}

bool inherit_sockets(struct supply **ret, struct buf *messages)
{
    const char *text = getenv("BIFRONS");
    int count = text == NULL ? count_of_manager() : 0;

    *ret = NULL;
    if (text == NULL && count == 0)
        return true;
    struct supply *s = supply_of_sockets();
    bool good = text != NULL ? take_those_of_master(s, text, messages)
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
