/* Servers by name (nginx-semantics 3.2): each listener has one table of names for each kind, and a
 * list of expressions. In this order:
 *
 *     a.b.c       the name itself
 *     *.b.c *.c   from the longest on: a label off the front, then the next
 *     a.b.* a.*   the same from the back
 *     ~...        expressions in the order of the file
 *
 * An unknown name, or none, is the default server's. Tables lie in the generation arena. */
#include "decide/server.h"

#include "base/hash.h"
#include "base/pattern.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/settings.h"
#include "exchange/exchange.h"
#include "exchange/expression.h"
#include "exchange/generation.h"
#include "exchange/listener.h"
#include "exchange/module.h"
#include "exchange/phase.h"
#include "exchange/trace.h"

#include <unistd.h>

enum { LONGEST_HOSTNAME = 256 };

struct server_settings {
    struct conf_list names; /* of struct server_name */
};

enum name_kind { NAME_EXACT, NAME_BELOW, NAME_BEGINS, NAME_KINDS, NAME_EXPRESSION = NAME_KINDS };

struct server_name {
    struct span name; /* lower case; without trailing dot, `*.`, `.*` */
    struct place place;
    enum name_kind kind;
    const struct expression *expression;
};

struct names_entry {
    struct span name;
    const struct conf_block *block; /* NULL: a free slot */
};

struct names_table {
    struct names_entry *slots; /* NULL: no name of the kind */
    uint32_t mask;
};

struct names_expression {
    const struct expression *expression;
    const struct conf_block *block;
};

struct names {
    struct hash_key key; /* peers choose what is looked up */
    struct names_table tables[NAME_KINDS];
    struct conf_list expressions; /* of struct names_expression, in the order of the file */
};

static bool set_server(struct conf_call *call, void *field)
{
    (void)field;
    if (call->inner->label.at == NULL)
        call->inner->label = (struct span){ "", 0 };
    return generation_serves(call, call->inner);
}

/* --- reading a name ------------------------------------------------------------------------- */

static bool keep_name(struct conf_call *call, struct conf_list *names, struct server_name name,
                      struct span text, enum name_kind kind)
{
    name.name = text;
    name.kind = kind;
    return conf_list_add(call, names, &name, sizeof(name));
}

/* `~regex`: caseless if it has an upper-case letter, as hosts are lower case. */
static bool add_expression(struct conf_call *call, struct conf_list *names, unsigned word,
                           struct server_name name)
{
    struct span text = span_from(conf_word(call, word), 1);
    bool caseless = false;

    if (text.len == 0)
        return conf_refuse(call, word, "empty regex in server name \"~\"");
    for (size_t i = 0; i < text.len; i++)
        caseless = caseless || (text.at[i] >= 'A' && text.at[i] <= 'Z');
    name.expression = expression_new(call, word, text, caseless);
    return name.expression != NULL && keep_name(call, names, name, text, NAME_EXPRESSION);
}

static bool has_two_dots(struct span text)
{
    for (size_t i = 1; i < text.len; i++)
        if (text.at[i] == '.' && text.at[i - 1] == '.')
            return true;
    return false;
}

/* `text` in lower case; a `*` is only the whole first or last label. */
static bool add_plain(struct conf_call *call, struct conf_list *names, unsigned word,
                      struct server_name name, struct span text)
{
    struct span below = span_from(text, span_starts(text, "*.") ? 2 : 1);
    struct span begins = span_first(text, text.len - 2); /* used only where `.*` ends it */
    bool front = span_starts(text, "*.") || span_starts(text, "."), back = span_ends(text, ".*");
    struct span rest = front ? below : back ? begins : text;

