/* A loop with TLS contexts and certificates; parties of ours on fibers; peers that are plain
 * OpenSSL (or nothing like it) on a thread of their own, at the other end of a socket pair. */
#ifndef TESTS_TLS_ROOM_H
#define TESTS_TLS_ROOM_H

#include "base/buf.h"
#include "base/clock.h"
#include "net/conn.h"
#include "net/fiber.h"
#include "net/loop.h"
#include "tls/pem.h"
#include "tls/tls.h"
#include "unit/tls/certificates.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

struct room {
    struct loop loop;
    struct tls_context *a, *b, *client,
        *unsafe;                   /* b: another server block; unsafe: verifies nothing */
    struct tls_sessions *sessions; /* of a and b */
    struct tls_identity *a_identity, *b_identity;
    struct tls_binding a_binding, b_binding;
    struct buf der[4];
    char *ca_pem;
};

static inline struct tls_identity *make_identity(struct room *r, const char *name,
                                                 const struct made *ca, struct buf der[2])
{
    struct made m = make_certificate(name, EVP_EC_gen("P-256"), ca);
    char *certificate = certificate_pem(&m), *key = key_pem(&m, NULL), reason[256];

    (void)r;
    buf_init(&der[0], 1 << 16, NULL);
    buf_init(&der[1], 1 << 16, NULL);
    must(tls_chain_of_pem(span_of(certificate), &der[0], reason));
    must(tls_key_of_pem(span_of(key), &der[1], reason));
    free(certificate);
    free(key);
    made_done(&m);
    return tls_identity_new(buf_view(&der[0]), buf_view(&der[1]));
}

static inline struct tls_context *make_server(struct tls_settings s)
{
    struct tls_refusal refusal;

    s.protocols = TLS_1_2 | TLS_1_3;
    s.session_ms = 300000;
    struct tls_context *c = tls_server_context_new(&s, &refusal);

    must(c != NULL);
    return c;
}

static inline void room_init(struct room *r)
{
    struct made ca = make_certificate("ca", EVP_EC_gen("P-256"), NULL);
    char reason[256];

    *r = (struct room){ 0 };
    must(loop_init_epoll(&r->loop, 64, NULL) == 0);
    r->ca_pem = certificate_pem(&ca);
    r->sessions = tls_sessions_new(0, 300000); /* the keys are shared: only bindings divide */
    r->a = make_server((struct tls_settings){ .tickets = true, .sessions = r->sessions });
    r->b = make_server((struct tls_settings){ .tickets = true, .sessions = r->sessions });
    r->a_binding = tls_bind(&(struct span)SPAN("a"), 1);
    r->b_binding = tls_bind(&(struct span)SPAN("b"), 1);
    r->client = tls_client_context_new(span_of(r->ca_pem), reason);
    r->unsafe = tls_client_context_new((struct span){ NULL, 0 }, reason);
    must(r->client != NULL && r->unsafe != NULL);
    r->a_identity = make_identity(r, "a.example", &ca, &r->der[0]);
    r->b_identity = make_identity(r, "b.example", &ca, &r->der[2]);
    made_done(&ca);
}

/* Every block went back, or this aborts. */
static inline void room_done(struct room *r)
{
    tls_context_unref(&r->a);
    tls_context_unref(&r->b);
    tls_sessions_unref(&r->sessions);
    tls_context_unref(&r->client);
    tls_context_unref(&r->unsafe);
    tls_identity_unref(&r->a_identity);
    tls_identity_unref(&r->b_identity);
    for (size_t i = 0; i < COUNT(r->der); i++)
        buf_done(&r->der[i]);
    free(r->ca_pem);
    must(r->loop.blocks.live == 0);
    loop_done(&r->loop);
}

/* On a fiber a failed assert of cmocka would jump off its stack. */
#define PROMISED(held) ((held) ? (void)0 : broken(#held, __FILE__, __LINE__))

static inline void broken(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    abort();
}

/* --- one of ours ---------------------------------------------------------------------------- */

struct party {
    struct room *room;
    struct conn conn;
    const char *connects_to; /* NULL: a server */
    struct tls_context *context;
    void (*act)(struct party *); /* once the handshake is done */
    uint64_t patience_ms;
    bool stays; /* conn_shut before the close */
    bool over;
    enum io io; /* of the handshake */
    enum tls_fault fault;
    char reason[256];
    char asked_name[256];
    char protocol[16], cipher[64], alpn[16], name[256];
    bool resumed;
    struct party *other; /* for the act */
    unsigned long count;
};

static inline uint64_t soon(const struct party *p)
{
    return loop_now(p->conn.sock.loop) + (p->patience_ms ? p->patience_ms : PATIENCE_MS);
}

static inline bool choose(void *arg, struct span name, struct tls_choice *ret)
{
    struct party *p = arg;

    snprintf(p->asked_name, sizeof(p->asked_name), "%.*s", (int)name.len, name.len ? name.at : "");
    if (span_is(name, "refused.example"))
        return false;
    if (span_is(name, "b.example"))
        *ret = (struct tls_choice){ p->room->b, p->room->b_identity, p->room->b_binding };
    else
        *ret = (struct tls_choice){ p->context ? p->context : p->room->a, p->room->a_identity,
                                    p->room->a_binding };
    return true;
}

