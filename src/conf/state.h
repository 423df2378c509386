#ifndef CONF_STATE_H
#define CONF_STATE_H

#include "base/arena.h"
#include "conf/build.h"
#include "conf/files.h"
#include "conf/message.h"
#include "conf/rows.h"

struct building;

/* One run of conf_build: what the files of this folder share. */
struct conf {
    struct conf_input input;
    struct arena arena;      /* owned: the tree; nodes, words, messages, names of files */
    struct conf_word *words; /* owned: room for the words of a line that is being read */
    struct files files;
    struct messages messages;
    struct rows rows;
    struct conf_block *top;        /* generation arena */
    const struct conf_node *first; /* of the top */
    struct building *idle;         /* from blocks that are built; inherit.h */
    struct made *made;             /* settings objects of blocks, for the checks; outer first */
    struct made **made_end;
    void **defaults;  /* one settings object for each module: what the fallbacks say */
    uint64_t *parsed; /* a bit for each row: its fallback lies in defaults */
    uint64_t *warned; /* a bit for each row: conf_warn_once said so */
};

static inline bool bit_get(const uint64_t *bits, unsigned i)
{
    return bits[i / 64] >> (i % 64) & 1;
}

static inline void bit_set(uint64_t *bits, unsigned i)
{
    bits[i / 64] |= UINT64_C(1) << (i % 64);
}

static inline void bit_clear(uint64_t *bits, unsigned i)
{
    bits[i / 64] &= ~(UINT64_C(1) << (i % 64));
}

static inline uint64_t *bits_new(struct arena *arena, unsigned count)
{
    return arena_zalloc(arena, (count / 64 + 1) * sizeof(uint64_t));
}

static inline void bits_clear(uint64_t *bits, unsigned count)
{
    memset(bits, 0, (count / 64 + 1) * sizeof(uint64_t));
}

#endif
