#ifndef CONF_INHERIT_H
#define CONF_INHERIT_H

#include <stdint.h>

struct conf;

/* A block while it is built; afterwards it serves the next one. */
struct building {
    struct conf_block *block;
    struct building *outer;
    uint64_t *filled; /* a bit for each leading row: a row of its field stands here */
    uint8_t *traits;  /* enum trait, for each module */
    void **heirs; /* for each module: what inner blocks share that set nothing; NULL: none yet */
    struct building *idle; /* the next one that waits for work */
};

/* Of a block's settings of a module. */
enum trait {
    TRAIT_OWN = 1,      /* rows of it stand here */
    TRAIT_KEEPS = 2,    /* they hold what does not go inward */
    TRAIT_KEEPS_IF = 4, /* ... but into an `if` */
};

/* A settings object that was made for a block, for module->check. */
struct made {
    struct conf_block *block;
    unsigned module;
    struct made *next;
};

/* Before the setters: each module's settings of the block, made or shared. Needs filled and traits.
 */
void inherit_begin(struct conf *c, struct building *b);
/* After the setters: what is not set, from outside or by default; then the modules' merge. */
void inherit_end(struct conf *c, struct building *b);

#endif
