/* TLS as a layer: steps only, between a layer of bytes below and whoever reads and writes above.
 *
 *     above    tls_read              tls_write
 *                ^  SSL_read           |  SSL_write, a record at a time
 *     OpenSSL    |                     v
 *                |  bio_read           |  bio_write
 *     below    in (one lease)        out (up to four blocks)
 *
 * OpenSSL sees memory only. A step makes one receive at most when dry, and one send at its end.
 * A write makes room for a whole record before it asks for one, so SSL_write never stops half way.
 * Owns the SSL, the lease and the blocks; both buffers are absent when idle. */
#include "tls/tls.h"

#include "base/budget.h"
#include "base/charged.h"
#include "net/block.h"
#include "net/conn.h"
#include "net/loop.h"
#include "tls/context.h"
#include "tls/layer.h"

#include <openssl/err.h>
#include <stdio.h>

enum { RECORD_MOST = TLS_PLAIN_MOST + 256 }; /* with head, padding and tag */
enum { BIO_TYPE_OURS = 127 };                /* any number: nobody looks for it */
enum { QUIET_MOST = 32 };                    /* handshake messages without data between */

/* --- what goes down ------------------------------------------------------------------------- */

static void out_drop(struct tls *t)
{
    for (int i = 0; i < TLS_OUT_BLOCKS && t->out[i] != NULL; i++) {
        block_unref(t->out[i]);
        t->out[i] = NULL;
    }
    t->out_at = t->out_end = 0;
}

/* Takes what fits; 0: full, or no memory. */
static uint32_t out_add(struct tls *t, const char *from, uint32_t n)
{
    uint32_t taken = 0;

    while (taken < n && t->out_end < TLS_OUT) {
        struct block **block = &t->out[t->out_end / BLOCK_SIZE];
        uint32_t at = t->out_end % BLOCK_SIZE, room = BLOCK_SIZE - at;
        uint32_t part = n - taken < room ? n - taken : room;

        if (*block == NULL && (*block = block_get(t->blocks)) == NULL)
            break;
        memcpy((*block)->data + at, from + taken, part);
        taken += part;
        t->out_end += part;
    }
    return taken;
}

static int out_pieces(const struct tls *t, struct iovec ret[TLS_OUT_BLOCKS])
{
    int n = 0;

    for (uint32_t at = t->out_at; at < t->out_end; n++) {
        uint32_t offset = at % BLOCK_SIZE, left = t->out_end - at;
        uint32_t part = left < BLOCK_SIZE - offset ? left : BLOCK_SIZE - offset;

        ret[n] = (struct iovec){ t->out[at / BLOCK_SIZE]->data + offset, part };
        at += part;
    }
    return n;
}

/* Sends `out`. AGAIN: `want` says so; the rest stays. */
static enum io flush(struct tls *t)
{
    struct layer *below = t->layer.below;

    while (t->out_at < t->out_end) {
        struct iovec pieces[TLS_OUT_BLOCKS];
        size_t taken = 0;
        enum io io = below->ops->write(below, pieces, out_pieces(t, pieces), &taken);

        t->out_at += (uint32_t)taken;
        if (io == IO_AGAIN)
            t->layer.want |= below->want;
        if (io != IO_OK)
            return io;
    }
    out_drop(t);
    return IO_OK;
}

/* --- what comes up -------------------------------------------------------------------------- */

/* OK: `in` holds bytes, or their end was noted. */
static enum io fill(struct tls *t)
{
    struct layer *below = t->layer.below;

    if (t->in.size > 0 || t->eof)
        return IO_OK;
    enum io io = below->ops->read(below, BLOCK_SIZE, &t->in);
    if (io == IO_EOF) {
        t->eof = true;
        return IO_OK;
    }
    if (io == IO_AGAIN)
        t->layer.want |= below->want;
    return io;
}

/* --- OpenSSL's side ------------------------------------------------------------------------- */

static int on_bio_read(BIO *bio, char *to, int n)
{
    struct tls *t = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (n <= 0 || t->state == TLS_DEAD) /* dead: tls_on_message stops a flood inside one SSL_read */
        return -1;
    enum io io = fill(t);
    if (io == IO_AGAIN)
        BIO_set_retry_read(bio);
    if (io != IO_OK)
        return -1;
    if (t->in.size == 0)
        return 0;

    uint32_t part = (uint32_t)n < t->in.size ? (uint32_t)n : t->in.size;
    memcpy(to, t->in.data, part);
    lease_take(&t->in, part);
    if (t->in.size == 0)
        lease_done(&t->in);
    return (int)part;
}

