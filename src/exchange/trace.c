/* A trace's lines: made one by one, kept in the arena of the trace. */
#include "exchange/trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA_CHUNK = 16 * 1024, LONGEST_TEXT = 16 * 1024 };

void trace_init(struct trace *t)
{
    *t = (struct trace){ 0 };
    arena_init(&t->arena, ARENA_CHUNK, NULL);
}

void trace_done(struct trace *t)
{
    arena_done(&t->arena);
}

static struct trace_line *add(struct trace *t)
{
    struct trace_line *line = arena_zalloc(&t->arena, sizeof(*line));

    if (t->last != NULL)
        t->last->next = line;
    else
        t->first = line;
    t->last = line;
    return line;
}

static struct span made(struct trace *t, const char *format, va_list args)
{
    char *text = NULL;
    int len = vasprintf(&text, format, args);

    if (len < 0)
        abort();
    struct span kept =
        arena_copy(&t->arena, span_first((struct span){ text, (size_t)len }, LONGEST_TEXT));
    free(text);
    return kept;
}

void trace_say(struct exchange *x, enum decided what, enum verdict verdict, struct place place,
               const char *format, ...)
{
    struct trace_line *line = add(x->decisions.trace);
    va_list args;

    line->what = what;
    line->verdict = verdict;
    line->place = place;
    va_start(args, format);
    line->subject = made(x->decisions.trace, format, args);
    va_end(args);
}

void trace_why(struct exchange *x, const char *format, ...)
{
    struct trace *t = x->decisions.trace;
    va_list args;

    if (t->last == NULL)
        return;
    va_start(args, format);
    t->last->how = made(t, format, args);
    va_end(args);
}

void trace_filter(struct exchange *x, const char *name, const char *does, const char *misfit)
{
    static const struct place nowhere;

    trace_say(x, DECIDED_FILTER, misfit == NULL ? PASS : NEXT, nowhere, "%s", name);
    if (misfit == NULL)
        trace_why(x, "%s", does);
    else
        trace_why(x, "leaves it as it is: %s", misfit);
}

void trace_decision(struct trace *t, const struct decision *d, struct place place)
{
    struct trace_line *line = add(t);

    line->what = d->what;
    line->verdict = d->verdict;
    line->place = place;
    if (d->detail != NULL)
        line->subject = arena_copy(&t->arena, span_of(d->detail));
}
