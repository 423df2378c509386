/* `error_page CODE ... [=[STATUS]] WHERE` (nginx-semantics 6.7).
 *
 *     /path    the phases start again; the method becomes GET, HEAD stays
 *     @name    they start again in that location; the method stays
 *     others   a redirect of the client
 *
 * An exchange has one such turn, unless recursive_error_pages; settle() bounds them all. The status
 * that the client sees in the end waits in x->response.given. */
#include "exchange/error_page.h"

#include "base/errlog.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/settings.h"
#include "conf/types.h"
#include "exchange/exchange.h"
#include "exchange/generation.h"
#include "exchange/log.h"
#include "exchange/module.h"
#include "exchange/page.h"
#include "exchange/template.h"

enum { FIRST_STATUS = 300, LAST_STATUS = 599, HIGHEST_SHOWN = 999 };

/* What follows `=`. */
enum shown { SHOWN_ERROR, SHOWN_ANSWER, SHOWN_NUMBER };

struct error_page {
    uint16_t status;
    uint16_t number; /* SHOWN_NUMBER */
    enum shown shown;
    struct template where;
    const char *written; /* for decisions; ended by a zero */
    struct place place;
};

struct error_page_settings {
    struct conf_list pages; /* of struct error_page */
    bool recursive;
};

static const char used_key; /* of a note: the exchange has had its turn */

/* --- reading a line ------------------------------------------------------------------------- */

static bool refuse_value(struct conf_call *call, unsigned word)
{
    return conf_refuse(call, word, "invalid value \"%s\"",
                       arena_cstr(conf_arena(call), conf_word(call, word)));
}

/* `=` or `=STATUS` before the last word. */
static bool read_shown(struct conf_call *call, unsigned word, struct error_page *page)
{
    struct span text = span_from(conf_word(call, word), 1);
    uint64_t number;

    page->shown = SHOWN_ANSWER;
    if (text.len == 0)
        return true;
    if (!conf_read_number(text, HIGHEST_SHOWN, &number) || number < 200)
        return refuse_value(call, word);
    page->shown = SHOWN_NUMBER;
    page->number = (uint16_t)number;
    return true;
}

static bool add_page(struct conf_call *call, void *field, unsigned word, struct error_page page)
{
    uint64_t status;

    if (!conf_read_number(conf_word(call, word), UINT32_MAX, &status) || status == 499)
        return refuse_value(call, word); /* 499: nobody is left to see a page */
    if (status < FIRST_STATUS || status > LAST_STATUS)
        return conf_refuse(call, word, "value \"%s\" must be between 300 and 599",
                           arena_cstr(conf_arena(call), conf_word(call, word)));
    page.status = (uint16_t)status;
    if (page.shown == SHOWN_ERROR && status >= 494 && status <= 497) { /* NGINX's own codes */
        page.shown = SHOWN_NUMBER;
        page.number = 400;
    }
    return conf_list_add(call, field, &page, sizeof(page));
}

static bool set_pages(struct conf_call *call, void *field)
{
    unsigned last = conf_count(call) - 1, codes = last;
    struct error_page page = { .place = conf_place(call, 0) };

    if (span_starts(conf_word(call, last - 1), "=")) {
        codes = last - 1;
        if (codes == 1)
            return refuse_value(call, codes);
        if (!read_shown(call, codes, &page))
            return false;
    }
    if (!template_compile(call, last, &page.where))
        return false;
    page.written = arena_cstr(conf_arena(call), conf_word(call, last));
    for (unsigned i = 1; i < codes; i++)
        if (!add_page(call, field, i, page))
            return false;
    return true;
}

static const struct conf_type pages_type = { .set = set_pages,
                                             .size = sizeof(struct conf_list),
                                             .many = true };

enum { ANYWHERE = CTX_HTTP | CTX_SERVER | CTX_LOCATION | CTX_IF };

static const struct directive directives[] = {
    { "error_page", ANYWHERE, 2, ANY_ARGS, &pages_type, offsetof(struct error_page_settings, pages),
      NULL, WHOLE, "what is sent for these statuses: a path, `@name` or a URL", 0, NULL },
    { "recursive_error_pages", ANYWHERE & ~CTX_IF, 1, 1, &conf_flag,
      offsetof(struct error_page_settings, recursive), "off", WHOLE,
      "an error while an error page is made may lead to one more", 0, NULL },
    {},
};

/* --- the turn ------------------------------------------------------------------------------- */

/* NULL: the forward face has none. */
static const struct error_page_settings *settings_of(const struct exchange *x)
{
    if (exchange_is_forward(x))
        return NULL;
    return settings_in(x->block, module_index(x->generation, &error_page_module));
}

static const struct error_page *find_page(const struct error_page_settings *own, unsigned status)
{
    const struct error_page *pages = own->pages.items;

    for (uint32_t i = 0; i < own->pages.len; i++)
        if (pages[i].status == status)
            return &pages[i];
    return NULL;
}

bool error_page_names(const struct exchange *x, unsigned status)
{
    const struct error_page_settings *own = settings_of(x);

    return own != NULL && find_page(own, status) != NULL;
}

/* NGINX counts the turn even if no line has the status: what follows gets plain pages. */
static const struct error_page *take_turn(struct exchange *x, unsigned status)
{
    const struct error_page_settings *own = settings_of(x);

    if (own == NULL || own->pages.len == 0 || exchange_note(x, &used_key) != NULL)
        return NULL;
    if (!own->recursive)
        exchange_keep(x, &used_key, (void *)(uintptr_t)&used_key);
    return find_page(own, status);
}

static bool is_redirect(unsigned status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static uint16_t status_to_show(const struct error_page *page, unsigned status)
{
    switch (page->shown) {
    case SHOWN_ERROR:
        return (uint16_t)status;
    case SHOWN_ANSWER:
        return 0;
    case SHOWN_NUMBER:
        return page->number;
    }
    return 0;
}

/* A body that is malformed or too large is nobody's any more. */
static bool body_is_broken(const struct exchange *x, unsigned status)
{
    return status == 413 || x->fault == FAULT_BODY_MALFORMED || x->fault == FAULT_BODY_TOO_LARGE;
}

bool error_page_answers(struct exchange *x, unsigned status)
{
    const struct error_page *page = take_turn(x, status);

    if (page == NULL)
        return false;
    /* a copy: what it is of may lie in the answer that is given up below */
    struct span where = arena_copy(&x->arena, template_value(x, &page->where));
    uint16_t given = status_to_show(page, status);

    bool moves = page->shown == SHOWN_NUMBER && is_redirect(given);

    decided(x, DECIDED_ERROR_PAGE, NEXT, page->place, page->written);
    if (!span_starts(where, "/") && !span_starts(where, "@")) {
        page_redirect(x, moves ? given : 302, where);
        return true;
    }
    bool broken = body_is_broken(x, status); /* asked before the fault is forgotten */
    x->response.status = (uint16_t)status;
    if (span_starts(where, "@")) {
        if (!exchange_restart_named(x, where)) {
            exchange_log(x, LEVEL_ERROR, 0, "could not find named location \"%.*s\"",
                         (int)where.len, where.at);
            page_error(x, 500);
            return true;
        }
    } else if (!exchange_restart_as_get(x, where)) {
        page_error(x, 404);
        return true;
    }
    if (broken) /* only now: a child of the source may have been sending it */
        exchange_forget_body(x);
    x->response.given = given;
    return true;
}

const struct module error_page_module = {
    .name = "error_page",
    .directives = directives,
    .settings_size = sizeof(struct error_page_settings),
};
