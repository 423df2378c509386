/* The upstream of a bench: answers every request head with the same body, and keeps alive.
 *
 *     origin PORT [BODY]     0: a free one, printed as `listening 127.0.0.1:PORT`; BODY: 128 bytes
 *
 * It looks for the blank line and for nothing else; a request must have no body. One thread. */
#include "bench.h"

enum { MOST_BODY = 64 << 20, HEAD_ROOM = 256 };

static char *answer; /* owned, for good */
static size_t answer_len;

struct peer {
    int fd;
    unsigned matched; /* bytes of the blank line CR LF CR LF seen so far */
    unsigned wanted;  /* answers that are still to be sent */
    size_t sent;      /* of the first of them */
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

static void make_answer(size_t body)
{
    answer = malloc(HEAD_ROOM + body);
    give_up_if(answer == NULL, "malloc");
    answer_len = (size_t)snprintf(answer, HEAD_ROOM,
                                  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                  "Content-Length: %zu\r\n\r\n",
                                  body);
    for (size_t i = 0; i < body; i++)
        answer[answer_len++] = "0123456789abcdef"[i % 16];
}

/* As much as the peer takes now. False: it has gone. */
static bool send_answers(struct peer *p)
{
    while (p->wanted > 0) {
        ssize_t len = send(p->fd, answer + p->sent, answer_len - p->sent, MSG_NOSIGNAL);

        if (len < 0)
            return errno == EAGAIN;
        p->sent += (size_t)len;
        if (p->sent == answer_len) {
            p->sent = 0;
            p->wanted--;
        }
    }
    return true;
}

/* False: this peer is done. */
static bool serve(struct peer *p, uint32_t events)
{
    char bytes[16384];

    if (events & EPOLLIN) {
        ssize_t len;

        while ((len = recv(p->fd, bytes, sizeof(bytes), 0)) == sizeof(bytes))
            p->wanted += heads_in(p, bytes, (size_t)len);
        if (len == 0 || (len < 0 && errno != EAGAIN))
            return false;
        p->wanted += len > 0 ? heads_in(p, bytes, (size_t)len) : 0;
    }
    return send_answers(p);
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
    watch_for(epoll, fd, p, EPOLLIN | EPOLLOUT | EPOLLET);
}

int main(int argc, char **argv)
{
    make_answer(argc > 2 ? (size_t)number(argv[2], MOST_BODY) : 128);
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
            } else if (!serve(p, events[i].events)) {
                close(p->fd);
                free(p);
            }
        }
    }
}
