#ifndef TESTS_UNIT_FILTER_SCRIPTED_H
#define TESTS_UNIT_FILTER_SCRIPTED_H

#include "base/link.h"
#include "exchange/source.h"

/* A source for filters to be wrapped round. */

/* Gives its pieces one by one; before each of `waits` it is not ready. */
struct script {
    struct source source;
    struct span text;
    size_t piece;   /* bytes of each part */
    bool waits;     /* between pieces */
    bool says_last; /* the last part says so; else an IO_EOF comes */
    bool asked;     /* a read came while it was not ready */
    size_t at;
    bool ready;
    bool closed;
};

static inline struct script *script_of(const struct source *s)
{
    return CONTAINER(s, struct script, source);
}

static inline enum io script_read(struct source *s, struct part *ret)
{
    struct script *sc = script_of(s);
    struct span bytes = span_first(span_from(sc->text, sc->at), sc->piece);

    sc->asked = sc->asked || !sc->ready;
    sc->ready = !sc->waits;
    sc->at += bytes.len;
    if (bytes.len == 0)
        return IO_EOF;
    *ret = (struct part){ .kind = PART_MEMORY,
                          .bytes = bytes,
                          .last = sc->says_last && sc->at == sc->text.len };
    return IO_OK;
}

static inline bool script_ready(const struct source *s)
{
    return script_of(s)->ready;
}

static inline void script_close(struct source *s)
{
    script_of(s)->closed = true;
}

static const struct source_ops script_ops = { .read = script_read,
                                              .ready = script_ready,
                                              .close = script_close };

#endif
