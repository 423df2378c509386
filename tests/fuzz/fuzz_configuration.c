/* A configuration by a stranger: lexer, parser, build, types and messages, with modules that have a
 * row of each kind. The input holds up to three texts, parted by 0x01: the main file, the file
 * /other, -g. */
#include "base/arena.h"
#include "base/buf.h"
#include "conf/build.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/load.h"
#include "conf/source.h"
#include "conf/tree.h"
#include "conf/types.h"

#include <errno.h>
#include <stdlib.h>

struct texts {
    struct conf_source source;
    struct span main, other, globals;
};

static int load(struct conf_source *source, struct span path, enum conf_kind kind, struct span *ret,
                char ret_reason[CONF_REASON])
{
    (void)kind, (void)ret_reason;
    if (!span_is(path, "/other"))
        return -ENOENT;
    *ret = ((struct texts *)source)->other;
    return 0;
}

static int glob(struct conf_source *source, struct span pattern, struct span *ret)
{
    (void)source;
    *ret = span_starts(pattern, "/o") ? (struct span)SPAN("/other\n/none\n/other\n")
                                      : (struct span){ "", 0 };
    return 0;
}

struct values {
    bool flag;
    uint64_t number, size, offset, time, seconds;
    struct span text, path, handler, file;
    unsigned choice;
    struct conf_buffers buffers;
    struct conf_list words, lines, blocks;
    uint64_t raw;
};

static bool add_words(struct conf_call *call, void *field)
{
    for (unsigned i = 1; i < conf_count(call); i++) {
        struct span word = conf_word(call, i);

        if (!conf_list_add(call, field, &word, sizeof(word)))
            return false;
    }
    return true;
}

static bool add_block(struct conf_call *call, void *field)
{
    return conf_list_add(call, field, &call->inner, sizeof(call->inner));
}

static uint64_t count_words(const struct conf_node *node)
{
    uint64_t count = 0;

    for (; node != NULL; node = node->next)
        count += node->count + node->comment.len + count_words(node->first);
    return count;
}

static bool read_raw(struct conf_call *call, void *field)
{
    *(uint64_t *)field = count_words(call->node->first);
    return true;
}

static bool load_file(struct conf_call *call, void *field)
{
    return conf_load(call, 1, conf_file_path(call, conf_word(call, 1)), CONF_CHAIN, field);
}

static const struct conf_type words = { .set = add_words,
                                        .size = sizeof(struct conf_list),
                                        .many = true };
static const struct conf_type blocks = { .set = add_block,
                                         .size = sizeof(struct conf_list),
                                         .many = true };
static const struct conf_type raw = { .set = read_raw, .size = sizeof(uint64_t) };
static const struct conf_type file = { .set = load_file, .size = sizeof(struct span) };
static const struct conf_range range = { 1, 100 };
static const struct conf_name names[] = { { "off", 0 }, { "optional", 1 }, {} };

enum { ALL = CTX_MAIN | CTX_HTTP | CTX_SERVER | CTX_LOCATION | CTX_IF };

#define FIELD(name) offsetof(struct values, name)