static int on_bio_write(BIO *bio, const char *from, int n)
{
    struct tls *t = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (n <= 0)
        return -1;
    uint32_t taken = out_add(t, from, (uint32_t)n);
    if (taken > 0)
        return (int)taken;
    if (t->out_end == TLS_OUT) /* only in a handshake: a write makes room first */
        BIO_set_retry_write(bio);
    return -1;
}

static long on_bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    struct tls *t = BIO_get_data(bio);

    (void)number, (void)pointer;
    if (command == BIO_CTRL_EOF) /* unanswered, a cut would be an error without a reason */
        return t->eof && t->in.size == 0;
    return command == BIO_CTRL_FLUSH; /* the step sends, once, at its end */
}

static int on_bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

BIO_METHOD *tls_bio_method_new(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_TYPE_OURS, "layer");

    if (m != NULL && BIO_meth_set_read(m, on_bio_read) && BIO_meth_set_write(m, on_bio_write) &&
        BIO_meth_set_ctrl(m, on_bio_ctrl) && BIO_meth_set_create(m, on_bio_create))
        return m;
    BIO_meth_free(m);
    return NULL;
}

void tls_on_message(int sent, int version, int type, const void *p, size_t n, SSL *ssl, void *arg)
{
    struct tls *t = arg;
    const uint8_t *message = p;

    (void)version, (void)ssl;
    if (t == NULL || sent || type != SSL3_RT_HANDSHAKE || n == 0 || t->state == TLS_HELLO)
        return;
    if (message[0] == SSL3_MT_CLIENT_HELLO || message[0] == SSL3_MT_HELLO_REQUEST ||
        ++t->quiet > QUIET_MOST)
        t->state = TLS_DEAD; /* renegotiation; a flood of key updates */
}

/* --- steps ---------------------------------------------------------------------------------- */

/* An error that somebody left behind would be taken for one of the next call. */
static void forget_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

/* What a failed SSL call said. Our records (an alert too) go out first. */
static enum io said(struct tls *t, int rc)
{
    int why = SSL_get_error(t->ssl, rc);
    unsigned long error = ERR_peek_error();

    if (ERR_GET_LIB(error) != ERR_LIB_SSL) /* a part failed: what it was part of says more */
        error = ERR_peek_last_error();
    ERR_clear_error();
    enum io sent = flush(t);
    if (t->state == TLS_DEAD || (sent != IO_OK && sent != IO_AGAIN))
        why = SSL_ERROR_SSL;
    switch (why) {
    case SSL_ERROR_ZERO_RETURN:
        return IO_EOF; /* close_notify: the only clean end */
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return IO_AGAIN;
    default:
        t->error = error;
        t->state = ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING ? TLS_CUT : TLS_DEAD;
        return IO_FAILED;
    }
}

enum io tls_layer_handshake(struct tls *t) /* tickets stay in `out` */
{
    for (;;) {
        t->layer.want = 0;
        forget_errors();
        int rc = SSL_do_handshake(t->ssl);
        if (rc == 1)
            break;
        enum io io = said(t, rc);
        if (io != IO_AGAIN || t->layer.want != 0)
            return io == IO_EOF ? IO_FAILED : io;
    }
    t->state = TLS_OPEN;
    return IO_OK;
}

static enum io read_records(struct tls *t, uint32_t max, struct lease *ret)
{
    struct block *block = block_get(t->blocks);
    size_t n = 0;

    if (block == NULL) {
        t->state = TLS_DEAD;
        return IO_FAILED;
    }
    forget_errors();
    int rc = SSL_read_ex(t->ssl, block->data, max < BLOCK_SIZE ? max : BLOCK_SIZE, &n);
    if (rc == 1) {
        t->quiet = 0;
        *ret = (struct lease){ block->data, (uint32_t)n, -1, block };
        return IO_OK;
    }
    block_unref(block);
    return said(t, rc);
}

static enum io on_read(struct layer *l, uint32_t max, struct lease *ret)
{
    struct tls *t = (struct tls *)l;

