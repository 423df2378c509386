#ifndef UNIT_NET_DNS_BENCH_H
#define UNIT_NET_DNS_BENCH_H

#include "net/dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <unistd.h>

#include "base/buf.h"
#include "net/fiber.h"
#include "net/loop.h"
#include "net/loop_backend.h"
#include "net/timer.h"
#include "unit/net/dns_message.h"

/* A resolver, name servers that the test plays (real UDP on loopback), and a clock that the test
 * can push on. */

enum {
    REPLY = 0x8180,
    TRUNCATED = 0x0200,
    NO_NAME = 3,
    REFUSED = 5,
    TURNS = 50000,
    MOST_SERVERS = 2,
    MOST_STREAMS = 8,
    LONGEST_QUERY = 512,
    MOST_LOOKUPS = 128
};
enum { DAY_MS = 24 * 60 * 60 * 1000 };

struct bench;

struct query {
    uint16_t id;
    uint16_t type;
    char name[256];
    struct sockaddr_in from;
};

/* A connection of a resolver to a server, for one query. */
struct stream {
    int fd; /* 0: none */
    size_t len;
    unsigned char bytes[2 + LONGEST_QUERY];
};

struct server {
    struct bench *bench;
    int fd;       /* -1: nobody there */
    int listener; /* of the same port */
    struct stream streams[MOST_STREAMS];
    unsigned framed_queries;
    void (*answer_framed)(struct server *, const struct query *, int fd); /* NULL: silent */
    struct address at;
    void (*answer)(struct server *, const struct query *); /* NULL: silent */
    unsigned queries[2];                                   /* for A, for AAAA */
    unsigned ports_seen;
    struct query last[2];
};

struct lookup {
    struct bench *bench;
    const char *name;
    uint64_t deadline;
    enum io io;
    bool done;
    struct fiber *fiber;
    struct resolve_result result;
};

struct bench {
    struct loop loop;
    struct loop_ops ops;
    struct loop_ops real;
    uint64_t skew; /* how far the clock was pushed on */
    struct server servers[MOST_SERVERS];
    struct resolver_options options;
    struct resolver *resolver;
    struct lookup lookups[MOST_LOOKUPS];
    unsigned pending;
};

static struct bench *bench; /* for the loop's turn, which has no argument of ours */

static inline int skewed_turn(struct loop *l, int timeout_ms)
{
    int error = bench->real.turn(l, timeout_ms > 1 || timeout_ms < 0 ? 1 : timeout_ms);

    l->now += bench->skew;
    return error;
}

/* --- the servers ------------------------------------------------------------------------------ */

/* A listener on a free port, and a socket for datagrams on the same, unless that is taken. */
static inline bool open_both(struct server *s)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(at);

    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(s->listener, MOST_STREAMS), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&at, &size), 0);
    assert_true(address_of_sockaddr((struct sockaddr *)&at, &s->at));
    return bind(s->fd, (struct sockaddr *)&at, size) == 0;
}

static inline void open_server(struct server *s)
{
    while (!open_both(s)) {
        close(s->listener);
        close(s->fd);
    }
}

static inline void close_server(struct server *s)
{
    if (s->fd >= 0)
        close(s->fd);
    if (s->listener >= 0)
        close(s->listener);
    s->fd = s->listener = -1;
    for (int i = 0; i < MOST_STREAMS; i++)
        if (s->streams[i].fd > 0)
            close(s->streams[i].fd);
}

static inline void take_query(const unsigned char *m, ssize_t n, struct query *ret)
{
    ssize_t at = DNS_HEADER_SIZE;
    size_t len = 0;

    assert_true(n > DNS_HEADER_SIZE + 4 && n <= 12 + 255 + 4);
    while (m[at] != 0) {
        for (int left = m[at++]; left > 0; left--)
            ret->name[len++] = (char)m[at++];
        ret->name[len++] = '.';
    }
    assert_int_equal(at + 5, n);
    ret->name[len > 0 ? len - 1 : 0] = '\0';
    ret->id = (uint16_t)(m[0] << 8 | m[1]);
    ret->type = (uint16_t)(m[at + 1] << 8 | m[at + 2]);
    assert_int_equal(m[2] << 8 | m[3], 0x0100); /* a query, recursion desired */
}

