/* The floor under every proxy: what the kernel alone costs. Parses nothing, decides nothing.
 *
 *     relay PORT UPSTREAM_PORT
 *
 *     client --recv--> relay --send--> upstream     one upstream connection for each client
 *     client <--send-- relay <--recv-- upstream     connection, for as long as it lives
 *
 * Bytes that do not leave at once end the pair: a bench sends little, and this is no product. */
#include "bench.h"

struct side {
    int fd;
    struct side *other;
};

static void end_pair(struct side *s)
{
    struct side *other = s->other;

    close(s->fd);
    close(other->fd);
    s->fd = other->fd = -1; /* kept: an event of this turn may still name it */
}

static void pass_on(struct side *s)
{
    static char bytes[65536];

    if (s->fd < 0)
        return;
    ssize_t len = recv(s->fd, bytes, sizeof(bytes), 0);
    if (len <= 0 || send(s->other->fd, bytes, (size_t)len, MSG_NOSIGNAL) != len)
        end_pair(s);
}

static void take_one(int epoll, int listener, long upstream_port)
{
    int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (client < 0)
        return;
    int upstream = connect_to(upstream_port);
    if (upstream < 0) {
        close(client);
        return;
    }
    struct side *pair = calloc(2, sizeof(*pair));
    give_up_if(pair == NULL, "calloc");
    pair[0] = (struct side){ .fd = client, .other = &pair[1] };
    pair[1] = (struct side){ .fd = upstream, .other = &pair[0] };
    make_quick(client);
    make_quick(upstream);
    watch(epoll, client, &pair[0]);
    watch(epoll, upstream, &pair[1]);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "expected: relay PORT UPSTREAM_PORT\n");
        return 1;
    }
    long upstream_port = number(argv[2], UINT16_MAX);
    int listener = listen_on(number(argv[1], UINT16_MAX));
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event events[EVENTS_A_TURN];

    watch(epoll, listener, NULL);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS_A_TURN, -1);

        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                take_one(epoll, listener, upstream_port);
            else
                pass_on(events[i].data.ptr);
        }
    }
}
