/* A load generator: N keep-alive connections, each asks, waits for the whole answer, asks again.
 *
 *     load PORT CONNECTIONS REQUESTS [SECONDS]
 *
 * Ends after so many answers, or after SECONDS (60), whichever comes first. Prints one line:
 *
 *     requests 100000 errors 0 seconds 1.234 rate 81037 p50_us 610 p99_us 1130
 *
 * An answer must be 200 and have a Content-Length. An error costs its connection, which is made
 * anew; 1000 errors end the run. */
#include "bench.h"

#include <time.h>

static const char REQUEST[] = "GET /bench HTTP/1.1\r\n"
                              "Host: bench.example\r\n"
                              "User-Agent: bifrons-load\r\n"
                              "Accept: */*\r\n"
                              "\r\n";

enum { MOST_CONNECTIONS = 10000, MOST_REQUESTS = 50 * 1000 * 1000, MOST_ERRORS = 1000 };
enum { ROOM = 16384 };

struct asker {
    int fd;
    size_t len;  /* of the head so far, in `head` */
    size_t left; /* bytes of the body that are still to come; 0 while in the head */
    int64_t asked_at;
    char head[ROOM];
};

struct load {
    int epoll;
    long port;
    long asked;
    long answered;
    long wanted;
    long errors;
    uint32_t *took_us; /* owned; one for each answer */
};

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool ask(struct load *l, struct asker *a)
{
    if (l->asked >= l->wanted)
        return true;
    l->asked++;
    a->len = a->left = 0;
    a->asked_at = now_ns();
    return send(a->fd, REQUEST, sizeof(REQUEST) - 1, MSG_NOSIGNAL) == sizeof(REQUEST) - 1;
}

static void start(struct load *l, struct asker *a)
{
    a->fd = connect_to(l->port);
    give_up_if(a->fd < 0, "connect");
    watch(l->epoll, a->fd, a);
    if (!ask(l, a))
        l->errors++;
}

/* Once the head is whole: is the answer good, and how much of its body is still to come? */
static bool read_head(struct asker *a, const char *end)
{
    const char *field = strcasestr(a->head, "\r\nContent-Length:");

    if (strncmp(a->head, "HTTP/1.1 200 ", 13) != 0 || field == NULL || field > end)
        return false;
    size_t body = strtoul(field + strlen("\r\nContent-Length:"), NULL, 10);
    size_t have = a->len - (size_t)(end + 4 - a->head);
    a->left = body - have;
    return have <= body;
}

/* Takes what has come. `*ret_whole`: the answer is complete. False: this connection is lost. */
static bool take(struct asker *a, bool *ret_whole)
{
    char body[ROOM];
    bool in_head = a->left == 0;
    ssize_t len = in_head ? recv(a->fd, a->head + a->len, ROOM - 1 - a->len, 0)
                          : recv(a->fd, body, sizeof(body), 0);

    if (len <= 0 || (!in_head && (size_t)len > a->left))
        return false;
    if (in_head) {
        a->len += (size_t)len;
        a->head[a->len] = '\0';
        const char *end = strstr(a->head, "\r\n\r\n");

        *ret_whole = false;
        if (end == NULL)
            return a->len < ROOM - 1;
        if (!read_head(a, end))
            return false;
    } else {
        a->left -= (size_t)len;
    }
    *ret_whole = a->left == 0;
    return true;
}

static void on_event(struct load *l, struct asker *a)
{
    bool whole;

    if (!take(a, &whole)) {
        l->errors++;
        l->asked--; /* ask again, on a new connection */
        close(a->fd);
        start(l, a);
    } else if (whole) {
        l->took_us[l->answered++] = (uint32_t)((now_ns() - a->asked_at) / 1000);
        if (!ask(l, a))
            l->errors++;
    }
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void report(struct load *l, double seconds)
{
    size_t count = (size_t)l->answered;
    uint32_t p50 = 0, p99 = 0;

    qsort(l->took_us, count, sizeof(*l->took_us), by_value);
    if (count > 0) {
        p50 = l->took_us[count / 2];
        p99 = l->took_us[count * 99 / 100];
    }
    printf("requests %ld errors %ld seconds %.3f rate %.0f p50_us %u p99_us %u\n", l->answered,
           l->errors, seconds, (double)l->answered / seconds, p50, p99);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "expected: load PORT CONNECTIONS REQUESTS [SECONDS]\n");
        return 1;
    }
    struct load l = { .epoll = epoll_create1(EPOLL_CLOEXEC), .port = number(argv[1], UINT16_MAX) };
    long connections = number(argv[2], MOST_CONNECTIONS);
    l.wanted = number(argv[3], MOST_REQUESTS);
    int64_t seconds = argc > 4 ? number(argv[4], 3600) : 60;
    struct asker *askers = calloc((size_t)connections + 1, sizeof(*askers));
    l.took_us = calloc((size_t)l.wanted + 1, sizeof(*l.took_us));
    give_up_if(l.epoll < 0 || askers == NULL || l.took_us == NULL, "load");

    int64_t began = now_ns();
    for (long i = 0; i < connections; i++)
        start(&l, &askers[i]);
    while (l.answered < l.wanted && l.errors < MOST_ERRORS &&
           now_ns() - began < seconds * 1000000000) {
        struct epoll_event events[EVENTS_A_TURN];
        int count = epoll_wait(l.epoll, events, EVENTS_A_TURN, 1000);

        for (int i = 0; i < count; i++)
            on_event(&l, events[i].data.ptr);
    }
    report(&l, (double)(now_ns() - began) / 1e9);
    free(l.took_us);
    free(askers);
    return l.errors == 0 && l.answered == l.wanted ? 0 : 1;
}
