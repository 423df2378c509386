#ifndef CONF_TREE_H
#define CONF_TREE_H

#include "base/span.h"
#include "conf/settings.h"

/* What the parser makes of the texts: nothing lost. Lives in the tree arena. */
struct conf_word {
    struct span text; /* unquoted, escapes resolved (nginx-semantics 1.1) */
    struct span raw;  /* as it stands in the file */
    struct place place;
    bool quoted;
    bool kept; /* the text lies in the generation arena (conf_word moved it there) */
};

struct conf_node {
    struct conf_word *words; /* word 0 is the name */
    unsigned count;
    unsigned row;   /* conf_build's */
    unsigned order; /* among the lines of its block; conf_build's */
    bool has_block;
    struct conf_node *first; /* inside the block */
    struct conf_node *next;
    struct span comment; /* the lines right above it, and the one on its line; raw, or empty */
};

#endif
