/* The listening sockets of the process. */
#include "run/sockets.h"

#include "exchange/core.h"
#include "net/listen.h"
#include "run/complaint.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TRIES = 5, BETWEEN_TRIES_MS = 500 };

static int open_one(const struct listener *l)
{
    struct listen_options options = { .backlog = l->backlog,
                                      .rcvbuf = l->rcvbuf,
                                      .sndbuf = l->sndbuf };

    options.flags = (l->ipv6only ? LISTEN_IPV6ONLY : 0) |
                    (core_of(l->fallback)->tcp.nodelay ? LISTEN_NODELAY : 0);
    return listen_open(&l->address, &options);
}

static bool open_all(const struct generation *g, bool last, struct sockets *s, struct buf *messages)
{
    struct listener *const *all = g->listeners.items;
    bool good = true;

    for (uint32_t i = 0; i < g->listeners.len; i++) {
        uint32_t number = all[i]->socket;

        if (all[i]->wildcard != NULL || s->fds[number] >= 0)
            continue;
        int fd = open_one(all[i]);
        if (fd >= 0)
            s->fds[number] = fd;
        else if (last || fd != -EADDRINUSE)
            complain_at(g, all[i]->place, messages, "bind() to %s failed (%d: %s)", all[i]->text.at,
                        -fd, strerrordesc_np(-fd));
        good = good && fd >= 0;
    }
    return good;
}

bool sockets_open(const struct generation *g, bool test, struct sockets *ret, struct buf *messages)
{
    struct sockets s = { .fds = calloc(g->listeners.len + 1, sizeof(int)), .count = 0 };
    struct listener *const *all = g->listeners.items;
    size_t before = messages->len;

    if (s.fds == NULL)
        abort();
    for (uint32_t i = 0; i < g->listeners.len; i++) {
        s.fds[i] = -1;
        if (all[i]->socket + 1 > s.count)
            s.count = all[i]->socket + 1;
    }
    for (unsigned try = 1; !open_all(g, try == TRIES && !test, &s, messages); try++) {
        if (messages->len > before || try == TRIES || test) {
            bool in_use_only = test && messages->len == before;

            sockets_close(&s);
            if (try == TRIES)
                buf_adds(messages, "bifrons: [emerg] still could not bind()\n");
            return in_use_only;
        }
        poll(NULL, 0, BETWEEN_TRIES_MS);
    }
    *ret = s;
    return true;
}

void sockets_announce(const struct generation *g, const struct sockets *s)
{
    struct listener *const *all = g->listeners.items;

    for (uint32_t i = 0; i < g->listeners.len; i++) {
        struct address bound;
        struct buf text;

        if (all[i]->wildcard != NULL || listen_address(s->fds[all[i]->socket], &bound) < 0)
            continue;
        buf_init(&text, 128, NULL);
        address_print(&bound, &text);
        printf("listening %.*s\n", (int)buf_view(&text).len, buf_view(&text).at);
        buf_done(&text);
    }
    fflush(stdout);
}

void sockets_close(struct sockets *s)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->fds[i] >= 0)
            close(s->fds[i]);
    free(s->fds);
    *s = (struct sockets){ NULL, 0 };
}
