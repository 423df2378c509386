#ifndef EXCHANGE_DRAFT_H
#define EXCHANGE_DRAFT_H

#include "base/buf.h"
#include "base/span.h"

struct exchange;
struct template;
struct variable;
struct worker;

/* The lines of an exchange that goes before they are due: a tunnel's exchange ends when its pump
 * starts, its lines are written when the pump ends. A draft is text with holes; a hole is a
 * variable of the family LATE, of which there is no value yet. It names nothing of the exchange,
 * nothing of its generation. */
struct draft; /* one block of the heap, as large as it must be */

/* Before anything of `x` is given back. NULL: there is nothing to write. */
struct draft *draft_new(struct exchange *x);
/* Its loggers write their lines. `last` has what LATE variables read: worker, times, bytes, notes;
 * no generation and no settings. */
void draft_write(const struct draft *d, struct exchange *last);
void draft_free(struct draft **d, struct worker *w);

struct draft_writer {
    struct buf bytes;
    size_t piece; /* where the head of the last piece of text stands */
};

/* --- for loggers: what `draft` appends, `log_draft` takes off in the same order --------------- */

void draft_add(struct draft_writer *w, const void *bytes, size_t size);
/* As template_log: each value through `print`, `most` bytes of values. A template that is not set
 * is an empty text. */
void draft_add_template(struct draft_writer *w, struct exchange *x, const struct template *t,
                        void (*print)(struct span value, bool set, struct buf *out), size_t most);

void draft_take(struct span *draft, void *ret_bytes, size_t size);
void draft_take_text(struct span *draft, struct exchange *last,
                     void (*print)(struct span value, bool set, struct buf *out), struct buf *out);

/* --- for exchange/template.c ------------------------------------------------------------------ */

/* Where text is to be appended. */
static inline struct buf *draft_text(struct draft_writer *w)
{
    return &w->bytes;
}
/* Of an unset variable, NULL: the text ends here. */
void draft_hole(struct draft_writer *w, const struct variable *late);

#endif
