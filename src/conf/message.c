/* Errors and warnings: noted while a configuration is read, shown with the line and a caret.
 *
 *     bifrons: [emerg] unknown directive "proxy_pas" in /etc/bifrons/bifrons.conf:3
 *     /etc/bifrons/bifrons.conf:3:9
 *             proxy_pas http://a.example;
 *             ^
 *     did you mean "proxy_pass"?
 *
 * What a file holds goes to a terminal, so control bytes and what is no UTF-8 are shown as \xHH. */
#include "conf/message.h"

#include "base/arena.h"
#include "base/buf.h"
#include "conf/call.h"
#include "conf/excerpt.h"
#include "conf/settings.h"
#include "conf/state.h"
#include "conf/tree.h"

#include <stdio.h>

enum { LONGEST_TEXT = 16384 };

struct span message_vtext(struct conf *c, const char *format, va_list args)
{
    va_list again;

    va_copy(again, args);
    int wanted = vsnprintf(NULL, 0, format, again);
    va_end(again);
    size_t len = wanted < 0 ? 0 : wanted < LONGEST_TEXT ? (size_t)wanted : LONGEST_TEXT;
    char *text = arena_alloc(&c->arena, len + 1);

    text[0] = '\0';
    vsnprintf(text, len + 1, format, args);
    return (struct span){ text, len };
}

struct span message_text(struct conf *c, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    struct span text = message_vtext(c, format, args);
    va_end(args);
    return text;
}

void message_vadd(struct conf *c, enum conf_severity severity, struct place place,
                  const char *format, va_list args)
{
    struct messages *all = &c->messages;
    unsigned *count = severity == CONF_ERROR ? &all->errors : &all->warnings;

    all->last = NULL;
    if (++*count > MOST_MESSAGES)
        return;
    struct conf_message *m = arena_alloc(&c->arena, sizeof(*m));
    *m = (struct conf_message){
        severity, place, message_vtext(c, format, args), 0, { "", 0 }, NULL
    };
    *all->end = all->last = m;
    all->end = &m->next;
}

void message_error(struct conf *c, struct place place, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    message_vadd(c, CONF_ERROR, place, format, args);
    va_end(args);
}

bool conf_refuse(struct conf_call *call, unsigned word, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    message_vadd(call->conf, CONF_ERROR, conf_place(call, word), format, args);
    va_end(args);
    return false;
}

bool conf_refuse_inside(struct conf_call *call, unsigned word, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    message_vadd(call->conf, CONF_ERROR, conf_place(call, word), format, args);
    va_end(args);
    message_mark_misplaced(call->conf, call->block->node);
    return false;
}

void conf_warn(struct conf_call *call, unsigned word, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    message_vadd(call->conf, CONF_WARNING, conf_place(call, word), format, args);
    va_end(args);
}

void conf_warn_once(struct conf_call *call, const char *format, ...)
{
    va_list args;

    if (bit_get(call->conf->warned, call->node->row))
        return;
    bit_set(call->conf->warned, call->node->row);
    va_start(args, format);
    message_vadd(call->conf, CONF_WARNING, conf_place(call, 0), format, args);
    va_end(args);
}

bool conf_complain(struct conf *conf, struct place place, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    message_vadd(conf, CONF_ERROR, place, format, args);
    va_end(args);
    return false;
}

void conf_caution(struct conf *conf, struct place place, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    message_vadd(conf, CONF_WARNING, place, format, args);
    va_end(args);
}

bool conf_advises(const struct conf *conf)
{
    return conf->input.advice;
}

void conf_hint(struct conf *conf, const char *format, ...)
{
    va_list args;

    if (conf->messages.last == NULL)
        return;
    va_start(args, format);
    conf->messages.last->hint = message_vtext(conf, format, args);
    va_end(args);
}

void conf_suggest(struct conf *conf, struct span near)
{
    if (near.len > 0)
        conf_hint(conf, "did you mean \"%.*s\"?", (int)near.len, near.at);
}

void message_mark_unclosed(struct conf *c)
{
    c->messages.unclosed = true;
    if (c->messages.last != NULL)
        c->messages.last->trouble = TROUBLE_UNCLOSED;
}

void message_mark_misplaced(struct conf *c, const struct conf_node *outer)
{
    const struct conf_word *name = outer != NULL ? outer->words : NULL;

    if (c->messages.last == NULL || name == NULL || !c->messages.unclosed)
        return;
    c->messages.last->trouble = TROUBLE_MISPLACED;
    conf_hint(c, "is the \"}\" missing that closes \"%.*s\" of line %u?", (int)name->text.len,
              name->text.at, name->place.line);
}

bool conf_suggest_one_of(struct conf_call *call, unsigned word, const char *const *names)
{
    enum { MOST_NAMES = 64 };
    struct span text = call->node->words[word].text, all[MOST_NAMES];
    size_t count = 0;

    for (; names[count] != NULL && count < MOST_NAMES; count++)
        all[count] = span_of(names[count]);
    conf_suggest(call->conf, conf_nearest(span_first(text, span_find(text, '=') + 1), all, count));
    return false;
}

static bool stands_before(struct place a, struct place b)
{
    if (a.file != b.file)
        return a.file < b.file;
    return a.line != b.line ? a.line < b.line : a.column < b.column;
}

/* The first that is misplaced stands nearest to where the bracket is missing; without any, the end
 * of the file has to do. */
static void tell_unclosed_once(struct conf *c)
{
    struct conf_message *first = c->messages.first;

    while (first != NULL && first->trouble != TROUBLE_MISPLACED)
        first = first->next;
    for (struct conf_message **at = &c->messages.first; *at != NULL;) {
        if (first != NULL && *at != first && (*at)->trouble != TROUBLE_OWN)
            *at = (*at)->next;
        else
            at = &(*at)->next;
    }
    c->messages.last = NULL;
}

void message_sort(struct conf *c)
{
    struct conf_message *rest = c->messages.first, *first = NULL;

    while (rest != NULL) {
        struct conf_message *m = rest, **to = &first;

        rest = rest->next;
        while (*to != NULL && !stands_before(m->place, (*to)->place))
            to = &(*to)->next;
        m->next = *to;
        *to = m;
    }
    c->messages.first = first;
    tell_unclosed_once(c);
    c->messages.end = &c->messages.first;
    while (*c->messages.end != NULL)
        c->messages.end = &(*c->messages.end)->next;
}

const struct conf_message *conf_messages(const struct conf *c)
{
    return c->messages.first;
}

bool conf_is_good(const struct conf *c)
{
    return c->messages.errors == 0;
}

void conf_print_message(const struct conf *c, const struct conf_message *m, struct buf *out)
{
    struct span name = conf_file_name(c, m->place.file);
    unsigned line = m->place.line;
    bool is_parameter = m->place.file == c->files.command_line;

    buf_adds(out, m->severity == CONF_ERROR ? "bifrons: [emerg] " : "bifrons: [warn] ");
    excerpt_plain(m->text, out);
    if (line > 0) {
        buf_adds(out, " in ");
        excerpt_plain(name, out);
        if (!is_parameter)
            buf_addf(out, ":%u", line);
        buf_adds(out, "\n");
        excerpt_plain(name, out);
        buf_addf(out, ":%u:%u", line, m->place.column);
    }
    buf_adds(out, "\n");
    if (line > 0 && m->place.column > 0)
        excerpt_line(conf_file_text(c, m->place.file), m->place, out);
    if (m->hint.len > 0) {
        excerpt_plain(m->hint, out);
        buf_adds(out, "\n");
    }
}