    if ((text.len > 0 && text.at[0] == '*' && !front) || (front && rest.len == 0))
        return conf_refuse(call, word, "server name \"%.*s\" is invalid", (int)text.len, text.at);
    if (span_find(rest, '*') < rest.len || has_two_dots(text) || (back && rest.len == 0))
        return conf_refuse(call, word, "invalid server name or wildcard \"%.*s\"", (int)text.len,
                           text.at);
    if (span_find(text, '/') < text.len)
        conf_warn(call, word, "server name \"%.*s\" has suspicious symbols", (int)text.len,
                  text.at);
    if (!front && back)
        return keep_name(call, names, name, rest, NAME_BEGINS);
    span_chop(&rest, '.');
    if (front && !keep_name(call, names, name, rest, NAME_BELOW))
        return false;
    return (front && text.at[0] == '*') || keep_name(call, names, name, rest, NAME_EXACT);
}

/* This machine's name, in lower case. */
static struct span own_name(struct conf_call *call)
{
    char text[LONGEST_HOSTNAME] = "";

    if (gethostname(text, sizeof(text) - 1) < 0)
        text[0] = '\0';
    return (struct span){ arena_cstr(conf_arena(call), span_of(text)), strlen(text) };
}

static bool add_name(struct conf_call *call, struct conf_list *names, unsigned word)
{
    struct span text = conf_word(call, word);
    struct server_name name = { .place = conf_place(call, word) };
    bool is_first = names->len == 0;

    text = span_is(text, "$hostname")
               ? own_name(call)
               : (struct span){ arena_cstr(conf_arena(call), text), text.len };
    if (!span_starts(text, "~"))
        for (size_t i = 0; i < text.len; i++)
            ((char *)(uintptr_t)text.at)[i] = ascii_lower(text.at[i]);
    if (is_first) { /* called by its first name, whichever matches */
        struct span label = span_from(text, span_starts(text, "."));

        span_chop(&label, '.');
        call->block->label = (struct span){ arena_cstr(conf_arena(call), label), label.len };
    }
    return span_starts(text, "~") ? add_expression(call, names, word, name)
                                  : add_plain(call, names, word, name, text);
}

static bool set_names(struct conf_call *call, void *field)
{
    for (unsigned i = 1; i < conf_count(call); i++)
        if (!add_name(call, field, i))
            return false;
    return true;
}

static const struct conf_type server_block = { .set = set_server, .many = true };
static const struct conf_type names_type = { .set = set_names,
                                             .size = sizeof(struct conf_list),
                                             .many = true };

static const struct directive directives[] = {
    { "server", CTX_HTTP, 0, 0, &server_block, 0, NULL, NONE, "a server that clients ask by name",
      CTX_SERVER, NULL },
    { "server_name", CTX_SERVER, 1, ANY_ARGS, &names_type, offsetof(struct server_settings, names),
      NULL, NONE, "names of a server: whole, `*.s`, `.s`, `p.*`, `~regex`, `\"\"`, `$hostname`", 0,
      NULL },
    {},
};

/* --- the tables of a listener --------------------------------------------------------------- */

static struct names_entry *slot_of(const struct names *n, enum name_kind kind, struct span name)
{
    const struct names_table *t = &n->tables[kind];
    uint32_t at = (uint32_t)hash_keyed(&n->key, name) & t->mask;

    while (t->slots[at].block != NULL && !span_same(t->slots[at].name, name))
        at = (at + 1) & t->mask;
    return &t->slots[at];
}

static const struct conf_block *look_up(const struct names *n, enum name_kind kind,
                                        struct span name)
{
    return n->tables[kind].slots != NULL ? slot_of(n, kind, name)->block : NULL;
}

/* The name without its first label, then without two ... */
static const struct conf_block *find_below(const struct names *n, struct span host)
{
    const struct conf_block *found = NULL;

    if (n->tables[NAME_BELOW].slots == NULL)
        return NULL;
    for (size_t dot = span_find(host, '.'); dot < host.len && found == NULL;
         dot = span_find(host, '.')) {
        host = span_from(host, dot + 1);
        found = look_up(n, NAME_BELOW, host);
    }
    return found;
}