static inline void text_of_span(struct span s, size_t size, char *to)
{
    snprintf(to, size, "%.*s", (int)s.len, s.len ? s.at : "");
}

static inline void note_info(struct party *p)
{
    struct conn_info info;

    conn_info(&p->conn, &info);
    text_of_span(info.protocol, sizeof(p->protocol), p->protocol);
    text_of_span(info.cipher, sizeof(p->cipher), p->cipher);
    text_of_span(info.alpn, sizeof(p->alpn), p->alpn);
    text_of_span(info.server_name, sizeof(p->name), p->name);
    p->resumed = info.resumed;
}

static inline void on_party_closed(struct conn *c)
{
    CONTAINER(c, struct party, conn)->over = true;
}

static inline void party_run(void *arg)
{
    struct party *p = arg;

    if (p->connects_to != NULL)
        p->io = tls_connect(&p->conn, p->context ? p->context : p->room->client,
                            span_of(p->connects_to), soon(p), p->reason);
    else
        p->io = tls_accept(&p->conn, choose, p, soon(p), &p->fault, p->reason);
    if (p->io == IO_OK)
        note_info(p);
    if (p->act != NULL && (p->io == IO_OK || p->fault == TLS_PLAIN))
        p->act(p);
    conn_close(&p->conn, false, on_party_closed);
}

static inline void party_start(struct party *p, int fd)
{
    must(conn_open(&p->conn, &p->room->loop, fd, NULL) == 0);
    must(fiber_spawn(&p->room->loop.fibers, NULL, party_run, p) == 0);
}

static inline void make_pair(int ret[2])
{
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret) == 0);
}

/* Turns until both are over. */
static inline bool room_run(struct room *r, const struct party *p, const struct party *q)
{
    uint64_t end = clock_monotonic_ms() + PATIENCE_MS;

    while (!(p->over && (q == NULL || q->over)) && clock_monotonic_ms() < end)
        must(loop_turn(&r->loop, 20) == 0);
    return p->over && (q == NULL || q->over);
}

/* --- reading and writing for an act --------------------------------------------------------- */

static inline enum io say_text(struct party *p, const char *text)
{
    struct iovec iov = { (char *)text, strlen(text) };

    return conn_write(&p->conn, &iov, 1, PATIENCE_MS);
}

static inline enum io say_end(struct party *p)
{
    enum io io;

    while ((io = conn_shut(&p->conn)) == IO_AGAIN && conn_wait(&p->conn, soon(p)) == IO_OK)
        continue;
    return io;
}

/* Reads exactly as many bytes as `text` has, and compares. */
static inline bool hear_text(struct party *p, const char *text)
{
    size_t len = strlen(text), have = 0;
    bool same = true;

    while (have < len && same) {
        struct lease l = { 0 };

        if (conn_read(&p->conn, (uint32_t)(len - have), &l, soon(p)) != IO_OK)
            return false;
        same = memcmp(text + have, l.data, l.size) == 0;
        have += l.size;
        lease_done(&l);
    }
    return same;
}

/* The end of what the other sends. */
static inline enum io hear_end(struct party *p)
{
    struct lease l = { 0 };
    enum io io = conn_read(&p->conn, BLOCK_SIZE, &l, soon(p));

    lease_done(&l);
    return io;
}

/* --- a peer that is not ours ---------------------------------------------------------------- */

struct peer {
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
    const char *name;
    void (*act)(struct peer *); /* with `ssl` connected; or, without `ctx`, with `fd` alone */
    pthread_t thread;
    bool connected;
    bool kept;            /* what the act promises */
    int error;            /* OpenSSL's reason of the failed connect */
    SSL_SESSION *session; /* offered; and the newest ticket afterwards */
};

static inline int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct peer *p = SSL_get_app_data(ssl);

    SSL_SESSION_free(p->session);
    p->session = session;
    return 1;
}

static inline void *peer_run(void *arg)
{
    struct peer *p = arg;
    struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };

    setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(p->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (p->ctx == NULL) {
        p->act(p);
    } else {
        p->ssl = SSL_new(p->ctx);
        SSL_set_app_data(p->ssl, p);
        SSL_set_fd(p->ssl, p->fd);
        if (p->name != NULL)
            SSL_set_tlsext_host_name(p->ssl, p->name);
        if (p->session != NULL)
            SSL_set_session(p->ssl, p->session);
        p->connected = SSL_connect(p->ssl) == 1;
        p->error = ERR_GET_REASON(ERR_peek_error());
        ERR_clear_error();
        if (p->connected && p->act != NULL)
            p->act(p);
        SSL_free(p->ssl);
    }
    close(p->fd);
    ERR_clear_error();
    OPENSSL_thread_stop();
    return NULL;
}

static inline SSL_CTX *make_peer_ctx(int version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    SSL_CTX_set_max_proto_version(ctx, version);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_session);
    return ctx;
}

/* A server of ours and that peer, from start to end. */
static inline bool meet(struct room *r, struct party *server, struct peer *peer)
{
    int fds[2];

    make_pair(fds);
    server->room = r;
    peer->fd = fds[1];
    must(pthread_create(&peer->thread, NULL, peer_run, peer) == 0);
    party_start(server, fds[0]);
    bool ended = room_run(r, server, NULL);
    pthread_join(peer->thread, NULL);
    return ended;
}

#endif
