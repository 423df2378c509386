#ifndef EXCHANGE_TRACE_H
#define EXCHANGE_TRACE_H

#include "base/arena.h"
#include "base/span.h"
#include "conf/settings.h"
#include "exchange/decision.h"
#include "exchange/exchange.h"

/* All that was decided for one exchange, in order: what decided() notes, and what only a reader of
 * `bifrons explain` wants to know. An exchange with a trace is a rehearsal: whoever would act says
 * what it would do. Live exchanges have none, and pay one comparison for it. */
struct trace_line {
    struct trace_line *next;
    enum decided what;
    enum verdict verdict;
    struct place place;  /* line 0: nothing in a file decided it */
    struct span subject; /* what was chosen; may be empty */
    struct span how;     /* why; may be empty */
};

struct trace {
    struct arena arena; /* of the lines, which outlive the exchange */
    struct trace_line *first, *last;
    /* Forward face: the addresses that the destination is taken to have; 0: none were given. */
    const struct address *addresses;
    unsigned address_count;
    bool resolves; /* name servers may be asked for them */
};

void trace_init(struct trace *t);
void trace_done(struct trace *t);

/* Attached: the exchange is a rehearsal from now on. */
static inline void trace_attach(struct exchange *x, struct trace *t)
{
    x->decisions.trace = t;
}
static inline struct trace *trace_of(const struct exchange *x)
{
    return x->decisions.trace;
}

/* Of an exchange with a trace only. Another line, which no ring keeps: its subject. */
void trace_say(struct exchange *x, enum decided what, enum verdict verdict, struct place place,
               const char *format, ...) __attribute__((format(printf, 5, 6)));
/* Why: of the last line. */
void trace_why(struct exchange *x, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What a filter says of an answer: `does` it, or leaves it as it is because of a misfit (NULL:
 * none). */
void trace_filter(struct exchange *x, const char *name, const char *does, const char *misfit);

/* decided()'s. */
void trace_decision(struct trace *t, const struct decision *d, struct place place);

#endif
