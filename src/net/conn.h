#ifndef NET_CONN_H
#define NET_CONN_H

#include "base/address.h"
#include "base/span.h"
#include "net/block.h"
#include "net/io.h"
#include "net/sock.h"

/* A connection: a stack of layers on a socket. Layers step and never sleep, so the same TLS
 * serves fiber and pump. Above net, waiting on a socket happens in exactly two places:
 * conn_read/conn_write (and conn_wait below them) on a fiber, and the pump. */

enum { WANT_READ = 1, WANT_WRITE = 2 };

struct layer {
    const struct transport *ops;
    struct layer *below; /* NULL: the socket */
    uint8_t want;        /* after IO_AGAIN: which side of the socket to wait for */
};

struct conn_info {
    bool encrypted;
    struct span protocol; /* "TLSv1.3" */
    struct span cipher;
    struct span server_name; /* SNI, lower case; lives as long as the layer */
    struct span alpn;
    bool resumed;
};

struct transport {
    enum io (*read)(struct layer *l, uint32_t max, struct lease *ret); /* AGAIN: see want */
    /* Takes some or all of the bytes; AGAIN: `ret_taken` says how many were taken all the same. */
    enum io (*write)(struct layer *l, struct iovec *iov, int n, size_t *ret_taken);
    enum io (*shut)(struct layer *l); /* end of what we send; reading goes on */
    void (*close)(struct layer *l);   /* frees the layer, not those below */
    void (*info)(const struct layer *l, struct conn_info *ret);
    bool (*holds_bytes)(const struct layer *l); /* read below and not yet given up; NULL: never */
    /* Optional; NULL: the caller reads into a buffer and writes. Only tcp has it. */
    enum io (*send_file)(struct layer *l, int file, uint64_t at, size_t n, size_t *ret_taken);
};

/* The transport at the bottom of every conn (tcp.c). */
extern const struct transport tcp_transport;

struct conn {
    struct layer *top;
    struct layer tcp; /* the lowest one */
    struct sock sock;
    struct lease unread; /* read beyond a head: the next read gives it back */
    struct address peer;
    struct address local;
    void (*on_closed)(struct conn *);
    uint32_t streak; /* steps of a fiber since it last let others run */
    void *user;      /* of whoever drives it now: dial, then the session, then the pump */
};

/* Takes over a connected descriptor. The conn's memory is the caller's, zeroed. 0 or -errno
 * (descriptor closed). */
int conn_open(struct conn *c, struct loop *l, int fd, const struct address *peer);
/* It goes on at `to`, with layers and what is unread; `from` is zeroed. Nobody waits for it; as for
 * sock_move. */
void conn_move(struct conn *from, struct conn *to);
/* Puts a layer on top. */
void conn_push(struct conn *c, struct layer *l);
/* Closes all; on_closed comes from the loop, then the memory may go. `reset`: RST. Legal at any
 * time, once. */
void conn_close(struct conn *c, bool reset, void (*on_closed)(struct conn *));
struct conn *conn_of_sock(struct sock *s);

/* On a fiber: step, wait, step again. */
enum io conn_read(struct conn *c, uint32_t max, struct lease *ret, uint64_t deadline);
/* All bytes or failure. `iov` may be changed. `deadline` is for each wait anew if `between` is
 * not 0: then each progress moves it to now + between (NGINX's send_timeout). */
enum io conn_write(struct conn *c, struct iovec *iov, int n, uint64_t between_ms);
enum io conn_send_file(struct conn *c, int file, uint64_t at, size_t n, uint64_t between_ms,
                       size_t *ret_sent);
/* Of a plain conn: some bytes into an empty pipe (IO_EOF: none will come), all `n` out of one. */
enum io conn_splice_in(struct conn *c, int pipe, uint64_t deadline, size_t most, size_t *ret_moved);
enum io conn_splice_out(struct conn *c, int pipe, size_t n, uint64_t between_ms, size_t *ret_sent);
/* Sleeps for what the top layer wants. */
enum io conn_wait(struct conn *c, uint64_t deadline);

/* Steps, through the top layer; what was unread comes first. */
enum io conn_read_start(struct conn *c, uint32_t max, struct lease *ret);
enum io conn_write_start(struct conn *c, struct iovec *iov, int n, size_t *ret_taken);
enum io conn_shut(struct conn *c); /* step; AGAIN: again when writable */

/* Moves it in; legal only when nothing is unread. */
void conn_unread(struct conn *c, struct lease *l);
/* Something is at hand: a read would not wait (but for TLS, of which a part of a record may be
 * at hand). May cost a system call. */
bool conn_ready(struct conn *c);
bool conn_plain(const struct conn *c);    /* only tcp, nothing buffered: may splice and sendfile */
bool conn_parkable(const struct conn *c); /* no layer holds a byte, nothing unread */
void conn_info(const struct conn *c, struct conn_info *ret);

#endif
