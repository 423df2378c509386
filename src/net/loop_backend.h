#ifndef NET_LOOP_BACKEND_H
#define NET_LOOP_BACKEND_H

#include "base/link.h"
#include "net/io.h"
#include "net/sock.h"

struct address;
struct budget;
struct lease;

/* Between loop.c, sock.c and the backends; nobody else. */

enum sock_flag {
    SOCK_READABLE = 1 << 0, /* a read is worth trying */
    SOCK_WRITABLE = 1 << 1,
    SOCK_RDHUP = 1 << 2, /* FIN came: no further edge, so read on until it is met */
    SOCK_HUP = 1 << 3,   /* both directions are over, or an error waits */
    SOCK_IS_OPEN = 1 << 4,
    SOCK_CLOSING = 1 << 5, /* sock_close was called; it lies in loop->closing */
    SOCK_RESETS = 1 << 6,
    SOCK_PARKED = 1 << 7,
    SOCK_LISTENING = 1 << 8,
    SOCK_PAUSED = 1 << 9,
    SOCK_DATAGRAM = 1 << 10,
    SOCK_EVENT = 1 << 11,
    SOCK_ASKED_AGAIN = 1 << 12, /* on[SIDE_READ] is to be called from the queue */
    SOCK_FIN_IS_KNOWN = 1 << 13 /* on_hangup waits for SOCK_HUP only */
};

/* What a backend is. The calls of net/sock.h and net/loop.h check states and pass on to these. */
struct loop_ops {
    int (*turn)(struct loop *l, int timeout_ms);
    void (*done)(struct loop *l);
    int (*open)(struct sock *s);   /* also a listener; failed: the descriptor is closed */
    void (*moved)(struct sock *s); /* its memory is another now */
    void (*close)(struct sock *s, bool reset); /* afterwards the descriptor is closed */
    bool (*probe)(struct sock *s);             /* would a read not wait? */
    int (*accept)(struct sock *s, struct address *ret_peer); /* a descriptor, or -errno */
    enum io (*recv)(struct sock *s, struct lease *into);     /* into->size: room, then bytes */
    enum io (*send)(struct sock *s, struct iovec *iov, int n, size_t *ret_taken);
    enum io (*connect)(struct sock *s, const struct address *to);
    enum io (*connect_end)(struct sock *s);
    enum io (*send_file)(struct sock *s, int file, uint64_t at, size_t n, size_t *ret_taken);
    enum io (*splice_in)(struct sock *from, int pipe_to, size_t n, size_t *ret_taken);
    enum io (*splice_out)(struct sock *to, int pipe_from, size_t n, size_t *ret_taken);
    enum io (*shutdown_write)(struct sock *s);
    int (*local_address)(struct sock *s, struct address *ret);
    int (*new_socket)(struct loop *l, int family, enum sock_kind kind); /* non-blocking, cloexec */
    int64_t (*wall_ms)(struct loop *l);
    /* NULL: calls are offloaded to threads. Else there are none, and each takes so long. */
    uint64_t (*offload_ms)(const struct loop *l);
};

/* All but the backend's own part. */
void loop_init(struct loop *l, const struct loop_ops *ops, uint64_t now);
void loop_limits(struct loop *l, uint32_t max_fibers, struct budget *budget);
/* A backend's turn, right after its wait. */
void loop_note_time(struct loop *l, uint64_t now);
/* Is there something to do at once, without an event or a timer? */
bool loop_has_work(const struct loop *l);

/* Moves what lies in `queue` into `ret_now`: what comes later waits for its own turn. */
static inline void link_take_all(struct link *queue, struct link *ret_now)
{
    link_insert(queue, ret_now);
    link_remove(queue); /* `ret_now` heads the ring */
}

/* What came for a socket, of the first four flags. Calls and wakes whom it concerns. */
void sock_event(struct sock *s, unsigned came);
/* Its turn in loop->again has come. */
void sock_call_again(struct sock *s);
/* Its turn in loop->closing has come. */
void sock_finish(struct sock *s);

#endif
