#ifndef CONF_DIRECTIVE_H
#define CONF_DIRECTIVE_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

/* A directive is a row of data. Checks, inheritance, defaults, `-T`, help and manual come from the
 * rows; a second source of truth for a directive is a defect. */

struct conf;
struct conf_block;
struct conf_call;
struct conf_word;

/* Where a directive may stand. */
enum context {
    CTX_MAIN = 1 << 0,
    CTX_EVENTS = 1 << 1,
    CTX_HTTP = 1 << 2, /* also at the top of a file: `http { }` is optional */
    CTX_SERVER = 1 << 3,
    CTX_LOCATION = 1 << 4,
    CTX_UPSTREAM = 1 << 5,
    CTX_FORWARD = 1 << 6,
    CTX_WHEN = 1 << 7,       /* the rules of a forward block's `when` */
    CTX_IF = 1 << 8,         /* an `if` of a location: rows with INTO_IF inherit */
    CTX_LIMIT = 1 << 9,      /* `limit_except`: the same */
    CTX_SERVER_IF = 1 << 10, /* an `if` of a server */
    CTX_RAW = 1 << 15 /* only as `opens`: words that are no directives; the setter reads them */
};

struct conf_type { /* how a value is read, carried inward, and shown again */
    bool (*set)(struct conf_call *call, void *field); /* false: conf_refuse said why */
    size_t size; /* of the field: inheritance copies so much; 0: nothing is inherited */
    void (*print)(const void *field, struct buf *out); /* for -T; NULL: the words as they stood */
    bool many;                                         /* may stand several times in a block */
    /* Is word `i` of the line a secret that no dump may show? NULL: none is. */
    bool (*hides)(const struct conf_word *words, unsigned i);
};

/* Not set in a block (its set-bit lies in the block, one per row). Rows of one module that share a
 * field are one setting: any of them sets it, and unless they are `many`, only one may stand in a
 * block. Rows that open a context are always NONE. */
enum inherit {
    WHOLE,  /* the outer block's value is taken whole */
    NONE,   /* the default */
    LIST,   /* the outer lines come first, then ours (the field is a struct conf_list) */
    INTO_IF /* as NONE, but an `if` inherits from its location */
};

enum { ANY_ARGS = 4096 };

struct directive {
    const char *name;
    unsigned contexts; /* CTX_SERVER | CTX_LOCATION ... */
    unsigned min_args;
    unsigned max_args;
    const struct conf_type *type;
    size_t field;         /* offset in the module's settings */
    const char *fallback; /* the default, as a user would write it; NULL: zero */
    enum inherit inherit;
    const char *help;  /* one line, no full stop */
    unsigned opens;    /* 0: ends with `;`. Else the context inside its braces, or CTX_RAW */
    const void *extra; /* for the type: names of an enum, bounds of a number */
};

/* What conf needs of a module. */
struct conf_module {
    const char *name;
    const struct directive *directives;             /* ends with a row without name */
    size_t settings_size;                           /* zeroed, in the generation arena */
    void (*merge)(void *child, const void *parent); /* only where the rows cannot say it */
    /* After all of the files is read, once for each settings object that was made for a block:
     * references by name, combinations. False: conf_complain said why. */
    bool (*check)(struct conf *conf, struct conf_block *block, void *settings);
};

#endif