    l->want = 0;
    if (t->state >= TLS_CUT)
        return IO_FAILED;
    if (SSL_has_pending(t->ssl))
        return read_records(t, max, ret);
    if (SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN)
        return IO_EOF;

    enum io io = fill(t);
    if (io == IO_OK)
        return read_records(t, max, ret);
    if (io != IO_AGAIN) /* reset below */
        t->state = TLS_CUT;
    if (io == IO_AGAIN && t->out_end > 0) { /* dry: neither OpenSSL nor a buffer was touched */
        enum io sent = flush(t);
        io = sent == IO_OK ? IO_AGAIN : sent;
    }
    return io;
}

/* Where a write stands in its pieces. */
struct gather {
    const struct iovec *iov;
    int left;    /* pieces, with the current one, which is not used up */
    size_t from; /* taken of the current one */
};

static void gather_skip(struct gather *g, size_t n)
{
    g->from += n;
    while (g->left > 0 && g->from >= g->iov->iov_len) {
        g->from -= g->iov->iov_len;
        g->iov++;
        g->left--;
    }
}

/* The bytes of the next record: where they lie if they lie together, else joined in `room`. */
static struct span gather_next(struct gather *g, size_t most, char *room)
{
    const char *at = (const char *)g->iov->iov_base + g->from;
    size_t len = g->iov->iov_len - g->from;

    if (len >= most || g->left == 1) {
        len = len < most ? len : most;
        gather_skip(g, len);
        return (struct span){ at, len };
    }
    size_t have = 0;
    while (g->left > 0 && have < most) {
        at = (const char *)g->iov->iov_base + g->from;
        len = g->iov->iov_len - g->from;
        if (len > most - have)
            len = most - have;
        memcpy(room + have, at, len);
        have += len;
        gather_skip(g, len);
    }
    return (struct span){ room, have };
}

static enum io write_record(struct tls *t, struct span bytes)
{
    size_t n;

    forget_errors();
    int rc = SSL_write_ex(t->ssl, bytes.at, bytes.len, &n);
    if (rc == 1 && n == bytes.len)
        return IO_OK;
    if (said(t, rc) != IO_FAILED) /* there was room: OpenSSL has nothing to wait for */
        t->state = TLS_DEAD;
    return IO_FAILED;
}

static enum io write_records(struct tls *t, struct gather *g, char *room, size_t *ret_taken)
{
    enum io io = IO_OK;

    while (io == IO_OK && g->left > 0) {
        if (TLS_OUT - t->out_end < RECORD_MOST && (io = flush(t)) != IO_OK)
            break;
        struct span bytes = gather_next(g, t->context->record_most, room);
        io = write_record(t, bytes);
        if (io == IO_OK)
            *ret_taken += bytes.len;
    }
    return io;
}

/* Who was told that all is taken might not come again, and then nobody would send what is left in
 * `out`: so the last byte counts as taken only when `out` is empty. */
static enum io settle_debt(struct tls *t, struct gather *g, size_t *ret_taken)
{
    enum io io = t->owed > 0 ? flush(t) : IO_OK;

    if (io == IO_OK && t->owed > 0 && g->left > 0) {
        gather_skip(g, t->owed);
        *ret_taken = t->owed;
        t->owed = 0;
    }
    return io;
}

static enum io on_write(struct layer *l, struct iovec *iov, int n, size_t *ret_taken)
{
    struct tls *t = (struct tls *)l;
    struct gather g = { .iov = iov, .left = n };
    struct block *room = NULL;

    l->want = 0;
    *ret_taken = 0;
    if (t->state != TLS_OPEN)
        return IO_FAILED;
    gather_skip(&g, 0);
    enum io io = settle_debt(t, &g, ret_taken);
    if (io != IO_OK)
        return io;
    if (g.left > 1 && (room = block_get(t->blocks)) == NULL) {
        t->state = TLS_DEAD;
        return IO_FAILED;
    }
    io = write_records(t, &g, room != NULL ? room->data : NULL, ret_taken);
    block_unref(room);
    if (io == IO_OK)
        io = flush(t);
    if (io == IO_AGAIN && g.left == 0 && *ret_taken > 0) {
        t->owed = 1;
        *ret_taken -= 1;
    }
    return io;
}

