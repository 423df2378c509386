#ifndef FETCH_ATTEMPTS_H
#define FETCH_ATTEMPTS_H

#include "exchange/variable.h"

#include <stdbool.h>
#include <stdint.h>

struct exchange;

/* What happened with each upstream that was asked, for `$upstream_*` (nginx-semantics 7.5). */

#define NOT_REACHED UINT64_MAX

struct attempt {
    const char *peer;                            /* ended by zero; generation or exchange arena */
    uint16_t status;                             /* 0: none */
    bool first;                                  /* of its source, and not of the exchange */
    uint64_t started;                            /* ms, loop's clock */
    uint64_t connect_ms, header_ms, response_ms; /* NOT_REACHED */
    uint64_t sent, received, body;               /* bytes */
};

enum { MOST_ATTEMPTS = 8 };

struct attempts {
    struct attempt at[MOST_ATTEMPTS]; /* the last one is written over when there are more */
    unsigned count;
    bool asked_anew;             /* the next one belongs to another source: a redirect led there */
    const struct fields *fields; /* of the last answer */
};

/* NULL: no upstream was asked. */
struct attempts *attempts_of(const struct exchange *x);
void attempts_ask_anew(struct exchange *x); /* a source begins */
struct attempt *attempt_begin(struct exchange *x, const char *peer);
/* Those of an exchange that has gone, for `$upstream_*` of the family LATE. */
void attempts_keep(struct exchange *x, const struct attempt *at, unsigned count);
extern const struct variable attempt_variables[];

#endif