static inline bool read_query(struct server *s, struct query *ret)
{
    unsigned char m[LONGEST_QUERY];
    socklen_t size = sizeof(ret->from);
    ssize_t n = recvfrom(s->fd, m, sizeof(m), 0, (struct sockaddr *)&ret->from, &size);

    if (n >= 0)
        take_query(m, n, ret);
    return n >= 0;
}

static inline void send_message(struct server *s, const struct query *q, struct buf *m)
{
    assert_true(buf_ok(m));
    sendto(s->fd, m->data, m->len, 0, (const struct sockaddr *)&q->from, sizeof(q->from));
    buf_done(m);
}

static inline struct buf reply_to(const struct query *q, unsigned flags, unsigned answers)
{
    struct buf m;

    buf_init(&m, LONGEST_MESSAGE, NULL);
    put_head(&m, q->id, flags, answers);
    put_question(&m, q->name, q->type);
    return m;
}

static inline void accept_stream(struct server *s)
{
    int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK);

    for (int i = 0; i < MOST_STREAMS && fd >= 0; i++)
        if (s->streams[i].fd == 0) {
            s->streams[i] = (struct stream){ .fd = fd };
            fd = -1;
        }
    assert_true(fd < 0);
}

/* Its query, once; it is closed when the resolver has closed it. */
static inline void serve_stream(struct server *s, struct stream *t)
{
    struct query q = { 0 };
    ssize_t n = recv(t->fd, t->bytes + t->len, sizeof(t->bytes) - t->len, 0);

    if (n == 0) {
        close(t->fd);
        t->fd = 0;
    }
    if (n <= 0)
        return;
    t->len += (size_t)n;
    if (t->len < 2 || t->len < 2 + (size_t)(t->bytes[0] << 8 | t->bytes[1]))
        return;
    take_query(t->bytes + 2, (ssize_t)t->len - 2, &q);
    s->framed_queries++;
    if (s->answer_framed != NULL)
        s->answer_framed(s, &q, t->fd);
}

static inline void serve_streams(struct server *s)
{
    if (s->listener >= 0)
        accept_stream(s);
    for (int i = 0; i < MOST_STREAMS; i++)
        if (s->streams[i].fd > 0)
            serve_stream(s, &s->streams[i]);
}

static inline void serve(struct server *s)
{
    struct query q;

    serve_streams(s);

    while (s->fd >= 0 && read_query(s, &q)) {
        unsigned kind = q.type == DNS_AAAA;

        s->queries[kind]++;
        s->ports_seen += q.from.sin_port != s->last[kind].from.sin_port;
        s->last[kind] = q;
        if (s->answer != NULL)
            s->answer(s, &q);
    }
}

/* An address that says for how many queries it was made. */
static inline void put_address(struct buf *m, const struct server *s, const struct query *q,
                               uint32_t seconds)
{
    put_pointer(m, QUESTION_AT);
    if (q->type == DNS_A) {
        put_record(m, DNS_A, seconds, 4);
        put_u32(m, 0x0a000000 | s->queries[0]);
    } else {
        put_record(m, DNS_AAAA, seconds, 16);
        put_u32(m, 0x20010db8);
        put_u32(m, 0);
        put_u32(m, 0);
        put_u32(m, s->queries[1]);
    }
}

static inline void answer_for(struct server *s, const struct query *q, uint32_t seconds)
{
    struct buf m = reply_to(q, REPLY, 1);

    put_address(&m, s, q, seconds);
    send_message(s, q, &m);
}

