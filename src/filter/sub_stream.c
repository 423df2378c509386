/* Replacing texts in a body that comes in pieces.
 *
 *     inner source --> window: what was not told yet --> out: literal, replacement, literal ...
 *
 * The window keeps no more than what may be the beginning of a text. A long literal leaves from it
 * without a copy, and when each text has been replaced once, parts go through as they are. Owns the
 * inner source and both blocks. */
#include "filter/sub_stream.h"

#include "base/arena.h"
#include "base/link.h"
#include "exchange/source.h"
#include "exchange/template.h"
#include "exchange/turn.h"
#include "filter/input.h"
#include "filter/substitution.h"

enum { STEPS_A_TURN = 64, LONG_LITERAL = 1024 };

struct sub_stream {
    struct source source;
    struct input input; /* owned */
    struct replacements replacements;
    struct substitution search;
    struct block *window; /* owned */
    size_t start, end;    /* of what is in it */
    struct block *out;    /* owned */
    size_t out_len;
    struct span insert;           /* what is left of a replacement */
    unsigned steps;               /* since others could run */
    size_t live;                  /* texts that are still looked for */
    enum substitution_found last; /* NONE: the window can tell nothing more without input */
    bool ended;
};

static struct sub_stream *stream_of(const struct source *s)
{
    return CONTAINER(s, struct sub_stream, source);
}

static struct span in_window(const struct sub_stream *s)
{
    return (struct span){ s->window->data + s->start, s->end - s->start };
}

/* Nothing in the window can be decided without more input. */
static bool is_starved(const struct sub_stream *s)
{
    return s->start == s->end || s->last == SUBSTITUTION_NONE;
}

/* More behind what is left. */
static enum io fill(struct sub_stream *s)
{
    struct span bytes;

    memmove(s->window->data, s->window->data + s->start, s->end - s->start);
    s->end -= s->start;
    s->start = 0;
    enum io io = input_read(&s->input, BLOCK_SIZE - s->end, &bytes);
    if (io == IO_EOF) {
        s->ended = true;
        io = IO_OK;
    } else if (io == IO_OK) {
        memcpy(s->window->data + s->end, bytes.at, bytes.len);
        s->end += bytes.len;
        s->ended = input_is_over(&s->input);
    }
    s->last = SUBSTITUTION_FOUND;
    return io;
}

static void replace(struct sub_stream *s, size_t which)
{
    struct wanted_text *text = &s->replacements.texts[which];
    struct replacement *by_text = &s->replacements.by_texts[which];

    if (!by_text->made)
        by_text->value = template_value(s->source.x, by_text->by_text);
    by_text->made = true;
    s->start += text->text.len;
    s->insert = by_text->value;
    text->done = s->replacements.once;
    s->live -= s->replacements.once;
}

static void add_to_out(struct sub_stream *s, struct span bytes)
{
    if (bytes.len > 0)
        memcpy(s->out->data + s->out_len, bytes.at, bytes.len);
    s->out_len += bytes.len;
}

static size_t room_in_out(const struct sub_stream *s)
{
    return BLOCK_SIZE - s->out_len;
}

/* Up to the next text, which is replaced; or as much as there is room for. True: that much was
 * long, and leaves as it lies in the window. */
static bool search(struct sub_stream *s, struct span *ret_literal)
{
    struct span bytes = in_window(s);
    size_t at = bytes.len, which = 0;
    enum substitution_found found =
        s->live > 0 ? substitution_find(&s->search, bytes, s->ended, &at, &which)
                    : SUBSTITUTION_NONE;
    bool is_long = s->out_len == 0 && at >= LONG_LITERAL, fits = at <= room_in_out(s);

    struct span literal = span_first(bytes, is_long || fits ? at : room_in_out(s));
    s->start += literal.len;
    s->last = literal.len == at ? found : SUBSTITUTION_FOUND; /* there is something left to give */
    if (is_long) {
        *ret_literal = literal;
        return true;
    }
    add_to_out(s, literal);
    if (found == SUBSTITUTION_FOUND && fits)
        replace(s, which);
    return false;
}

static bool is_over(const struct sub_stream *s)
{
    return s->ended && s->start == s->end && s->insert.len == 0;
}

static enum io give(struct sub_stream *s, struct span bytes, struct part *ret)
{
    *ret = (struct part){ .kind = PART_MEMORY, .bytes = bytes, .last = is_over(s) };
    return IO_OK;
}

static void insert(struct sub_stream *s)
{
    struct span now = span_first(s->insert, room_in_out(s));

    add_to_out(s, now);
    s->insert = span_from(s->insert, now.len);
}

static void let_others_run(struct sub_stream *s)
{
    /* a search was long, or all of a large file is replaced by nothing */
    if (s->last == SUBSTITUTION_TIRED || ++s->steps % STEPS_A_TURN == 0)
        fiber_yield();
}

/* Nothing more can be added to `out` now, or not without waiting. */
static bool must_leave(const struct sub_stream *s)
{
    bool needs_input = is_starved(s);

    if (room_in_out(s) == 0 || is_over(s))
        return true;
    return s->insert.len == 0 && needs_input && (s->live == 0 || !input_ready(&s->input));
}

static enum io sub_read(struct source *source, struct part *ret)
{
    struct sub_stream *s = stream_of(source);
    struct span literal;

    s->out_len = 0;
    for (;; let_others_run(s)) {
        if (s->out_len > 0 && must_leave(s))
            return give(s, (struct span){ s->out->data, s->out_len }, ret);
        if (is_over(s))
            return IO_EOF;
        if (s->insert.len > 0) {
            insert(s);
            continue;
        }
        if (s->live == 0 && s->start == s->end)
            return input_pass(&s->input, ret);
        if (is_starved(s)) {
            enum io io = fill(s);

            if (io != IO_OK)
                return io;
        }
        if (search(s, &literal))
            return give(s, literal, ret);
    }
}

static bool sub_ready(const struct source *source)
{
    const struct sub_stream *s = stream_of(source);

    return s->insert.len > 0 || !is_starved(s) || s->ended || input_ready(&s->input);
}

static enum io sub_head(struct source *source)
{
    (void)source; /* the inner one has it already */
    return IO_OK;
}

static void sub_close(struct source *source)
{
    struct sub_stream *s = stream_of(source);

    block_unref(s->window);
    block_unref(s->out);
    input_close(&s->input);
}

static const struct source_ops sub_ops = {
    .head = sub_head, .read = sub_read, .ready = sub_ready, .close = sub_close
};

struct source *sub_stream_new(struct exchange *x, struct source *inner,
                              const struct replacements *r)
{
    struct sub_stream *s = arena_zalloc(&x->arena, sizeof(*s));

    s->source = (struct source){ .ops = &sub_ops, .x = x, .bulk = inner->bulk };
    s->window = block_get(&x->worker->loop->blocks);
    s->out = block_get(&x->worker->loop->blocks);
    if (s->window == NULL || s->out == NULL) {
        block_unref(s->window);
        block_unref(s->out);
        return NULL;
    }
    s->replacements = *r;
    s->live = r->count;
    s->last = SUBSTITUTION_FOUND;
    input_init(&s->input, inner);
    substitution_init(&s->search, r->texts, r->count);
    return &s->source;
}
