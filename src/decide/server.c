/* Servers by name (nginx-semantics 3.2): each listener has one table of the exact names of its
 * servers; an unknown name, or none, is the default server's. Tables lie in the generation
 * arena. */
#include "decide/server.h"

#include "base/hash.h"
#include "conf/call.h"
#include "exchange/exchange.h"

struct server_settings {
    struct conf_list names; /* of struct server_name */
};

struct server_name {
    struct span name; /* lower case, without trailing dot */
    struct place place;
};

struct names_entry {
    struct span name;
    const struct conf_block *block; /* NULL: a free slot */
};

struct names_table {
    struct hash_key key; /* peers choose what is looked up */
    struct names_entry *slots;
    uint32_t mask;
};

static bool set_server(struct conf_call *call, void *field)
{
    (void)field;
    if (call->inner->label.at == NULL)
        call->inner->label = (struct span){ "", 0 };
    return generation_serves(call, call->inner);
}

static bool add_name(struct conf_call *call, struct conf_list *names, unsigned word)
{
    struct span text = conf_word(call, word);
    char *lower = arena_cstr(conf_arena(call), text);
    struct server_name name = { .place = conf_place(call, word) };

    if (span_find(text, '*') < text.len || span_starts(text, "~") || span_starts(text, "."))
        return conf_refuse(
            call, word,
            "server name \"%s\": wildcards and regular expressions are known, not supported yet",
            lower);
    for (char *c = lower; *c != '\0'; c++)
        *c = ascii_lower(*c);
    name.name = (struct span){ lower, text.len };
    span_chop(&name.name, '.');
    if (span_is(text, "$hostname"))
        return conf_refuse(call, word, "\"$hostname\" is known, not supported yet");
    if (call->block->label.len == 0) {
        lower[name.name.len] = '\0';
        call->block->label = name.name;
    }
    return conf_list_add(call, names, &name, sizeof(name));
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
      NULL, NONE, "the names of a server", 0, NULL },
    {},
};

/* --- the table of a listener ---------------------------------------------------------------- */

static struct names_entry *slot_of(const struct names_table *t, struct span name)
{
    uint32_t at = (uint32_t)hash_keyed(&t->key, name) & t->mask;

    while (t->slots[at].block != NULL && !span_same(t->slots[at].name, name))
        at = (at + 1) & t->mask;
    return &t->slots[at];
}

static const struct conf_block *find(const struct listener *l, struct span host)
{
    const struct names_table *t = l->names;
    const struct conf_block *found = slot_of(t, host)->block;

    return found != NULL ? found : l->fallback;
}

static const struct server_settings *names_of(const struct generation *g,
                                              const struct conf_block *b)
{
    return settings_in(b, module_index(g, &server_module));
}

static uint32_t count_names(const struct generation *g, const struct listener *l)
{
    const struct conf_block *const *blocks = l->blocks.items;
    uint32_t count = 0;

    for (uint32_t i = 0; i < l->blocks.len; i++)
        count += names_of(g, blocks[i])->names.len;
    return count;
}

static void add_names(struct generation *g, struct conf *conf, struct listener *l,
                      struct names_table *t, const struct conf_block *block)
{
    const struct server_settings *own = names_of(g, block);
    const struct server_name *names = own->names.items;

    for (uint32_t i = 0; i < own->names.len; i++) {
        struct names_entry *slot = slot_of(t, names[i].name);

        if (slot->block == NULL)
            *slot = (struct names_entry){ names[i].name, block };
        else if (slot->block != block)
            conf_caution(conf, names[i].place, "conflicting server name \"%.*s\" on %s, ignored",
                         (int)names[i].name.len, names[i].name.at, l->text.at);
    }
}

static void index_names(struct generation *g, struct conf *conf, struct listener *l)
{
    const struct conf_block *const *blocks = l->blocks.items;
    struct names_table *t = arena_zalloc(&g->arena, sizeof(*t));
    uint32_t room = 8;

    while (room < 2 * count_names(g, l))
        room *= 2;
    t->key = hash_key_new();
    t->mask = room - 1;
    t->slots = arena_zalloc(&g->arena, room * sizeof(*t->slots));
    for (uint32_t i = 0; i < l->blocks.len; i++)
        add_names(g, conf, l, t, blocks[i]);
    l->names = t;
    l->find = l->blocks.len > 1 ? find : NULL; /* nothing to choose from else */
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

static enum verdict choose_server(struct exchange *x, const void *settings)
{
    (void)settings;
    if (x->listener->forward)
        return NEXT;
    if (x->listener->find != NULL)
        x->server = x->listener->find(x->listener, x->request.host);
    exchange_enter(x, x->server);
    decided(x, DECIDED_SERVER, NEXT, x->server->place, x->server->label.at);
    return NEXT;
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
