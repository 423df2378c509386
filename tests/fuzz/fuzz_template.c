/* Values with variables, and the rewrite directives that use them. The input: REGEX, REPLACEMENT,
 * flag, condition, parted by 0x01, then 0x02 and the target of a request.
 *
 * Whatever they are: what is accepted can be run, a path begins with a slash or is refused, and a
 * Location holds no control byte. */
#include "base/buf.h"
#include "base/errlog.h"
#include "base/span.h"
#include "conf/build.h"
#include "conf/source.h"
#include "exchange/client.h"
#include "exchange/core.h"
#include "exchange/exchange.h"
#include "exchange/generation.h"
#include "exchange/listener.h"
#include "exchange/module.h"
#include "exchange/nobody.h"
#include "exchange/phase.h"
#include "exchange/run.h"
#include "exchange/worker.h"
#include "net/loop.h"
#include "net/loop_fake.h"
#include "proto/h1.h"
#include "run/bundle.h"
#include "run/generation_build.h"
#include "run/module_list.h"
#include "serve/h1.h"

#include <errno.h>
#include <stdlib.h>

enum { LONGEST = 4096, STEPS = 12 };

struct stage {
    struct worker worker;
    struct loop loop;
    struct errlog log;
    struct client client;
};

static struct stage *stage(void)
{
    static struct stage s;

    if (s.worker.loop == NULL) {
        s.log = (struct errlog){ .level = LEVEL_EMERG };
        s.worker = (struct worker){ .loop = &s.loop, .log = &s.log, .shared.token = "0a1b2c3d" };
        s.worker.budget.max = SIZE_MAX / 2;
        s.client.ops = &nobody_ops;
        if (loop_init_fake(&s.loop, 100, &s.worker.budget, 1000) < 0)
            abort();
    }
    return &s;
}

/* A word in quotes, so that it is one word whatever it holds. */
static void add_word(struct buf *out, struct span word)
{
    buf_adds(out, " \"");
    for (size_t i = 0; i < word.len; i++) {
        if (word.at[i] == '"' || word.at[i] == '\\')
            buf_add_byte(out, '\\');
        buf_add_byte(out, word.at[i]);
    }
    buf_adds(out, "\"");
}

static struct span next_piece(struct span *rest)
{
    struct span piece = *rest;

    if (!span_cut(*rest, '\1', &piece, rest))
        rest->len = 0;
    return piece;
}

static void write_configuration(struct span rest, struct buf *out)
{
    struct span regex = next_piece(&rest), text = next_piece(&rest), flag = next_piece(&rest);

    buf_adds(out, "access_log off; server { listen 80; root /nonexistent; set $v");
    add_word(out, text);
    buf_adds(out, ";\nif ($v = $uri) { set $args $v; }\nlocation / {\nrewrite");
    add_word(out, regex);
    add_word(out, text);
    if (flag.len > 0)
        add_word(out, flag);
    buf_adds(out, ";\nif (");
    buf_add(out, rest); /* any words, and perhaps more than a condition */
    buf_adds(out, ") { break; }\nreturn 302");
    add_word(out, text);
    buf_adds(out, ";\n} }\n");
}

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

/* NULL: refused. */
static struct generation *read_configuration(struct span text)
{
    struct conf_source source = { .load = load, .glob = glob };
    struct bundle_request request = { .file = SPAN("/fuzz.conf"),
                                      .text = text,
                                      .prefix = SPAN("/nonexistent/") };
    struct generation *g = NULL;
    struct conf *conf = generation_make(&request, &source, &g);

    if (!conf_is_good(conf))
        generation_unref(&g);
    conf_free(&conf);
    return g;
}

static void judge(const struct exchange *x)
{
    const struct field *location = fields_find(&x->response.fields, FIELD_LOCATION);

    if (location != NULL && !is_field_value(location->value))
        abort();
    if (x->response.status == 0 && x->redirected && !span_starts(x->request.uri, "/"))
        abort();
}

static void run_phases(struct exchange *x)
{
    const struct generation *g = x->generation;

    for (unsigned step = 0; step < STEPS; step++) {
        x->redirected = RESTART_NOT;
        for (enum phase phase = PHASE_SERVER_REWRITE; phase <= PHASE_REWRITE; phase++)
            for (unsigned i = 0; i < g->index.hook_count[phase] && !x->redirected; i++) {
                const struct hook_entry *e = &g->index.hooks[phase][i];
                enum verdict verdict = e->hook->run(x, settings_in(x->block, e->module));

                judge(x);
                if (verdict == ANSWER || verdict == REFUSE)
                    return;
            }
        if (!x->redirected)
            return;
    }
}

static void ask(struct stage *s, struct span target)
{
    struct exchange *x = exchange_new(&s->worker, &s->client);
    struct h1_request request = { .method = SPAN("GET"), .target = target, .minor = 1 };
    const char *why;

    x->listener = ((struct listener **)s->worker.generation->listeners.items)[0];
    x->server = x->listener->fallback;
    exchange_enter(x, x->server);
    fields_init(&x->request.fields, &x->arena, NULL, 0);
    fields_add(&x->request.fields, (struct span)SPAN("Host"), (struct span)SPAN("a"), FROM_CLIENT);
    if (request_take(x, &request, &why))
        run_phases(x);
    exchange_end(x, IO_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span lines = { (const char *)data, size }, target = SPAN("/a");
    struct stage *s = stage();
    struct buf text;

    if (size > LONGEST)
        return 0;
    span_cut(lines, '\2', &lines, &target);
    buf_init(&text, 1 << 16, NULL);
    write_configuration(lines, &text);
    struct generation *g = read_configuration(buf_view(&text));
    if (g != NULL) {
        s->worker.generation = generation_ref(g);
        ask(s, target);
        generation_unref(&s->worker.generation);
    }
    generation_unref(&g);
    buf_done(&text);
    return 0;
}
