#ifndef NET_SOCK_H
#define NET_SOCK_H

#include "base/link.h"
#include "base/span.h"
#include "net/io.h"
#include "net/timer.h"

#include <sys/uio.h>

struct address;
struct lease;

enum side { SIDE_READ, SIDE_WRITE };

static inline struct iovec iov_of(struct span s)
{
    return (struct iovec){ (void *)(uintptr_t)s.at, s.len };
}

/* Moves on over the first `bytes` of `iov`. Returns how many of its pieces are left; they begin
 * at *iov. */
static inline int iov_skip(struct iovec **iov, int n, size_t bytes)
{
    while (n > 0 && bytes >= (*iov)->iov_len) {
        bytes -= (*iov)->iov_len;
        (*iov)++;
        n--;
    }
    if (n > 0) {
        (*iov)->iov_base = (char *)(*iov)->iov_base + bytes;
        (*iov)->iov_len -= bytes;
    }
    return n;
}

/* A registered descriptor: embed it, zeroed, 8-aligned. Registered once for its life,
 * edge-triggered. All but `fd`, `error`, `loop`, `on[].fn` is private to net. A callback of `on`
 * comes when its side turns ready: after IO_AGAIN, or sock_again; one that never stepped to
 * IO_AGAIN is not called anew. */
struct sock {
    int fd;
    int error;         /* errno behind IO_FAILED: refused, unroutable, reset; else 0 */
    uint16_t flags;    /* loop_backend.h */
    uint16_t inflight; /* operations the kernel still holds */
    uint16_t batch;    /* of a listener */
    struct loop *loop;
    struct {
        void (*fn)(struct sock *);
        struct wait *wait;
    } on[2];                          /* one user a side: a callback or a fiber */
    struct timer timer;               /* of a parked socket, or of a pump */
    void *backend;                    /* made on demand */
    void (*on_hangup)(struct sock *); /* see sock_watch_hangup */
    void (*on_closed)(struct sock *);
    union {
        void (*on_wake)(struct sock *, enum wake);                            /* see sock_park */
        void (*on_accept)(struct sock *, int fd, const struct address *peer); /* of a listener */
    };
    struct link queue; /* in loop->again or loop->closing */
};

/* EVENT: an eventfd, signalfd, inotify ...: on[SIDE_READ].fn comes for each edge, and reads `fd` by
 * itself until EAGAIN; none of the steps below. */
enum sock_kind { SOCK_KIND_STREAM, SOCK_KIND_DATAGRAM, SOCK_KIND_EVENT };

/* Takes the descriptor, which is non-blocking, over, in failure too. The only epoll_ctl of its
 * life. 0 or -errno. From its first event on a datagram socket counts as readable until EAGAIN;
 * a stream one until a read shorter than asked. A datagram for which the kernel has no room is
 * lost: IO_FAILED, EAGAIN. */
int sock_open(struct loop *l, struct sock *s, int fd, enum sock_kind kind);
/* `on_accept` gets each new descriptor (it takes it over) with its peer; at most `batch` a turn.
 * A negative one is -errno (EMFILE, ENFILE, ENOBUFS, ENOMEM), `peer` NULL: the listener rests
 * for half a second. */
int sock_listen(struct loop *l, struct sock *s, int fd, int batch,
                void (*on_accept)(struct sock *s, int fd, const struct address *peer));
void sock_listen_pause(struct sock *s, bool pause); /* EMFILE, full, drain */

/* Steps: never sleep; for transports and pumps. IO_AGAIN: on[side] is called or woken later,
 * from the loop. */
/* OK: at least one byte. `max` is at least 1. */
enum io sock_recv_start(struct sock *s, uint32_t max, struct lease *ret);
/* IO_OK, IO_AGAIN: `ret_taken` bytes were taken (with IO_AGAIN fewer than all, maybe none); the
 * caller moves `iov` on (iov_skip). */
enum io sock_send_start(struct sock *s, struct iovec *iov, int n, size_t *ret_taken);
/* AGAIN: wait for SIDE_WRITE, then call sock_connect_end. */
enum io sock_connect_start(struct sock *s, const struct address *to);
enum io sock_connect_end(struct sock *s);
/* IO_EOF: the file is shorter. The descriptors here and below: a file, a pipe's end;
 * non-blocking. */
enum io sock_send_file(struct sock *s, int file, uint64_t at, size_t n, size_t *ret_taken);
/* Moves up to `n` bytes into an empty pipe, or out of one that is not. IO_EOF: the peer's FIN. */
enum io sock_splice_in(struct sock *from, int pipe_to, size_t n, size_t *ret_taken);
enum io sock_splice_out(struct sock *to, int pipe_from, size_t n, size_t *ret_taken);
/* After IO_FAILED of one of them: the kernel cannot splice here; the connection itself is well. */
bool sock_cannot_splice(const struct sock *s);
enum io sock_shutdown_write(struct sock *s);
/* Bytes, FIN or an error are at hand: a read would not wait. May cost a system call. */
bool sock_ready(struct sock *s);
/* Budget used up: call on[SIDE_READ] in the next turn. */
void sock_again(struct sock *s);

/* A fiber sleeps until the side may be ready (it then tries its step again), or why not. */
enum io sock_wait(struct sock *s, enum side side, uint64_t deadline);
/* Either side, whichever comes first. */
enum io sock_wait_both(struct sock *s, uint64_t deadline);
/* A fiber connects: start, wait, end. */
enum io sock_connect(struct sock *s, const struct address *to, uint64_t deadline);

/* It goes on at `to`; `from` is zeroed. On a fiber or in a callback of another socket; nobody waits
 * for it, nothing of it is queued. */
void sock_move(struct sock *from, struct sock *to);

/* Idle: no fiber, no buffer. `on_wake` comes once, from the loop: WAKE_DONE for bytes, FIN or
 * error, WAKE_TIMEOUT at the deadline. If bytes are there already, it comes in this turn or the
 * next. */
void sock_park(struct sock *s, void (*on_wake)(struct sock *, enum wake), uint64_t deadline);
/* The pool takes it back; false: something came, drop it. In both cases on_wake comes no more. */
bool sock_unpark(struct sock *s);
/* FIN or reset of a peer whose read side is idle or another's: fn once, from the loop, no byte
 * taken; NULL: no more. If it happened already, fn comes from the loop all the same. */
void sock_watch_hangup(struct sock *s, void (*fn)(struct sock *));
/* The same, but a FIN is known and no news: fn comes for the reset that may follow, or the end of
 * both directions, if that has not happened yet. */
void sock_watch_reset(struct sock *s, void (*fn)(struct sock *));
/* A reset or another error came; `error` says which. A system call. */
bool sock_has_failed(struct sock *s);
/* Legal in every state after sock_open or sock_listen, also a failed one; once. No callback
 * after it but on_closed, from the loop: nothing in kernel or queue names the memory any more.
 * The descriptor is closed then, not before. A fiber that sleeps on it wakes with IO_CANCELLED.
 * `reset`: RST instead of FIN. */
void sock_close(struct sock *s, bool reset, void (*on_closed)(struct sock *));

/* 0 or -errno. */
int sock_local_address(struct sock *s, struct address *ret);
/* Streams of AF_INET, AF_INET6 have TCP_NODELAY. A descriptor, or -errno. */
int loop_new_socket(struct loop *l, int family, enum sock_kind kind);

#endif
