#ifndef FETCH_ORIGIN_H
#define FETCH_ORIGIN_H

#include "base/buf.h"
#include "base/span.h"
#include "exchange/decision.h"
#include "exchange/fault.h"
#include "exchange/log.h"
#include "exchange/source.h"
#include "fetch/upstream/upstream.h"
#include "net/block.h"
#include "net/fiber.h"
#include "net/io.h"
#include "proto/chunked.h"
#include "proto/framing.h"

struct fields;
struct h1_response;
struct resolve_result;

/* An HTTP/1 origin as source: a peer of an upstream group, or what a client of the forward face
 * named.
 *
 *     spool the body -> pick -> connect or reuse -> send -> read the head -> (next peer) -> body
 */
enum upload_state { UPLOAD_WHOLE, UPLOAD_RUNS, UPLOAD_BROKEN };

struct origin {
    struct source source;
    struct exchange_target target; /* for the error log */
    const struct proxy_settings *conf;
    const struct proxy_target *pass; /* NULL: the forward face, whose client named it */
    struct pick pick;                /* of a group */
    struct peer *peer;               /* the one being asked; NULL: none */
    struct pool *pool;
    struct upstream_conn *conn; /* NULL: none */
    struct attempt *attempt;
    struct lease in;          /* came and not yet used */
    int pipe[2];              /* owned: a long body is spliced through it; both -1: none */
    struct block *head_block; /* keeps the head's bytes */
    struct buf head;          /* a head that came in pieces */
    struct origin_body {
        enum framing framing;
        uint64_t left;
        uint32_t given; /* bytes of `in` that the last part named */
        struct chunked chunked;
        struct span pending; /* data found while looking for the end */
    } body;
    struct origin_upload {    /* the request on its way */
        struct family family; /* the child that passes the body on */
        struct fiber *main;
        enum fault fault; /* why it broke: news for `main`, which is cancelled to hear it */
        enum upload_state state;
        size_t begun;   /* bytes that left before the child began */
        uint64_t ended; /* ms: when the last byte left */
    } upload;
    struct origin_marks {
        bool reused, keep; /* the connection; it may serve again */
    } marks;
    uint8_t interim; /* 1xx answers so far */
    uint8_t state;   /* enum origin_state */
};

enum origin_state { ORIGIN_ASKING, ORIGIN_BODY, ORIGIN_UPGRADED, ORIGIN_DONE };

/* Sets it as x's source. `pass` NULL: x->goal names the origin. */
enum verdict origin_begin(struct exchange *x, const struct proxy_settings *conf,
                          const struct proxy_target *pass);

bool origin_is(const struct source *s); /* an origin, and not switched to another protocol */

/* origin_connect.c: a connection for the next attempt, in o->conn. Not IO_OK: x->fault; IO_FAILED
 * with `ret_next` true: another peer may be asked. */
enum io origin_connect(struct origin *o, bool *ret_next);

/* For whoever dials what a client of the forward face named (origins, tunnels): x->goal's addresses
 * with the port. Not IO_OK: x->fault. */
enum io origin_resolve(struct exchange *x, struct resolve_result *ret);
/* Drops the addresses that a rule or a floor refuses; 0: none is left, and x->fault says why. */
unsigned origin_allowed(struct exchange *x, struct resolve_result *r);
/* `r` must outlive the dial. */
struct dial origin_dial(struct exchange *x, const struct resolve_result *r, uint64_t each_ms);
const char *origin_text(struct exchange *x, const struct address *a); /* in x's arena */

/* origin_upgrade.c: the protocol that the request may switch to (RFC 9110 7.8); empty: none. */
struct span origin_upgrade(const struct origin *o);
/* The origin has switched: the exchange becomes a tunnel. IO_FAILED: to what nobody asked for. */
enum io origin_switched(struct origin *o, const struct h1_response *head);
/* foretell.c: for a rehearsal: what would be asked, of whom. */
void origin_foretell(struct source *s);
/* The addresses that x->goal has, or is taken to have, are judged; none is dialled. */
void goal_foretell(struct exchange *x);
/* How many peers may be asked at most, one after the other. */
unsigned origin_tries(const struct origin *o);
/* origin_request.c: what stands between method and version. */
void origin_add_target(const struct origin *o, struct buf *out);
/* Writes the request's head into o->conn->out. */
bool origin_write_head(struct origin *o);
/* origin_upload.c: sends head and body; a long body is still on its way when it returns. */
enum io origin_send(struct origin *o);
/* The request's body went to an origin as it came: there is none for another one. */
bool origin_body_is_gone(const struct exchange *x);
/* origin_response.c: reads and judges the head; fills x->response. */
enum io origin_read_head(struct origin *o);
/* Status, time and fields of the answer in x->response, before fields are taken out. */
void origin_note_head(struct origin *o, const struct h1_response *head);
/* Fields of this hop alone, and hidden ones, are taken out. */
void origin_keep_end_to_end(struct origin *o, struct fields *f);
/* origin_body.c */
enum io origin_read(struct source *s, struct part *ret);
bool origin_ready(const struct source *s);
/* It gives no more parts of the kind PART_PIPE, and the last one has left. */
void origin_drop_pipe(struct source *s);
/* The answer is complete: gives the connection back or closes it. */
void origin_finish(struct origin *o);

#endif