static inline void answer_well(struct server *s, const struct query *q)
{
    answer_for(s, q, 300);
}

static inline void answer_code(struct server *s, const struct query *q, unsigned code)
{
    struct buf m = reply_to(q, REPLY | code, 0);

    send_message(s, q, &m);
}

static inline void answer_refused(struct server *s, const struct query *q)
{
    answer_code(s, q, REFUSED);
}

static inline void answer_no_data(struct server *s, const struct query *q)
{
    answer_code(s, q, 0);
}

static inline void answer_only_a(struct server *s, const struct query *q)
{
    if (q->type == DNS_A)
        answer_well(s, q);
    else
        answer_no_data(s, q);
}

/* --- the bench -------------------------------------------------------------------------------- */

static inline int setup(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));

    assert_non_null(b);
    bench = b;
    assert_int_equal(loop_init_epoll(&b->loop, 300, NULL), 0);
    b->real = b->ops = *b->loop.ops;
    b->ops.turn = skewed_turn;
    b->loop.ops = &b->ops;
    b->options = (struct resolver_options){ .timeout_ms = 4000, .ipv4 = true, .ipv6 = true };
    for (int i = 0; i < MOST_SERVERS; i++) {
        b->servers[i].bench = b;
        b->servers[i].answer = answer_well;
        open_server(&b->servers[i]);
        b->options.servers[i] = b->servers[i].at;
    }
    b->options.server_count = 1;
    *state = b;
    return 0;
}

static inline void turn(struct bench *b)
{
    assert_int_equal(loop_turn(&b->loop, 1), 0);
    for (int i = 0; i < MOST_SERVERS; i++)
        serve(&b->servers[i]);
}

static inline int teardown(void **state)
{
    struct bench *b = *state;

    resolver_free(&b->resolver);
    for (int i = 0; i < TURNS && b->loop.fibers.live > 0; i++)
        turn(b);
    assert_int_equal(b->loop.fibers.live, 0);
    assert_int_equal(b->loop.open_socks, 0);
    assert_int_equal(b->loop.blocks.live, 0);
    for (int i = 0; i < MOST_SERVERS; i++)
        close_server(&b->servers[i]);
    loop_done(&b->loop);
    free(b);
    return 0;
}

static inline void start(struct bench *b)
{
    b->resolver = resolver_new(&b->loop, &b->options);
    assert_non_null(b->resolver);
}

static inline void run_lookup(void *arg)
{
    struct lookup *k = arg;

    k->fiber = fiber_self();
    k->io = resolver_lookup(k->bench->resolver, span_of(k->name), k->deadline, &k->result);
    k->done = true;
    k->bench->pending--;
}

static inline struct lookup *begin(struct bench *b, unsigned i, const char *name)
{
    struct lookup *k = &b->lookups[i];

    *k = (struct lookup){ .bench = b, .name = name, .deadline = TIMER_NEVER };
    b->pending++;
    assert_int_equal(fiber_spawn(&b->loop.fibers, NULL, run_lookup, k), 0);
    return k;
}

static inline void finish(struct bench *b)
{
    for (int i = 0; i < TURNS && b->pending > 0; i++)
        turn(b);
    assert_int_equal(b->pending, 0);
}

static inline struct resolve_result *lookup(struct bench *b, const char *name)
{
    struct lookup *k = begin(b, 0, name);

    finish(b);
    assert_int_equal(k->io, IO_OK);
    return &k->result;
}

static inline enum resolve_fault fault(struct bench *b, const char *name)
{
    return lookup(b, name)->fault;
}

/* Time passes faster: what waits for seconds is over in a moment. */
static inline void finish_fast(struct bench *b)
{
    for (int i = 0; i < TURNS && b->pending > 0; i++) {
        turn(b);
        b->skew += 20;
    }
    assert_int_equal(b->pending, 0);
}

static inline unsigned queries(const struct server *s)
{
    return s->queries[0] + s->queries[1];
}

#endif
