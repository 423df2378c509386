#ifndef NET_FAKE_H
#define NET_FAKE_H

#include "base/address.h"
#include "base/buf.h"
#include "base/link.h"
#include "net/loop_fake.h"
#include "net/sock.h"

/* Between loop_fake.c and fake_peer.c: what the fake's world consists of. */

enum { FAKE_FIRST_FD = 1 << 20 }; /* those that are not the test's own choice */

struct fake_chunk { /* bytes under way to the code; for datagrams one each */
    struct fake_chunk *next;
    size_t len;
    size_t taken;
    char bytes[];
};

enum fake_flag {
    FAKE_CONNECTED = 1 << 0,
    FAKE_EOF = 1 << 1,      /* the far end's FIN */
    FAKE_CODE_FIN = 1 << 2, /* ours */
    FAKE_CODE_RESET = 1 << 3,
    FAKE_BLOCKED = 1 << 4 /* a send was short: it will be told of room */
};

enum fake_news {
    NEWS_CONNECT = 1 << 0, /* for the origin's on_connect */
    NEWS_DATA = 1 << 1,    /* for on_data */
    NEWS_EVENT = 1 << 2    /* for the code's socket: an edge */
};

struct fake_rule {
    struct fake_rule *next;
    struct address to;
    int error;
    void (*on_connect)(void *arg, struct fake_peer *);
    void *arg;
};

struct fake_peer {
    struct fake *fake;
    struct fake_peer *next;         /* of all there ever were */
    struct fake_peer *next_waiting; /* in a listener's backlog */
    struct link dirty;              /* in fake->dirty while there is news */
    unsigned news;
    unsigned flags;
    int fd;
    int error; /* what the next step meets */
    enum sock_kind kind;
    struct sock *sock;                /* NULL: not yet, or no more */
    struct address local, remote;     /* as the code sees them */
    struct fake_chunk *first, **last; /* owned */
    struct buf received;
    size_t window;
    const struct fake_rule *rule;
    void (*on_data)(void *arg, struct fake_peer *);
    void *on_data_arg;
};

struct fake_listener {
    struct fake_listener *next;
    struct sock *sock; /* NULL: closed */
    int fd;
    bool has_news;
    struct fake_peer *waiting, **last_waiting;
};

struct fake {
    struct loop *loop;
    uint64_t now;
    struct link dirty;
    struct fake_peer *peers;         /* owned */
    struct fake_listener *listeners; /* owned */
    struct fake_rule *rules;         /* owned; the latest first */
    int next_fd;
    uint32_t segment;
    uint64_t offload_ms;
    struct {
        uint64_t count;
        uint64_t fails_at;
        int error;
    } steps[FAKE_STEP_KINDS];
};

struct fake_peer *fake_peer_new(struct fake *f, enum sock_kind kind);
void fake_peer_free(struct fake_peer *p);
struct fake_peer *fake_peer_of(const struct fake *f, int fd); /* NULL: none */
struct fake_listener *fake_listener_of(const struct fake *f, int fd);
void fake_tell(struct fake_peer *p, unsigned news);
bool fake_is_quiet(const struct fake *f); /* no news for anybody */
/* Drops `n` bytes that the code took from the first chunk. */
void fake_chunk_take(struct fake_peer *p, size_t n);

#endif