/* The name without its last label, then without two ... */
static const struct conf_block *find_beginning(const struct names *n, struct span host)
{
    const struct conf_block *found = NULL;

    if (n->tables[NAME_BEGINS].slots == NULL)
        return NULL;
    for (size_t at = host.len; at-- > 0 && found == NULL;)
        if (host.at[at] == '.')
            found = look_up(n, NAME_BEGINS, span_first(host, at));
    return found;
}

/* The first that matches, else the fallback; NULL: one came to its limit. */
static const struct conf_block *find_by_expression(const struct listener *l, struct span host,
                                                   struct worker *w, struct exchange *x)
{
    const struct names *n = l->names;
    const struct names_expression *all = n->expressions.items;

    for (uint32_t i = 0; i < n->expressions.len && host.len > 0; i++) {
        enum pattern_verdict verdict = x != NULL ? expression_match(x, all[i].expression, host)
                                                 : expression_test(w, all[i].expression, host);

        if (verdict != PATTERN_NO)
            return verdict == PATTERN_MATCH ? all[i].block : NULL;
    }
    return l->fallback;
}

static const struct conf_block *find(const struct listener *l, struct span host, struct worker *w,
                                     struct exchange *x)
{
    const struct names *n = l->names;
    const struct conf_block *found = look_up(n, NAME_EXACT, host);

    if (found == NULL)
        found = find_below(n, host);
    if (found == NULL)
        found = find_beginning(n, host);
    return found != NULL ? found : find_by_expression(l, host, w, x);
}

static const struct server_settings *names_of(const struct generation *g,
                                              const struct conf_block *b)
{
    return settings_in(b, module_index(g, &server_module));
}

static void make_tables(struct generation *g, const struct listener *l, struct names *n)
{
    const struct conf_block *const *blocks = l->blocks.items;
    uint32_t counts[NAME_KINDS + 1] = { 0 };

    for (uint32_t i = 0; i < l->blocks.len; i++) {
        const struct server_settings *own = names_of(g, blocks[i]);
        const struct server_name *names = own->names.items;

        for (uint32_t k = 0; k < own->names.len; k++)
            counts[names[k].kind]++;
    }
    for (enum name_kind kind = 0; kind < NAME_KINDS; kind++) {
        uint32_t room = 8;

        while (room < 2 * counts[kind])
            room *= 2;
        n->tables[kind].mask = room - 1;
        if (counts[kind] > 0)
            n->tables[kind].slots = arena_zalloc(&g->arena, room * sizeof(struct names_entry));
    }
}

static const char *const shown_as[NAME_KINDS][2] = { { "", "" }, { "*.", "" }, { "", ".*" } };

static void add_to_table(struct conf *conf, const struct listener *l,
                         const struct server_name *name, const struct conf_block *block)
{
    struct names_entry *slot = slot_of(l->names, name->kind, name->name);

    if (slot->block == NULL)
        *slot = (struct names_entry){ name->name, block };
    else if (slot->block != block)
        conf_caution(conf, name->place, "conflicting server name \"%s%.*s%s\" on %s, ignored",
                     shown_as[name->kind][0], (int)name->name.len, name->name.at,
                     shown_as[name->kind][1], l->text.at);
}

/* True: a name among them has groups, and so is worth matching for their sake. */
static bool add_names(struct generation *g, struct conf *conf, const struct listener *l,
                      struct names *n, const struct conf_block *block)
{
    const struct server_settings *own = names_of(g, block);
    const struct server_name *names = own->names.items;
    bool has_groups = false;

    for (uint32_t i = 0; i < own->names.len; i++) {
        struct names_expression made = { names[i].expression, block };

        if (names[i].kind != NAME_EXPRESSION) {
            add_to_table(conf, l, &names[i], block);
            continue;
        }
        generation_list_add(g, &n->expressions, &made, sizeof(made));
        has_groups = has_groups || expression_has_groups(made.expression);
    }
    return has_groups;
}