static enum io on_shut(struct layer *l)
{
    struct tls *t = (struct tls *)l;

    l->want = 0;
    if (t->state == TLS_OPEN) {
        SSL_shutdown(t->ssl);
        ERR_clear_error();
        t->state = TLS_SHUT;
    }
    return t->state == TLS_SHUT ? flush(t) : IO_FAILED;
}

static size_t layer_size(size_t name)
{
    return sizeof(struct tls) + name + 1;
}

static struct tls *layer_new(struct block_pool *blocks, size_t name)
{
    struct tls *t;

    if (!budget_take(blocks->budget, TLS_CHARGE))
        return NULL;
    t = charged_new(layer_size(name), blocks->budget);
    if (t == NULL)
        budget_give(blocks->budget, TLS_CHARGE);
    else
        t->blocks = blocks;
    return t;
}

static void layer_free(struct tls *t, size_t name)
{
    struct budget *budget = t->blocks->budget;

    charged_free(t, layer_size(name), budget);
    budget_give(budget, TLS_CHARGE);
}

static void on_close(struct layer *l)
{
    struct tls *t = (struct tls *)l;

    SSL_set_quiet_shutdown(t->ssl, 1); /* else a session that ends now could not be resumed */
    SSL_shutdown(t->ssl);
    SSL_free(t->ssl);
    ERR_clear_error();
    lease_done(&t->in);
    out_drop(t);
    tls_identity_unref(&t->identity);
    tls_context_unref(&t->context);
    layer_free(t, t->name.len);
}

static void on_info(const struct layer *l, struct conn_info *ret)
{
    const struct tls *t = (const struct tls *)l;
    const unsigned char *alpn = NULL;
    unsigned len = 0;

    SSL_get0_alpn_selected(t->ssl, &alpn, &len);
    *ret = (struct conn_info){
        .encrypted = true,
        .protocol = span_of(SSL_get_version(t->ssl)),
        .cipher = span_of(SSL_get_cipher_name(t->ssl)),
        .server_name = t->name,
        .alpn = { (const char *)alpn, len },
        .resumed = SSL_session_reused(t->ssl) == 1,
    };
}

static bool on_holds_bytes(const struct layer *l)
{
    const struct tls *t = (const struct tls *)l;

    return t->in.size > 0 || t->out_end > 0 || SSL_has_pending(t->ssl);
}

static const struct transport layer_ops = {
    .read = on_read,
    .write = on_write,
    .shut = on_shut,
    .close = on_close,
    .info = on_info,
    .holds_bytes = on_holds_bytes,
};

/* --- birth ---------------------------------------------------------------------------------- */

static SSL *make_ssl(struct tls *t)
{
    SSL *ssl = SSL_new(t->context->ctx);
    BIO *bio = ssl != NULL ? BIO_new(t->context->bio_method) : NULL;

    if (bio == NULL) {
        SSL_free(ssl);
        return NULL;
    }
    BIO_set_data(bio, t);
    SSL_set_bio(ssl, bio, bio); /* it owns the BIO */
    SSL_set_app_data(ssl, t);
    SSL_set_msg_callback_arg(ssl, t);
    return ssl;
}

struct tls *tls_layer_push(struct conn *c, struct tls_context *context, struct span name)
{
    struct tls *t = layer_new(&c->sock.loop->blocks, name.len);

    if (t == NULL)
        return NULL;
    t->layer.ops = &layer_ops;
    t->name = (struct span){ memcpy(t + 1, name.len > 0 ? name.at : "", name.len), name.len };
    t->context = context;
    t->ssl = make_ssl(t);
    if (t->ssl == NULL) {
        layer_free(t, name.len);
        return NULL;
    }
    tls_context_ref(context);
    conn_push(c, &t->layer);
    return t;
}

void tls_layer_reason(const struct tls *t, enum io io, char ret_reason[200])
{
    const char *text = t->error != 0 ? ERR_reason_error_string(t->error) : NULL;

    if (io == IO_TIMEOUT)
        text = "timed out";
    else if (io == IO_CANCELLED)
        text = "cancelled";
    else if (t->state == TLS_CUT || (t->eof && text == NULL))
        text = "peer closed connection";
    else if (text == NULL)
        text = "connection failed";
    snprintf(ret_reason, 200, "%s in SSL handshake", text);
}
