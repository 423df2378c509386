/* The lowest layer of a conn: its socket. Owns nothing; the conn owns the socket. */
#include "base/link.h"
#include "net/conn.h"
#include "net/io.h"
#include "net/sock.h"

static struct sock *sock_of(struct layer *l)
{
    return &CONTAINER(l, struct conn, tcp)->sock;
}

static enum io wants(struct layer *l, enum io io, uint8_t side)
{
    if (io == IO_AGAIN)
        l->want = side;
    return io;
}

static enum io tcp_read(struct layer *l, uint32_t max, struct lease *ret)
{
    return wants(l, sock_recv_start(sock_of(l), max, ret), WANT_READ);
}

static enum io tcp_write(struct layer *l, struct iovec *iov, int n, size_t *ret_taken)
{
    return wants(l, sock_send_start(sock_of(l), iov, n, ret_taken), WANT_WRITE);
}

static enum io tcp_send_file(struct layer *l, int file, uint64_t at, size_t n, size_t *ret_taken)
{
    return wants(l, sock_send_file(sock_of(l), file, at, n, ret_taken), WANT_WRITE);
}

static enum io tcp_shut(struct layer *l)
{
    return sock_shutdown_write(sock_of(l));
}

static void tcp_close(struct layer *l)
{
    (void)l; /* the conn closes the socket */
}

const struct transport tcp_transport = {
    .read = tcp_read,
    .write = tcp_write,
    .shut = tcp_shut,
    .close = tcp_close,
    .send_file = tcp_send_file,
};