static const struct directive rows[] = {
    { "flag", ALL, 1, 1, &conf_flag, FIELD(flag), "on", WHOLE, "", 0, NULL },
    { "number", ALL, 1, 1, &conf_number, FIELD(number), "5", NONE, "", 0, &range },
    { "size", ALL, 1, 1, &conf_size, FIELD(size), "4k", WHOLE, "", 0, NULL },
    { "offset", ALL, 1, 1, &conf_offset, FIELD(offset), "1g", WHOLE, "", 0, NULL },
    { "time", ALL, 1, 1, &conf_time, FIELD(time), "60s", WHOLE, "", 0, NULL },
    { "seconds", ALL, 1, 1, &conf_seconds, FIELD(seconds), "1y", WHOLE, "", 0, NULL },
    { "text", ALL, 1, 1, &conf_text, FIELD(text), "\"a b\"", WHOLE, "", 0, NULL },
    { "path", ALL, 1, 1, &conf_path, FIELD(path), "html", WHOLE, "", 0, NULL },
    { "alias", CTX_LOCATION, 1, 1, &conf_path, FIELD(path), NULL, WHOLE, "", 0, NULL },
    { "handler", ALL, 1, 1, &conf_text, FIELD(handler), NULL, INTO_IF, "", 0, NULL },
    { "file", ALL, 1, 1, &file, FIELD(file), NULL, WHOLE, "", 0, NULL },
    { "choice", ALL, 1, 1, &conf_choice, FIELD(choice), "off", WHOLE, "", 0, names },
    { "buffers", ALL, 2, 2, &conf_buffers, FIELD(buffers), "4 8k", WHOLE, "", 0, NULL },
    { "words", ALL, 0, ANY_ARGS, &words, FIELD(words), NULL, WHOLE, "", 0, NULL },
    { "lines", ALL, 1, 3, &words, FIELD(lines), "a b", LIST, "", 0, NULL },
    { "raw", ALL, 0, 1, &raw, FIELD(raw), NULL, WHOLE, "", CTX_RAW, NULL },
    { "idle", ALL, 0, 9, &conf_nothing, 0, NULL, NONE, "", 0, NULL },
    { "http", CTX_MAIN, 0, 0, &blocks, FIELD(blocks), NULL, NONE, "", CTX_HTTP, NULL },
    { "server", CTX_HTTP, 0, 0, &blocks, FIELD(blocks), NULL, NONE, "", CTX_SERVER, NULL },
    { "location", CTX_SERVER | CTX_LOCATION, 1, 2, &blocks, FIELD(blocks), NULL, NONE, "",
      CTX_LOCATION, NULL },
    { "if", CTX_LOCATION, 1, 3, &blocks, FIELD(blocks), NULL, NONE, "", CTX_IF, NULL },
    {},
};

static void merge(void *child, const void *parent)
{
    ((struct values *)child)->raw += ((const struct values *)parent)->raw;
}

static bool check(struct conf *conf, struct conf_block *block, void *settings)
{
    const struct values *v = settings;

    if (v->path.len == 0 || v->text.at == NULL)
        abort(); /* both have a default */
    if (v->number == 13)
        return conf_complain(conf, block->place, "thirteen");
    return true;
}

static const struct conf_module module = { "values", rows, sizeof(struct values), merge, check };

static void walk(const struct conf_block *block, unsigned depth)
{
    const struct values *v = block->settings[0];

    if (depth > 64)
        abort();
    for (uint32_t i = 0; i < v->blocks.len; i++)
        walk(((struct conf_block **)v->blocks.items)[i], depth + 1);
}

static void judge(const struct conf *c)
{
    struct buf out;
    unsigned errors = 0;

    buf_init(&out, 4 << 20, NULL);
    for (const struct conf_message *m = conf_messages(c); m != NULL; m = m->next) {
        errors += m->severity == CONF_ERROR;
        conf_print_message(c, m, &out);
    }
    struct span text = buf_view(&out);
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] < 0x20 && text.at[i] != '\n' && text.at[i] != '\t')
            abort(); /* goes to a terminal */
    if (conf_is_good(c) != (errors == 0))
        abort();
    if (conf_is_good(c))
        walk(conf_top(c), 0);
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct texts texts = { .source = { .load = load, .glob = glob } };
    struct span rest = { (const char *)data, size };
    struct arena arena;

    texts.main = rest;
    if (span_cut(rest, '\1', &texts.main, &rest)) {
        texts.other = rest;
        span_cut(rest, '\1', &texts.other, &texts.globals);
    }
    arena_init(&arena, 65536, NULL);
    struct conf *c = conf_build(&(struct conf_input){
        .source = &texts.source,
        .file = SPAN("/main"),
        .text = texts.main.len > 0 ? texts.main : (struct span){ "", 0 },
        .prefix = SPAN("/prefix/"),
        .globals = texts.globals,
        .modules = &module,
        .module_count = 1,
        .arena = &arena,
    });
    judge(c);
    conf_free(&c);
    arena_done(&arena);
    return 0;
}
