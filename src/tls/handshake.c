/* How a connection becomes a TLS one, on a fiber:
 *
 *     bytes -> ClientHello -> name -> choose -> layer (SSL) -> handshake
 *
 * The name is read before OpenSSL exists for this peer, so the right context serves from the
 * start, and junk, silence and refused names never cost an SSL. The bytes read are the layer's
 * first. Owns the bytes of the hello until then. */
#include "base/address.h"
#include "base/cursor.h"
#include "base/span.h"
#include "net/block.h"
#include "net/conn.h"
#include "net/io.h"
#include "net/loop.h"
#include "tls/client_hello.h"
#include "tls/context.h"
#include "tls/identity.h"
#include "tls/layer.h"
#include "tls/tls.h"

#include <openssl/x509v3.h>
#include <stdio.h>

enum { REASON_SIZE = 200, FIRST_OF_TLS = 22, FIRST_OF_SSL2 = 0x80 };

/* Alerts that we send ourselves, before there is an SSL. */
enum alert { ALERT_DECODE_ERROR = 50, ALERT_INTERNAL_ERROR = 80, ALERT_UNRECOGNIZED_NAME = 112 };

struct hello {
    struct lease bytes;
    bool joined;              /* `bytes` is a block of ours, with room behind */
    char name[TLS_NAME_MOST]; /* lower case, no dot at its end */
    size_t name_len;
};

static void say(char *ret_reason, const char *text)
{
    snprintf(ret_reason, REASON_SIZE, "%s", text);
}

/* One step, no wait: a peer that cannot take seven bytes shall not hold us up. */
static void send_alert(struct conn *c, enum alert alert)
{
    char record[] = { 21, 3, 3, 0, 2, 2, (char)alert }; /* level fatal */
    struct iovec iov = { record, sizeof(record) };
    size_t taken;

    conn_write_start(c, &iov, 1, &taken);
}

/* From here on bytes are added to one block. */
static bool join(struct conn *c, struct hello *h)
{
    struct block *block = block_get(&c->sock.loop->blocks);

    if (block == NULL)
        return false;
    memcpy(block->data, h->bytes.data, h->bytes.size);
    struct lease joined = { block->data, h->bytes.size, -1, block };
    lease_done(&h->bytes);
    h->bytes = joined;
    h->joined = true;
    return true;
}

/* Waits for bytes, behind those that are there. */
static enum io read_more(struct conn *c, uint64_t deadline, struct hello *h)
{
    struct lease next = { 0 };

    if (h->bytes.size == 0)
        return conn_read(c, BLOCK_SIZE, &h->bytes, deadline);
    if ((!h->joined && !join(c, h)) || h->bytes.size == BLOCK_SIZE)
        return IO_FAILED;
    enum io io = conn_read(c, BLOCK_SIZE - h->bytes.size, &next, deadline);
    if (io != IO_OK)
        return io;
    memcpy(h->bytes.data + h->bytes.size, next.data, next.size);
    h->bytes.size += next.size;
    lease_done(&next);
    return IO_OK;
}

static void keep_name(struct hello *h, struct span name)
{
    span_chop(&name, '.');
    for (size_t i = 0; i < name.len; i++)
        h->name[i] = ascii_lower(name.at[i]);
    h->name_len = name.len;
}

static enum parse parse_hello(struct conn *c, struct hello *h)
{
    struct client_hello found;
    struct block *scratch = block_get(&c->sock.loop->blocks);

    if (scratch == NULL)
        return PARSE_BAD;
    enum parse parse = client_hello_parse(lease_span(&h->bytes), scratch->data, &found);
    if (parse == PARSE_OK)
        keep_name(h, found.name);
    block_unref(scratch);
    return parse;
}

static bool looks_plain(const struct hello *h)
{
    uint8_t first = (uint8_t)h->bytes.data[0];

    return first != FIRST_OF_TLS && !(first & FIRST_OF_SSL2);
}

static enum io read_hello(struct conn *c, uint64_t deadline, struct hello *h,
                          enum tls_fault *ret_fault, char *ret_reason)
{
    enum parse parse = PARSE_MORE;

