/* A load generator: N keep-alive connections, each asks, waits for the whole answer, asks again.
 *
 *     load PORT CONNECTIONS REQUESTS [-t SECONDS] [-p PATH] [-H HOST] [-n COUNT] [-c TUNNEL] [-i]
 *
 * Ends after so many answers, or after SECONDS (60), whichever comes first. Prints one line:
 *
 *     requests 100000 errors 0 seconds 1.234 rate 81037 p50_us 610 p99_us 1130 p999_us 1600
 *
 * `%` in PATH and HOST is 0 to COUNT - 1, one after the other. -c HOST:PORT: each connection first
 * asks for a tunnel to there (CONNECT), and all else goes through it. -i: asks on each connection
 * once, one after the other (with -c only for the tunnel), prints `idle`, and holds them until its
 * standard input ends.
 *
 * An answer must be 200 and have a Content-Length. An error costs its connection, which is made
 * anew; 1000 errors end the run. */
#include "bench.h"

#include <time.h>

enum { MOST_CONNECTIONS = 20000, MOST_REQUESTS = 50 * 1000 * 1000, MOST_ERRORS = 1000 };
enum { ROOM = 16384, BODY_ROOM = 256 << 10 };

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
    const char *path, *host;
    const char *tunnel; /* HOST:PORT; NULL: none */
    long names;         /* what `%` stands for */
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

/* `pattern` with its `%` replaced. */
static void name_into(char *to, size_t room, const char *pattern, long number)
{
    const char *percent = strchr(pattern, '%');

    if (percent == NULL)
        snprintf(to, room, "%s", pattern);
    else
        snprintf(to, room, "%.*s%ld%s", (int)(percent - pattern), pattern, number, percent + 1);
}

static bool ask(struct load *l, struct asker *a)
{
    char path[256], host[256], request[1024];

    if (l->asked >= l->wanted)
        return true;
    name_into(path, sizeof(path), l->path, l->asked % l->names);
    name_into(host, sizeof(host), l->host, l->asked % l->names);
    int len = snprintf(request, sizeof(request),
                       "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bifrons-load\r\n"
                       "Accept: */*\r\n\r\n",
                       path, host);
    l->asked++;
    a->len = a->left = 0;
    a->asked_at = now_ns();
    return send(a->fd, request, (size_t)len, MSG_NOSIGNAL) == len;
}

/* A tunnel through the proxy; its answer is waited for. */
static void open_tunnel(const struct load *l, int fd)
{
    char text[1024];
    size_t len = 0;

    len = (size_t)snprintf(text, sizeof(text), "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", l->tunnel,
                           l->tunnel);
    give_up_if(send(fd, text, len, MSG_NOSIGNAL) != (ssize_t)len, "CONNECT");
    for (len = 0; len < 4 || memcmp(text + len - 4, "\r\n\r\n", 4) != 0; len++)
        give_up_if(len == sizeof(text) || recv(fd, text + len, 1, 0) != 1, "CONNECT");
    give_up_if(memcmp(text + 8, " 200 ", 5) != 0, "CONNECT");
}

static void start(struct load *l, struct asker *a)
{
    a->fd = connect_to(l->port);
    give_up_if(a->fd < 0, "connect");
    if (l->tunnel != NULL)
        open_tunnel(l, a->fd);
    make_quick(a->fd);
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
    static char body[BODY_ROOM];
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
    uint32_t p50 = 0, p99 = 0, p999 = 0;

    qsort(l->took_us, count, sizeof(*l->took_us), by_value);
    if (count > 0) {
        p50 = l->took_us[count / 2];
        p99 = l->took_us[count * 99 / 100];
        p999 = l->took_us[count * 999 / 1000];
    }
    printf("requests %ld errors %ld seconds %.3f rate %.0f p50_us %u p99_us %u p999_us %u\n",
           l->answered, l->errors, seconds, (double)l->answered / seconds, p50, p99, p999);
}

/* Each connection has had its answer, and then says nothing more. */
static void hold(struct load *l, struct asker *askers, long connections)
{
    char rest[ROOM];
    struct asker *a = askers;

    for (long i = 0; i < connections; i++, a++) {
        a->fd = connect_to(l->port);
        give_up_if(a->fd < 0, "connect");
        if (l->tunnel != NULL) {
            open_tunnel(l, a->fd);
            continue;
        }
        bool whole = false;
        give_up_if(!ask(l, a), "ask");
        while (!whole)
            give_up_if(!take(a, &whole), "answer");
    }
    printf("idle\n");
    fflush(stdout);
    while (read(STDIN_FILENO, rest, sizeof(rest)) > 0)
        ;
}

static void run(struct load *l, struct asker *askers, long connections, int64_t seconds)
{
    int64_t began = now_ns();

    for (long i = 0; i < connections; i++)
        start(l, &askers[i]);
    while (l->answered < l->wanted && l->errors < MOST_ERRORS &&
           now_ns() - began < seconds * 1000000000) {
        struct epoll_event events[EVENTS_A_TURN];
        int count = epoll_wait(l->epoll, events, EVENTS_A_TURN, 1000);

        for (int i = 0; i < count; i++)
            on_event(l, events[i].data.ptr);
    }
    report(l, (double)(now_ns() - began) / 1e9);
}

static void usage(void)
{
    fprintf(stderr, "expected: load PORT CONNECTIONS REQUESTS [-t SECONDS] [-p PATH] [-H HOST] "
                    "[-n COUNT] [-c HOST:PORT] [-i]\n");
    exit(1);
}

int main(int argc, char **argv)
{
    struct load l = { .path = "/bench", .host = "bench.example", .names = 1 };
    int64_t seconds = 60;
    bool idle = false;
    int option;

    while ((option = getopt(argc, argv, "t:p:H:n:c:i")) != -1) {
        switch (option) {
        case 't':
            seconds = number(optarg, 3600);
            break;
        case 'p':
            l.path = optarg;
            break;
        case 'H':
            l.host = optarg;
            break;
        case 'n':
            l.names = number(optarg, 1000000);
            break;
        case 'c':
            l.tunnel = optarg;
            break;
        case 'i':
            idle = true;
            break;
        default:
            usage();
        }
    }
    if (argc - optind != 3)
        usage();
    l.epoll = epoll_create1(EPOLL_CLOEXEC);
    l.port = number(argv[optind], UINT16_MAX);
    long connections = number(argv[optind + 1], MOST_CONNECTIONS);
    l.wanted = number(argv[optind + 2], MOST_REQUESTS);
    struct asker *askers = calloc((size_t)connections + 1, sizeof(*askers));
    l.took_us = calloc((size_t)l.wanted + 1, sizeof(*l.took_us));
    give_up_if(l.epoll < 0 || l.names < 1 || askers == NULL || l.took_us == NULL, "load");
    if (idle)
        hold(&l, askers, connections);
    else
        run(&l, askers, connections, seconds);
    free(l.took_us);
    free(askers);
    return idle || (l.errors == 0 && l.answered == l.wanted) ? 0 : 1;
}
