/* The upstream of a bench: answers every request head with the same 128 bytes, and keeps alive.
 *
 *     origin PORT        0: a free one, printed as `listening 127.0.0.1:PORT`
 *
 * It looks for the blank line and for nothing else; a request must have no body. One thread. */
#include "bench.h"

static const char ANSWER[] = "HTTP/1.1 200 OK\r\n"
                             "Content-Type: text/plain\r\n"
                             "Content-Length: 128\r\n"
                             "\r\n"
                             "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
                             "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n";

struct peer {
    int fd;
    unsigned matched; /* bytes of the blank line CR LF CR LF seen so far */
};

/* How many heads end in these bytes; a head may go on from the last call. */
static unsigned heads_in(struct peer *p, const char *bytes, size_t len)
{
    unsigned heads = 0;

    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == "\r\n\r\n"[p->matched])
            p->matched++;
        else
            p->matched = bytes[i] == '\r';
        if (p->matched == 4) {
            p->matched = 0;
            heads++;
        }
    }
    return heads;
}

/* False: this peer is done. */
static bool serve(struct peer *p)
{
    char bytes[16384];
    ssize_t len = recv(p->fd, bytes, sizeof(bytes), 0);

    if (len <= 0)
        return false;
    for (unsigned heads = heads_in(p, bytes, (size_t)len); heads > 0; heads--)
        if (send(p->fd, ANSWER, sizeof(ANSWER) - 1, MSG_NOSIGNAL) != sizeof(ANSWER) - 1)
            return false;
    return true;
}

static void take_one(int epoll, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    struct peer *p = calloc(1, sizeof(*p));
    give_up_if(p == NULL, "calloc");
    p->fd = fd;
    make_quick(fd);
    watch(epoll, fd, p);
}

int main(int argc, char **argv)
{
    int listener = listen_on(argc > 1 ? number(argv[1], UINT16_MAX) : 0);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event events[EVENTS_A_TURN];

    watch(epoll, listener, NULL);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS_A_TURN, -1);

        for (int i = 0; i < count; i++) {
            struct peer *p = events[i].data.ptr;

            if (p == NULL) {
                take_one(epoll, listener);
            } else if (!serve(p)) {
                close(p->fd);
                free(p);
            }
        }
    }
}