    while (parse == PARSE_MORE) {
        enum io io = read_more(c, deadline, h);

        if (io != IO_OK) {
            *ret_fault = TLS_HANDSHAKE;
            say(ret_reason, io == IO_TIMEOUT     ? "client timed out in SSL handshake"
                            : io == IO_CANCELLED ? "cancelled in SSL handshake"
                                                 : "peer closed connection in SSL handshake");
            return io;
        }
        if (looks_plain(h)) {
            conn_unread(c, &h->bytes);
            *ret_fault = TLS_PLAIN;
            say(ret_reason, "client sent plain HTTP request to HTTPS port");
            return IO_FAILED;
        }
        parse = parse_hello(c, h);
    }
    if (parse == PARSE_OK)
        return IO_OK;
    send_alert(c, ALERT_DECODE_ERROR);
    *ret_fault = TLS_BAD_HELLO;
    say(ret_reason, "no valid ClientHello in SSL handshake");
    return IO_FAILED;
}

static enum io handshake(struct conn *c, struct tls *t, uint64_t deadline, char *ret_reason)
{
    enum io io = tls_layer_handshake(t);

    while (io == IO_AGAIN) {
        io = conn_wait(c, deadline);
        if (io == IO_OK)
            io = tls_layer_handshake(t);
    }
    if (io != IO_OK)
        tls_layer_reason(t, io, ret_reason);
    return io;
}

/* Nothing waits between the choice and the references that we take of it. */
static struct tls *open_layer(struct conn *c, const struct tls_choice *choice, struct span name,
                              char *ret_reason)
{
    struct tls *t = NULL;

    if (choice->identity != NULL && !tls_identity_ready(choice->identity))
        say(ret_reason, "certificate or key is not readable");
    else if ((t = tls_layer_push(c, choice->context, name)) == NULL)
        tls_error_text("SSL_new failed", REASON_SIZE, ret_reason);
    if (t == NULL) {
        send_alert(c, ALERT_INTERNAL_ERROR);
        return NULL;
    }
    if (choice->identity != NULL) {
        tls_identity_ref(choice->identity);
        t->identity = choice->identity;
    }
    /* Compared when a session is found: before any callback but that of the hello. */
    SSL_set_session_id_context(t->ssl, choice->binding.digest, sizeof(choice->binding.digest));
    SSL_set_accept_state(t->ssl);
    return t;
}

enum io tls_accept(struct conn *c,
                   bool (*choose)(void *arg, struct span name, struct tls_choice *ret), void *arg,
                   uint64_t deadline, enum tls_fault *ret_fault, char ret_reason[200])
{
    struct hello h = { .joined = false };
    struct tls_choice choice = { .context = NULL };
    struct tls *t = NULL;

    *ret_fault = TLS_FINE;
    enum io io = read_hello(c, deadline, &h, ret_fault, ret_reason);
    if (io != IO_OK) {
        lease_done(&h.bytes);
        return io;
    }
    struct span name = { h.name, h.name_len };
    if (!choose(arg, name, &choice)) {
        send_alert(c, ALERT_UNRECOGNIZED_NAME);
        *ret_fault = TLS_NO_NAME;
        say(ret_reason, "handshake rejected for this server name");
    } else {
        *ret_fault = TLS_HANDSHAKE;
        t = open_layer(c, &choice, name, ret_reason);
    }
    if (t == NULL) {
        lease_done(&h.bytes);
        return IO_FAILED;
    }
    t->in = h.bytes;
    io = handshake(c, t, deadline, ret_reason);
    if (io == IO_OK)
        *ret_fault = TLS_FINE;
    return io;
}

/* An address is verified as one, and is never sent as a name (RFC 6066 3). */
static bool set_peer(struct tls *t, const char *name)
{
    struct address address;

    SSL_set_connect_state(t->ssl);
    if (t->context->verifies) {
        SSL_set_hostflags(t->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                      X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
        if (name[0] == '\0' || SSL_set1_host(t->ssl, name) != 1)
            return false;
    }
    return name[0] == '\0' || address_parse_ip(span_of(name), &address) ||
           SSL_set_tlsext_host_name(t->ssl, name) == 1;
}

enum io tls_connect(struct conn *c, struct tls_context *context, struct span name,
                    uint64_t deadline, char ret_reason[200])
{
    char text[TLS_NAME_MOST + 1];

    if (!span_to_cstr(name, sizeof(text), text)) {
        say(ret_reason, "no valid name of the server");
        return IO_FAILED;
    }
    struct tls *t = tls_layer_push(c, context, name);
    if (t == NULL || !set_peer(t, text)) {
        tls_error_text("SSL_new failed", REASON_SIZE, ret_reason);
        return IO_FAILED;
    }
    enum io io = handshake(c, t, deadline, ret_reason);
    if (io == IO_OK && context->verifies && SSL_get_verify_result(t->ssl) != X509_V_OK) {
        say(ret_reason, "the server's certificate is not trusted");
        return IO_FAILED;
    }
    return io;
}
