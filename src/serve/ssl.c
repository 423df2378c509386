/* The TLS handshake of a client's connection: the name in its hello chooses the server, and so the
 * certificate and the context. */
#include "serve/ssl.h"

#include "base/address.h"
#include "base/buf.h"
#include "base/errlog.h"
#include "base/span.h"
#include "exchange/core.h"
#include "exchange/generation.h"
#include "exchange/listener.h"
#include "exchange/worker.h"
#include "net/io.h"
#include "net/loop.h"
#include "serve/connection.h"
#include "serve/ssl_settings.h"
#include "tls/tls.h"

struct choosing {
    const struct generation *generation;
    const struct listener *listener;
    struct worker *worker;
};

/* The server that the client names, else the default one. No choice: no handshake. */
static bool choose(void *arg, struct span name, struct tls_choice *ret)
{
    const struct choosing *c = arg;
    const struct conf_block *b = c->listener->find
                                     ? c->listener->find(c->listener, name, c->worker, NULL)
                                     : c->listener->fallback;

    if (b == NULL)
        return false;
    *ret = ssl_settings_of(c->generation, b)->choice;
    struct span parts[] = { { (const char *)ret->binding.digest, sizeof(ret->binding.digest) },
                            b->label };
    ret->binding = tls_bind(parts, COUNT(parts)); /* servers may share settings, not sessions */
    return ret->context != NULL && ret->identity != NULL;
}

enum ssl_verdict ssl_accept(struct connection *c, const struct listener *l)
{
    struct worker *w = c->acceptor->worker;
    struct generation *g =
        generation_ref(w->generation); /* the choice must outlive the handshake's waits */
    struct choosing choosing = { g, l, w };
    const struct ssl_settings *own = ssl_settings_of(g, l->fallback);
    uint64_t limit = own->handshake_timeout ? own->handshake_timeout
                                            : core_of(l->fallback)->client_header_timeout;
    enum tls_fault fault = TLS_FINE;
    char reason[200] = "";
    enum ssl_verdict verdict = SSL_REFUSED;
    enum io io = tls_accept(&c->conn, choose, &choosing, loop_now(w->loop) + limit, &fault, reason);

    if (io == IO_OK) {
        verdict = SSL_ACCEPTED;
    } else if (fault == TLS_PLAIN) {
        verdict = SSL_IS_PLAIN;
    } else if (io != IO_EOF) {
        struct buf client;

        buf_init(&client, 64, NULL);
        address_print_ip(&c->conn.peer, &client);
        struct span text = buf_view(&client);
        errlog_write(block_log(w, g, l->fallback), LEVEL_INFO, c->serial, 0,
                     "SSL handshake failed (%s), client: %.*s",
                     io == IO_TIMEOUT ? "timed out" : reason, (int)text.len, text.at);
        buf_done(&client);
    }
    generation_unref(&g);
    return verdict;
}