static void index_names(struct generation *g, struct conf *conf, struct listener *l)
{
    const struct conf_block *const *blocks = l->blocks.items;
    struct names *n = arena_zalloc(&g->arena, sizeof(*n));
    bool has_groups = false;

    n->key = hash_key_new();
    make_tables(g, l, n);
    l->names = n;
    for (uint32_t i = 0; i < l->blocks.len; i++)
        has_groups = add_names(g, conf, l, n, blocks[i]) || has_groups;
    if (l->blocks.len > 1 || has_groups) /* else there is nothing to choose from */
        l->find = find;
}

static bool init(struct generation *g, struct conf *conf, void *settings)
{
    struct listener **all = g->listeners.items;

    (void)settings;
    for (uint32_t i = 0; i < g->listeners.len; i++)
        if (!all[i]->forward)
            index_names(g, conf, all[i]);
    return true;
}

/* --- the hook ------------------------------------------------------------------------------- */

static bool fits(struct exchange *x, const struct server_name *name)
{
    struct span host = x->request.host, own = name->name;

    switch (name->kind) {
    case NAME_EXACT:
        return span_same(host, own);
    case NAME_BELOW:
        return host.len > own.len + 1 && host.at[host.len - own.len - 1] == '.' &&
               span_same(span_from(host, host.len - own.len), own);
    case NAME_BEGINS:
        return host.len > own.len + 1 && host.at[own.len] == '.' &&
               span_same(span_first(host, own.len), own);
    case NAME_EXPRESSION:
        break;
    }
    return expression_test(x->worker, name->expression, host) == PATTERN_MATCH;
}

/* The name by which the search found the server: of the first kind that fits, the longest one, but
 * of expressions the first. NULL: none. */
static const struct server_name *name_found(struct exchange *x)
{
    const struct server_settings *own = names_of(x->generation, x->server);
    const struct server_name *names = own->names.items, *best = NULL;

    for (uint32_t i = 0; i < own->names.len; i++) {
        bool better = best == NULL || names[i].kind < best->kind ||
                      (names[i].kind == best->kind && names[i].kind != NAME_EXPRESSION &&
                       names[i].name.len > best->name.len);

        if (better && fits(x, &names[i]))
            best = &names[i];
    }
    return best;
}

static void tell_why(struct exchange *x)
{
    const struct server_name *name = name_found(x);
    bool only = x->listener->blocks.len < 2;

    if (name == NULL && x->request.host.len == 0)
        trace_why(x, "%s: no host was asked for", only ? "the only server" : "default server");
    else if (name == NULL)
        trace_why(x, "%s: no name is \"%.*s\"", only ? "the only server" : "default server",
                  (int)x->request.host.len, x->request.host.at);
    else if (name->kind == NAME_EXPRESSION)
        trace_why(x, "regular expression ~%.*s", (int)name->name.len, name->name.at);
    else if (name->kind == NAME_EXACT)
        trace_why(x, "exact name");
    else
        trace_why(x, "wildcard %s%.*s%s", shown_as[name->kind][0], (int)name->name.len,
                  name->name.at, shown_as[name->kind][1]);
}

static enum verdict choose_server(struct exchange *x, const void *settings)
{
    (void)settings;
    if (x->listener->forward)
        return NEXT;
    const struct conf_block *found = x->listener->fallback;
    if (x->listener->find != NULL)
        found = x->listener->find(x->listener, x->request.host, x->worker, x);
    x->server = found != NULL ? found : x->listener->fallback;
    exchange_enter(x, x->server);
    decided(x, DECIDED_SERVER, found != NULL ? NEXT : REFUSE, x->server->place,
            x->server->label.at);
    if (trace_of(x) != NULL && found != NULL)
        tell_why(x);
    else if (trace_of(x) != NULL)
        trace_why(x, "an expression was given up at its limit");
    return found != NULL ? NEXT : exchange_refuse(x, 500, NULL);
}

static const struct hook hooks[] = {
    { .phase = PHASE_POST_READ, .run = choose_server },
    {},
};

const struct module server_module = {
    .name = "server",
    .directives = directives,
    .hooks = hooks,
    .settings_size = sizeof(struct server_settings),
    .init = init,
};
