#ifndef RUN_EXPLAIN_H
#define RUN_EXPLAIN_H

#include "base/address.h"
#include "base/buf.h"
#include "base/span.h"
#include "run/options.h"

struct exchange;

/* `bifrons explain`, `bifrons forward explain`: what would become of a request, and why. The phases
 * run as they do for a client, on one that is not there: nothing is sent, bound or written. */

bool explain_knows(int argc, char **argv);
/* The whole command; its exit code: 0 explained, 1 the words or the configuration are bad. */
int explain_main(int argc, char **argv);

/* --- the parts of it ------------------------------------------------------------------------ */

/* The request that was typed. Spans lie in argv or in the arena of `options`. */
struct question {
    struct options options; /* -c, -p, -g */
    struct span url;        /* as typed */
    struct span method;
    struct span target;    /* as the request line has it */
    struct span authority; /* of the URL, or HOST:PORT */
    struct span host;      /* of `authority`, without its port */
    struct buf headers;    /* lines of --header, each ended */
    struct address client;
    struct address to;      /* --to; of family AF_UNSPEC: not given */
    struct address address; /* --address; likewise */
    struct question_way {
        bool forward, secure;
    } way;
    struct question_wish {
        bool json, resolve;
    } wish;
    uint16_t port; /* that the URL names; 0: none */
};

/* explain_words.c. False: said on stderr. */
bool question_read(int argc, char **argv, struct arena *arena, struct question *ret);
void question_done(struct question *q);
/* The head as a client would send it. */
void question_write_head(const struct question *q, struct buf *out);

/* explain_print.c: an exchange that was rehearsed, as a table or as one JSON document. `folder` is
 * left out before names of files in the table. */
void explain_print(struct exchange *x, const struct question *q, struct span folder,
                   struct buf *out);

#endif
