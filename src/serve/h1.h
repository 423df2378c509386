#ifndef SERVE_H1_H
#define SERVE_H1_H

#include "base/buf.h"
#include "exchange/client.h"
#include "net/block.h"
#include "net/io.h"
#include "proto/chunked.h"
#include "proto/framing.h"

struct core_settings;
struct h1_request;

enum body_use { BODY_UNWANTED, BODY_WANTED }; /* a source reads it, on a fiber of its own perhaps */

/* A client that speaks HTTP/1: the session's buffers while it is served. Pooled; one for each fiber
 * that serves. */
struct h1 {
    struct client client;
    struct connection *connection;
    struct worker *worker;
    struct h1 *next_idle;
    struct lease in;          /* came and not yet used */
    struct block *head_block; /* keeps the head's bytes while the exchange lasts */
    struct buf head;          /* a head that came in several pieces */
    struct buf out;           /* the answer's head until it leaves */
    struct h1_body {
        enum framing framing;
        uint64_t left;      /* BODY_LENGTH */
        uint32_t given;     /* bytes of `in` that the last part named */
        bool ended, failed; /* the last byte was read; it never will be */
        enum body_use use;
        struct chunked chunked;
        uint64_t total;
    } body;
    struct h1_answer {
        uint64_t left; /* of a body of known length: never send more */
        bool chunked, bodyless;
        uint8_t begun, ended; /* its head was made; its last byte was sent */
    } answer;
    struct h1_marks {
        bool dead;      /* the client is gone or was cut: nothing can be sent */
        bool continued; /* 100 Continue was sent, or is not waited for */
    } marks;
};

struct h1 *h1_new(struct worker *w, struct connection *c); /* NULL: no memory */
void h1_free(struct h1 *h); /* back to the pool; what is left of `in` goes back to the conn */
void h1_pool_free(struct worker *w);
/* Ends what belonged to the exchange just served; `in` stays. */
void h1_reset(struct h1 *h);
/* An answer was begun and not ended. */
bool h1_was_cut(const struct h1 *h);
/* Bytes of a next request are at hand. */
bool h1_has_more(const struct h1 *h);

/* h1_read.c */
struct h1_limits h1_limits_of(const struct core_settings *core);
enum io h1_read_head(struct client *c);
enum io h1_read_body(struct client *c, struct part *ret);
/* Reads what is left of the body and at hand, up to `most` bytes, without waiting; true: the body
 * is over. */
bool h1_discard(struct h1 *h, uint64_t most);

/* h1_send.c */
enum io h1_send_head(struct client *c);
bool h1_drop_head(struct client *c);
enum io h1_flush(struct client *c);
enum io h1_send_part(struct client *c, const struct part *p);
enum io h1_send_end(struct client *c);
enum io h1_send_interim(struct client *c, unsigned status, const struct fields *fields);

/* request.c: `user:password@` of a refused target stands in no log (TARG-13). */
void request_mask_credentials(struct exchange *x);
/* x->request from a parsed head. False: x->response.status is preset, and `why` says
 * what is wrong. */
bool request_take(struct exchange *x, const struct h1_request *from, const char **ret_why);

#endif
