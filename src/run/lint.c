/* `bifrons lint`: what a configuration has that is legal and most likely not meant: the warnings of
 * `-t`, without opening a log or a socket. Also `-T`, which looks at the same texts. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/span.h"
#include "conf/build.h"
#include "conf/call.h"
#include "run/bundle.h"
#include "run/generation_build.h"
#include "run/options.h"
#include "run/paths.h"
#include "run/tools.h"
#include "run/usage.h"
#include "tls/tls.h"

#include <stdio.h>

enum { LONGEST_OUTPUT = 16 << 20, LONGEST_DUMP = 1 << 30 };
enum { LINT_CLEAN = 0, LINT_WARNINGS = 1, LINT_ERRORS = 2 };

struct lint {
    struct options options;
    bool json;
    struct buf out;
    int code;
};

static void add_message(const struct conf *conf, const struct conf_message *m, struct buf *out)
{
    buf_addf(out, "  {\"severity\": \"%s\", \"text\": ",
             m->severity == CONF_ERROR ? "error" : "warning");
    json_add_string(m->text, out);
    buf_adds(out, ", \"file\": ");
    json_add_string(m->place.line > 0 ? conf_file_name(conf, m->place.file) : span_of(""), out);
    buf_addf(out, ", \"line\": %u, \"column\": %u, \"hint\": ", m->place.line, m->place.column);
    json_add_string(m->hint, out);
    buf_adds(out, m->next != NULL ? "},\n" : "}\n");
}

static void add_json(const struct conf *conf, struct buf *out)
{
    buf_adds(out, "[\n");
    for (const struct conf_message *m = conf_messages(conf); m != NULL; m = m->next)
        add_message(conf, m, out);
    buf_adds(out, "]\n");
}

static void look(struct conf *conf, void *arg)
{
    struct lint *l = arg;

    if (l->json)
        add_json(conf, &l->out);
    else
        generation_messages(conf, &l->out);
    if (conf_messages(conf) != NULL)
        l->code = conf_is_good(conf) ? LINT_WARNINGS : LINT_ERRORS;
}

static bool read_words(struct lint *l, int argc, char **argv)
{
    for (int i = 2; i < argc;) {
        int used = 1;

        if (strcmp(argv[i], "--json") == 0) {
            l->json = true;
        } else if (argv[i][0] == '-' && argv[i][1] != '\0' && strchr("cpg", argv[i][1]) != NULL) {
            if (!options_word(&l->options, argv[i] + 1, i + 1 < argc ? argv[i + 1] : NULL, &used))
                return false;
        } else {
            fprintf(stderr, "bifrons: lint: invalid option: \"%s\"; see bifrons lint -h\n",
                    argv[i]);
            return false;
        }
        i += used;
    }
    return true;
}

static bool print(struct buf *out)
{
    struct span text = buf_view(out);
    bool good = buf_ok(out) && fwrite(text.at, 1, text.len, stdout) == text.len;

    return fflush(stdout) == 0 && good;
}

int lint_main(int argc, char **argv)
{
    struct arena arena;
    struct lint l = { .options.arena = &arena, .code = LINT_CLEAN };

    for (int i = 2; i < argc; i++)
        if (usage_is_wanted(argv[i]))
            return usage_print_command("lint") ? 0 : LINT_ERRORS;
    arena_init(&arena, 16 * 1024, NULL);
    buf_init(&l.out, LONGEST_OUTPUT, NULL);
    if (read_words(&l, argc, argv)) {
        struct bundle_request request = paths_of(&l.options);

        request.advice = true;
        tls_process_init();
        bundle_inspect(&request, look, &l);
        if (!print(&l.out))
            l.code = LINT_ERRORS;
    } else {
        l.code = LINT_ERRORS;
    }
    buf_done(&l.out);
    arena_done(&arena);
    return l.code;
}

static void dump(struct conf *conf, void *arg)
{
    if (conf_is_good(conf))
        conf_dump(conf, arg);
}

int tools_dump(const struct options *o)
{
    struct bundle_request request = paths_of(o);
    struct buf out;

    buf_init(&out, LONGEST_DUMP, NULL);
    bundle_inspect(&request, dump, &out);
    bool good = out.len > 0 && print(&out);
    buf_done(&out);
    return good ? 0 : 1;
}
