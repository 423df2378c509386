/* Lines with holes:
 *
 *     draft    = the loggers' parts, one behind the other: module, length, bytes
 *     text     = pieces: hole, length, bytes of text that stand before the hole
 *                the last piece of a text has no hole
 *
 * Owns the block. It is charged to the worker, and never refused: what it holds is capped where it
 * was read. */
#include "exchange/draft.h"

#include "base/budget.h"
#include "base/errlog.h"
#include "conf/settings.h"
#include "exchange/exchange.h"
#include "exchange/generation.h"
#include "exchange/log.h"
#include "exchange/module.h"
#include "exchange/template.h"
#include "exchange/variable.h"
#include "exchange/worker.h"

#include <stdlib.h>

enum { LARGEST = 4 * 1024 * 1024 };

struct draft {
    uint32_t size; /* of `bytes` */
    char bytes[];
};

struct part_head {
    const struct module *logger;
    size_t length;
};

struct piece_head {
    const struct variable *hole;
    size_t length;
};

/* --- writing ---------------------------------------------------------------------------------- */

void draft_add(struct draft_writer *w, const void *bytes, size_t size)
{
    buf_add(&w->bytes, (struct span){ bytes, size });
}

static void begin_piece(struct draft_writer *w)
{
    struct piece_head head = { NULL, 0 };

    w->piece = w->bytes.len;
    draft_add(w, &head, sizeof(head));
}

void draft_hole(struct draft_writer *w, const struct variable *late)
{
    struct piece_head head = { late, w->bytes.len - w->piece - sizeof(head) };

    if (!buf_ok(&w->bytes))
        return;
    memcpy(w->bytes.data + w->piece, &head, sizeof(head));
    if (late != NULL)
        begin_piece(w);
}

void draft_add_template(struct draft_writer *w, struct exchange *x, const struct template *t,
                        void (*print)(struct span value, bool set, struct buf *out), size_t most)
{
    begin_piece(w);
    template_draft(x, t, w, print, most);
    draft_hole(w, NULL);
}

static void add_part(struct draft_writer *w, struct exchange *x, unsigned module)
{
    struct part_head head = { x->generation->modules[module], 0 };
    size_t at = w->bytes.len;

    if (head.logger->draft == NULL)
        return;
    draft_add(w, &head, sizeof(head));
    head.logger->draft(x, settings_in(x->block, module), w);
    if (!buf_ok(&w->bytes))
        return;
    head.length = w->bytes.len - at - sizeof(head);
    if (head.length == 0)
        w->bytes.len = at; /* it has nothing to say */
    else
        memcpy(w->bytes.data + at, &head, sizeof(head));
}

static struct draft *exact_copy(struct span bytes, struct worker *w)
{
    struct draft *d = malloc(sizeof(*d) + bytes.len);

    if (d == NULL)
        abort();
    budget_charge(&w->budget, sizeof(*d) + bytes.len);
    d->size = (uint32_t)bytes.len;
    memcpy(d->bytes, bytes.at, bytes.len);
    return d;
}

struct draft *draft_new(struct exchange *x)
{
    const struct generation *g = x->generation;
    struct draft_writer w = { .piece = 0 };
    struct draft *d = NULL;

    buf_init(&w.bytes, LARGEST, NULL);
    for (unsigned i = 0; i < g->index.logger_count; i++)
        add_part(&w, x, g->index.loggers[i]);
    if (!buf_ok(&w.bytes))
        exchange_log(x, LEVEL_ALERT, 0, "too much to log of a tunnel, its lines are lost");
    else if (w.bytes.len > 0)
        d = exact_copy(buf_view(&w.bytes), x->worker);
    buf_done(&w.bytes);
    return d;
}

/* --- reading: our own bytes, made above ------------------------------------------------------- */

void draft_take(struct span *draft, void *ret_bytes, size_t size)
{
    if (draft->len < size)
        abort();
    memcpy(ret_bytes, draft->at, size);
    *draft = span_from(*draft, size);
}

static struct span take_bytes(struct span *draft, size_t size)
{
    struct span taken = span_first(*draft, size);

    *draft = span_from(*draft, size);
    return taken;
}

void draft_take_text(struct span *draft, struct exchange *last,
                     void (*print)(struct span value, bool set, struct buf *out), struct buf *out)
{
    struct piece_head head;

    do {
        struct span value = { NULL, 0 };

        draft_take(draft, &head, sizeof(head));
        buf_add(out, take_bytes(draft, head.length));
        if (head.hole == NULL)
            return;
        bool set = head.hole->get(last, (struct span){ NULL, 0 }, &value);
        print(value, set, out);
    } while (true);
}

void draft_write(const struct draft *d, struct exchange *last)
{
    struct span rest = { NULL, 0 };
    struct part_head head;

    if (d != NULL)
        rest = (struct span){ d->bytes, d->size };
    while (rest.len > 0) {
        draft_take(&rest, &head, sizeof(head));
        head.logger->log_draft(last, take_bytes(&rest, head.length));
    }
}

void draft_free(struct draft **d, struct worker *w)
{
    if (*d != NULL)
        budget_give(&w->budget, sizeof(**d) + (*d)->size);
    free(*d);
    *d = NULL;
}
