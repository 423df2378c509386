#ifndef SERVE_SSL_H
#define SERVE_SSL_H

struct connection;
struct listener;

enum ssl_verdict { SSL_ACCEPTED, SSL_REFUSED, SSL_IS_PLAIN };

/* On a fiber: the TLS handshake of a connection to an `ssl` listener, with the certificate of the
 * server that the client names. Logs its own failure. */
enum ssl_verdict ssl_accept(struct connection *c, const struct listener *l);

#endif
