#ifndef EXCHANGE_DECISION_H
#define EXCHANGE_DECISION_H

#include <stdint.h>

/* What a hook says. NEXT: no opinion. PASS: I allow (`satisfy any` needs to know). After ANSWER (a
 * source is set) and REFUSE (exchange_refuse set one) no later hook runs. */
enum verdict { NEXT, PASS, ANSWER, REFUSE };

/* Every decision leaves a trace: what was decided, how, and the place in the configuration that
 * made it so. A ring of 16 entries of 16 bytes; the first 4 and the last 12 stay. */
enum decided {
    DECIDED_LISTENER,
    DECIDED_SERVER,
    DECIDED_LOCATION,
    DECIDED_REWRITE,
    DECIDED_IF,
    DECIDED_BREAK,
    DECIDED_RETURN,
    DECIDED_RULE,
    DECIDED_FLOOR,
    DECIDED_LIMIT,
    DECIDED_INDEX,
    DECIDED_TRY_FILES,
    DECIDED_ERROR_PAGE,
    DECIDED_ACCEL,
    DECIDED_UPSTREAM,
    DECIDED_PEER,
    DECIDED_RETRY,
    DECIDED_SOURCE,
    /* Only in traces: */
    DECIDED_TARGET,
    DECIDED_ADDRESS,
    DECIDED_ANONYMITY,
    DECIDED_FILTER,
    DECIDED_ANSWER,
    DECIDED_WHATS
};

const char *decided_name(enum decided what);

struct decision {
    uint32_t line;
    uint16_t file;
    uint8_t what;       /* enum decided */
    uint8_t verdict;    /* enum verdict */
    const char *detail; /* ended by zero; generation arena or constant; NULL: none */
};

enum { DECISIONS_KEPT = 16, DECISIONS_FIRST = 4 };

struct trace;

struct decisions {
    struct decision at[DECISIONS_KEPT];
    uint32_t count;      /* ever */
    struct trace *trace; /* gets all of them too; NULL: live traffic */
};

#endif
