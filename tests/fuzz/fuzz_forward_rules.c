/* The rules and lists of a forward block, and a request that they judge. The input: lines of the
 * block, then 0x01, then `METHOD HOST PORT CLIENT CANDIDATE`.
 *
 * Whatever the rules are: a stage can only confirm or refuse what the one before allowed, nothing
 * is `later` once the address is known, and a rule that decides is one of the list. */
#include "base/address.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/span.h"
#include "conf/build.h"
#include "conf/directive.h"
#include "conf/source.h"
#include "decide/forward/facts.h"
#include "decide/forward/floor.h"
#include "decide/forward/forward.h"
#include "decide/forward/names.h"
#include "exchange/generation.h"
#include "exchange/module.h"

#include <errno.h>
#include <stdlib.h>

static int load(struct conf_source *source, struct span path, enum conf_kind kind, struct span *ret,
                char ret_reason[CONF_REASON])
{
    (void)source, (void)path, (void)kind, (void)ret, (void)ret_reason;
    return -ENOENT;
}

static int glob(struct conf_source *source, struct span pattern, struct span *ret)
{
    (void)source, (void)pattern;
    *ret = (struct span){ "", 0 };
    return 0;
}

static struct span next_word(struct span *rest)
{
    struct span word = *rest;

    if (!span_cut(*rest, ' ', &word, rest))
        rest->len = 0;
    return word;
}

static void judge(const struct ruleset *set, struct span request, struct arena *arena)
{
    struct facts f = { .port = 80 };
    const struct rule *first, *second;
    struct address candidate;

    f.method = next_word(&request);
    f.host = next_word(&request);
    port_parse(next_word(&request), &f.port);
    address_parse_ip(next_word(&request), &f.client);
    if (address_parse_ip(f.host, &f.literal))
        f.literal = floor_plain(&f.literal);
    uint64_t *sets = arena_zalloc(arena, names_words(set->names) * sizeof(*sets));
    names_look(set->names, f.host, sets);
    f.sets = sets;
    enum reading before = rules_read(set, &f, &first);

    if (!address_parse_ip(request, &candidate))
        candidate = (struct address){ .family = AF_INET, .ip = { 8, 8, 8, 8 } };
    struct standing standing = floor_stand(&candidate, f.port == 4000);
    f.candidate = &standing;
    enum reading after = rules_read(set, &f, &second);

    if (after == READING_LATER ||
        (first != NULL && (first < set->rules || first >= set->rules + set->count)))
        abort();
    if (after == READING_ALLOW && (before == READING_DENY || before == READING_NONE))
        abort();
    if (before == READING_LATER && !set->asks_address)
        abort();
    if (second != NULL) {
        struct buf reason;

        buf_init(&reason, 1 << 20, NULL);
        rule_reason(second, &f, &reason);
        rule_categories(second, &f, &reason);
        rule_opens_port(second, f.port);
        rule_opens_address(second, &standing);
        buf_done(&reason);
    }
    rules_find_open(set);
}

static void judge_blocks(struct generation *g, struct span request)
{
    const struct forward_settings *top = settings_in(g->top, 0);
    const struct forward_block *blocks = top->blocks.items;

    for (uint32_t i = 0; i < top->blocks.len; i++) {
        const struct forward_settings *own = settings_in(blocks[i].block, 0);

        if (own->set.names != NULL)
            judge(&own->set, request, &g->arena);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct module *const modules[] = { &forward_module };
    const struct conf_module module = { forward_module.name, forward_module.directives,
                                        forward_module.settings_size, NULL, forward_module.check };
    struct conf_source source = { .load = load, .glob = glob };
    struct generation g = { .modules = modules, .module_count = 1 };
    struct span lines = { (const char *)data, size }, request = { "", 0 };
    struct buf text;

    if (size > 8192)
        return 0;
    span_cut(lines, '\1', &lines, &request);
    buf_init(&text, 16384, NULL);
    buf_adds(&text, "forward {\n");
    buf_add(&text, lines);
    buf_adds(&text, "\n}\n");
    arena_init(&g.arena, 65536, NULL);
    struct conf *c = conf_build(&(struct conf_input){ .source = &source,
                                                      .file = SPAN("/main"),
                                                      .text = buf_view(&text),
                                                      .prefix = SPAN("/"),
                                                      .modules = &module,
                                                      .module_count = 1,
                                                      .arena = &g.arena,
                                                      .user = &g });
    g.top = conf_top(c);
    if (conf_is_good(c))
        judge_blocks(&g, request);
    conf_free(&c);
    arena_done(&g.arena);
    buf_done(&text);
    return 0;
}
