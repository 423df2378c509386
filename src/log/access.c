/* Access logs (nginx-semantics 10): formats are templates; each value is escaped, so that a peer's
 * bytes never end a line or leave their quotes.
 *
 *     row:     access_log PATH FORMAT ...  -> struct access_log, its format still a name
 *     check:   the name -> struct log_format; folders are noted, for the rights that make them
 *     start:   in a worker: a sink for each path without variables
 *     log:     condition, sink, line         at the end of an exchange
 *     draft:   the same in two steps         a tunnel's: its exchange goes first (exchange/draft.h)
 */
#include "log/access.h"

#include "base/buf.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/settings.h"
#include "conf/types.h"
#include "exchange/draft.h"
#include "exchange/exchange.h"
#include "exchange/generation.h"
#include "exchange/module.h"
#include "exchange/template.h"
#include "exchange/worker.h"
#include "log/escape.h"
#include "log/failure.h"
#include "log/sink.h"
#include "log/syslog.h"

#include <errno.h>
#include <sys/stat.h>

enum { GZIP_BUFFER = 64 * 1024, MOST_BUFFER = 1024 * 1024 * 1024, LONGEST_PATH = 1024 };
enum { MOST_OF_VALUES = 64 * 1024 }; /* bytes in a line, before they are escaped (OBS-05) */

enum escape { ESCAPE_DEFAULT, ESCAPE_JSON, ESCAPE_NONE };

struct log_format {
    struct span name;
    struct template text;
    unsigned escape; /* enum escape */
};

struct access_log { /* one line `access_log PATH FORMAT` */
    struct sink_spec to;
    struct template path; /* with variables; else not set */
    struct span format_name;
    const struct log_format *format;
    struct log_sink *sink; /* in a worker; NULL: the path has variables */
    struct place place;
    struct template condition; /* if= */
};

struct log_settings {
    struct conf_list formats; /* of struct log_format; at the top and in http */
    struct access_lines {
        struct conf_list logs; /* of struct access_log */
        bool off;
    } access;
    const struct access_log *forward; /* the forward face's own; NULL: none */
};

static const char combined[] =
    "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent "
    "\"$http_referer\" \"$http_user_agent\"";
/* Squid's columns; what has no value yet stands as `-`. */
static const char squid[] =
    "$msec $request_msec $remote_addr $forward_result/$status $bytes_sent $request_method "
    "$forward_url - $forward_hierarchy $sent_http_content_type";

/* --- rows ----------------------------------------------------------------------------------- */

static const struct log_format *find_format(const struct conf_list *formats, struct span name)
{
    const struct log_format *all = formats->items;

    for (uint32_t i = 0; i < formats->len; i++)
        if (span_same(all[i].name, name))
            return &all[i];
    return NULL;
}

static bool set_format(struct conf_call *call, void *field)
{
    struct log_format format = { .name = conf_word(call, 1) };
    unsigned first = 2;
    struct buf text;

    if (span_is(format.name, "combined") || find_format(field, format.name) != NULL)
        return conf_refuse(call, 1, "duplicate \"log_format\" name \"%.*s\"", (int)format.name.len,
                           format.name.at);
    if (span_starts(conf_word(call, 2), "escape=")) {
        struct span kind = span_from(conf_word(call, 2), 7);

        if (!span_is(kind, "default") && !span_is(kind, "json") && !span_is(kind, "none"))
            return conf_refuse(call, 2, "unknown log format escaping \"%s\"",
                               arena_cstr(conf_arena(call), kind));
        format.escape = span_is(kind, "json")   ? ESCAPE_JSON
                        : span_is(kind, "none") ? ESCAPE_NONE
                                                : ESCAPE_DEFAULT;
        first = 3;
    }
    buf_init(&text, 64 * 1024, NULL);
    for (unsigned i = first; i < conf_count(call); i++)
        buf_add(&text, conf_word(call, i));
    struct span joined = arena_copy(conf_arena(call), buf_view(&text));
    buf_done(&text);
    return template_compile_text(call, first, joined, &format.text) &&
           conf_list_add(call, field, &format, sizeof(format));
}

static bool refuse_option(struct conf_call *call, unsigned word, const char *what, size_t from)
{
    struct span text = span_from(conf_word(call, word), from);

    return conf_refuse(call, word, "invalid %s \"%.*s\"", what, (int)text.len, text.at);
}

static bool read_gzip(struct conf_call *call, unsigned word, struct span text, struct sink_spec *to)
{
    uint64_t level = 1;

    if (text.len > 0 && (!conf_read_number(span_from(text, 1), 9, &level) || level == 0))
        return refuse_option(call, word, "compression level", strlen("gzip="));
    to->gzip = (int)level;
    if (to->buffer == 0)
        to->buffer = GZIP_BUFFER;
    return true;
}

static bool read_option(struct conf_call *call, unsigned word, struct access_log *log)
{
    struct span text = conf_word(call, word);
    uint64_t size;

    if (span_starts(text, "if="))
        return template_compile_text(call, word, span_from(text, 3), &log->condition);
    if (span_starts(text, "buffer=")) {
        if (!conf_read_size(span_from(text, 7), false, &size) || size == 0 || size > MOST_BUFFER)
            return refuse_option(call, word, "buffer size", 7);
        log->to.buffer = (size_t)size;
        return true;
    }
    if (span_starts(text, "flush="))
        return (conf_read_time(span_from(text, 6), &log->to.flush) && log->to.flush > 0) ||
               refuse_option(call, word, "flush time", 6);
    if (span_is(text, "gzip") || span_starts(text, "gzip="))
        return read_gzip(call, word, span_from(text, 4), &log->to);
    return refuse_option(call, word, "parameter", 0);
}

static bool has_variables(const struct access_log *log)
{
    return log->path.is_set && !template_is_literal(&log->path);
}

/* What is the same file must be buffered in the same way. */
static bool agrees_with_others(struct conf_call *call, const struct access_log *log)
{
    const struct generation *g = conf_user(call);
    const struct conf_list *buffered = &g->logs.buffered;
    const struct sink_spec *all = buffered->items;

    for (uint32_t i = 0; i < buffered->len; i++)
        if (span_same(all[i].path, log->to.path) &&
            (all[i].buffer != log->to.buffer || all[i].flush != log->to.flush ||
             all[i].gzip != log->to.gzip))
            return conf_refuse(call, 1,
                               "access_log \"%.*s\" already defined with conflicting parameters",
                               (int)conf_word(call, 1).len, conf_word(call, 1).at);
    return true;
}

static bool check_options(struct conf_call *call, const struct access_log *log)
{
    struct generation *g = conf_user(call);
    struct span path = conf_word(call, 1);

    if (log->to.flush > 0 && log->to.buffer == 0)
        return conf_refuse(call, 1, "no buffer is defined for access_log \"%.*s\"", (int)path.len,
                           path.at);
    if (log->to.buffer == 0)
        return true;
    if (has_variables(log))
        return conf_refuse(call, 1, "buffered logs cannot have variables in name");
    if (log->to.syslog != NULL)
        return conf_refuse(call, 1, "logs to syslog cannot be buffered");
    if (!agrees_with_others(call, log))
        return false;
    generation_list_add(g, &g->logs.buffered, &log->to, sizeof(log->to));
    return true;
}

static bool read_syslog(struct conf_call *call, struct access_log *log)
{
    struct syslog *s = arena_zalloc(conf_arena(call), sizeof(*s));

    if (!syslog_read(call, 1, s))
        return false;
    log->to.syslog = s;
    log->to.path = conf_word(call, 1);
    return true;
}

static bool read_target(struct conf_call *call, struct access_log *log)
{
    struct span path = conf_word(call, 1);

    if (span_starts(path, "syslog:"))
        return read_syslog(call, log);
    log->to.path = span_is(path, "stderr") ? path : conf_prefix_path(call, path);
    return span_find(path, '$') == path.len ||
           template_compile_text(call, 1, log->to.path, &log->path);
}

static bool set_access_log(struct conf_call *call, void *field)
{
    struct access_lines *lines = field;
    struct access_log log = { .place = conf_place(call, 0) };

    if (span_is(conf_word(call, 1), "off")) {
        lines->off = true;
        return conf_count(call) == 2 || refuse_option(call, 2, "parameter", 0);
    }
    if (!read_target(call, &log))
        return false;
    if (conf_count(call) > 2)
        log.format_name = conf_word(call, 2);
    else
        log.format_name = span_of(call->block->context == CTX_FORWARD ? "squid" : "combined");
    for (unsigned i = 3; i < conf_count(call); i++)
        if (!read_option(call, i, &log))
            return false;
    return check_options(call, &log) && conf_list_add(call, &lines->logs, &log, sizeof(log));
}

static const struct conf_type format_line = { .set = set_format,
                                              .size = sizeof(struct conf_list),
                                              .many = true };
static const struct conf_type access_line = { .set = set_access_log,
                                              .size = sizeof(struct access_lines),
                                              .many = true };

static const struct directive directives[] = {
    { "log_format", CTX_HTTP | CTX_FORWARD, 2, ANY_ARGS, &format_line,
      offsetof(struct log_settings, formats), NULL, WHOLE, "a named format of log lines", 0, NULL },
    { "access_log", CTX_HTTP | CTX_SERVER | CTX_LOCATION | CTX_IF | CTX_FORWARD, 1, ANY_ARGS,
      &access_line, offsetof(struct log_settings, access), "logs/access.log combined", WHOLE,
      "where each exchange is logged", 0, NULL },
    {},
};

/* --- formats by name ------------------------------------------------------------------------ */

static const struct log_format *built_in(struct conf *conf, struct conf_block *block,
                                         struct span name)
{
    struct log_format *format = arena_zalloc(conf_arena_of(conf), sizeof(*format));
    struct conf_call call = { .conf = conf, .block = block };
    const char *text = span_is(name, "combined") ? combined : span_is(name, "squid") ? squid : NULL;

    if (text == NULL || !template_compile_text(&call, 0, span_of(text), &format->text))
        return NULL;
    return format;
}

/* `log_format` may stand behind the `access_log` that names it. */
static const struct log_format *format_for(struct conf *conf, struct conf_block *block,
                                           struct span name)
{
    unsigned module = module_index(conf_user_of(conf), &access_log_module);

    for (const struct conf_block *b = block; b != NULL; b = b->parent) {
        const struct log_settings *own = settings_in(b, module);
        const struct log_format *found = find_format(&own->formats, name);

        if (found != NULL)
            return found;
    }
    return built_in(conf, block, name);
}

/* Up to the last slash before any variable, with it. */
static struct span fixed_folder(struct span path)
{
    struct span fixed = span_first(path, span_find(path, '$'));

    while (fixed.len > 0 && fixed.at[fixed.len - 1] != '/')
        fixed.len--;
    return fixed;
}

/* Another file in the same folder, ended by a zero. */
static struct span sibling(struct arena *arena, struct span path, const char *name)
{
    size_t folder = path.len;
    struct buf text;

    while (folder > 0 && path.at[folder - 1] != '/')
        folder--;
    buf_init(&text, 8192, NULL);
    buf_add(&text, span_first(path, folder));
    buf_adds(&text, name);
    struct span made = { arena_cstr(arena, buf_view(&text)), text.len };
    buf_done(&text);
    return made;
}

/* The folder of a file is made at the start, with root's rights. Where names hold variables the
 * worker makes the files: there the folder is its own. */
static void note_folder(struct generation *g, const struct access_log *log)
{
    struct span path = log->to.path;

    if (span_is(path, "stderr") || log->to.syslog != NULL)
        return;
    if (has_variables(log))
        path = fixed_folder(path);
    struct placed_path noted = { path, log->place };
    generation_list_add(g, has_variables(log) ? &g->folders : &g->logs.paths, &noted,
                        sizeof(noted));
}

static bool check(struct conf *conf, struct conf_block *block, void *settings)
{
    struct log_settings *own = settings;
    struct access_log *logs = own->access.logs.items;

    for (uint32_t i = 0; i < own->access.logs.len; i++) {
        logs[i].format = format_for(conf, block, logs[i].format_name);
        note_folder(conf_user_of(conf), &logs[i]);
        if (logs[i].format == NULL)
            return conf_complain(conf, logs[i].place, "unknown log format \"%.*s\"",
                                 (int)logs[i].format_name.len, logs[i].format_name.at);
    }
    struct generation *g = conf_user_of(conf);
    generation_list_add(g, &g->logs.access, &own->access.logs, sizeof(own->access.logs));
    return true;
}

/* Does any block of this face leave it to us where its lines go? Then they go there. */
static bool use_standard(const struct generation *g, bool forward, const struct access_log *log)
{
    unsigned module = module_index(g, &access_log_module);
    struct conf_block *const *blocks = g->servers.items;
    bool used = false;

    for (uint32_t i = 0; i < g->servers.len; i++) {
        struct log_settings *own = settings_in(blocks[i], module);
        const struct access_log *logs = own->access.logs.items;

        if ((blocks[i]->context == CTX_FORWARD) != forward || own->access.logs.len == 0 ||
            logs[0].place.line != 0)
            continue;
        used = true;
        if (forward)
            own->forward = log;
    }
    return used;
}

/* A log that nobody writes to is not opened. */
static void forget(struct generation *g, const struct access_log *logs)
{
    struct conf_list *lists = g->logs.access.items;

    for (uint32_t i = 0; i < g->logs.access.len; i++)
        if (lists[i].items == logs)
            lists[i].len = 0;
}

/* Where nothing is said, the forward face has a log of its own (forward-semantics 8). */
static bool init(struct generation *g, struct conf *conf, void *settings)
{
    const struct log_settings *top = settings;
    struct access_log *own = arena_zalloc(&g->arena, sizeof(*own));
    const struct access_log *standard = top->access.logs.items;
    struct conf_list list = { .items = own, .len = 1, .room = 1, .size = sizeof(*own) };

    if (top->access.logs.len == 0 || standard->place.line != 0)
        return true;
    if (!use_standard(g, false, standard))
        forget(g, standard);
    if (!use_standard(g, true, own))
        return true;
    *own = *standard;
    own->to.path = sibling(&g->arena, standard->to.path, "forward.log");
    own->format = built_in(conf, g->top, span_of("squid"));
    generation_list_add(g, &g->logs.access, &list, sizeof(list));
    return own->format != NULL;
}

static struct log_failure failure_of(const struct access_log *log, int error)
{
    return (struct log_failure){ log->to.path, log->place, error };
}

/* Opens what lines will be written to. */
static void start(struct worker *w, struct generation *g, void *settings)
{
    const struct conf_list *lists = g->logs.access.items;

    (void)settings;
    if (w->sinks == NULL)
        return; /* a rehearsal */
    sinks_unbuffer(w);
    for (uint32_t i = 0; i < g->logs.access.len; i++) {
        struct access_log *logs = lists[i].items;

        for (uint32_t j = 0; j < lists[i].len; j++) {
            int error = 0;

            if (has_variables(&logs[j]))
                continue;
            if (logs[j].sink == NULL)
                logs[j].sink = sink_open(w, &logs[j].to, &error);
            if (logs[j].sink == NULL)
                sinks_note_failure(w, failure_of(&logs[j], -error));
        }
    }
}

static void stop(struct worker *w, struct generation *g, void *settings)
{
    const struct conf_list *lists = g->logs.access.items;

    (void)w, (void)settings;
    for (uint32_t i = 0; i < g->logs.access.len; i++) {
        struct access_log *logs = lists[i].items;

        for (uint32_t j = 0; j < lists[i].len; j++)
            sink_unref(&logs[j].sink);
    }
}

void access_logs_each(const struct generation *g, void (*fn)(void *arg, struct placed_path file),
                      void *arg)
{
    const struct conf_list *lists = g->logs.access.items;

    for (uint32_t i = 0; i < g->logs.access.len; i++) {
        const struct access_log *logs = lists[i].items;

        for (uint32_t j = 0; j < lists[i].len; j++)
            if (!has_variables(&logs[j]) && logs[j].to.syslog == NULL)
                fn(arg, (struct placed_path){ logs[j].to.path, logs[j].place });
    }
}

/* --- writing -------------------------------------------------------------------------------- */

static void (*const printers[])(struct span, bool, struct buf *) = {
    [ESCAPE_DEFAULT] = escape_default, [ESCAPE_JSON] = escape_json, [ESCAPE_NONE] = escape_none
};

static void print_plain(struct span value, bool set, struct buf *out)
{
    (void)set;
    buf_add(out, value);
}

static bool is_yes(struct span value)
{
    return value.len > 0 && !span_is(value, "0");
}

static bool is_wanted(struct exchange *x, const struct access_log *log)
{
    return !log->condition.is_set || is_yes(template_value(x, &log->condition));
}

/* A value in the path may hold a slash: so `..` is looked for in what came out. */
static bool climbs(struct span path)
{
    struct span part;

    while (span_cut(path, '/', &part, &path))
        if (span_is(part, ".."))
            return true;
    return span_is(path, "..");
}

static bool root_is_there(struct exchange *x)
{
    char path[LONGEST_PATH];
    struct span root;
    struct stat st;

    return variable_value(x, span_of("document_root"), &root) &&
           span_to_cstr(root, sizeof(path), path) && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Of a path with variables: only below a root that exists (NGINX's rule: else any Host would make a
 * file), and never above the part that is written out. */
static struct log_sink *sink_at(struct worker *w, struct span path, size_t fixed)
{
    if (path.len == 0 || path.len >= LONGEST_PATH || span_find(path, '\0') < path.len ||
        climbs(span_from(path, fixed)))
        return NULL;
    return sink_pass(w, path, fixed);
}

static struct log_sink *sink_for(struct exchange *x, const struct access_log *log)
{
    if (!has_variables(log))
        return log->sink;
    if (!root_is_there(x))
        return NULL;
    return sink_at(x->worker, template_value(x, &log->path), fixed_folder(log->path.text).len);
}

/* The line is written straight into the sink's buffer. */
static void write_to(struct exchange *x, const struct access_log *log)
{
    struct log_sink *sink = is_wanted(x, log) ? sink_for(x, log) : NULL;

    if (sink == NULL)
        return;
    struct buf *out = sink_buffer(sink);
    template_log(x, &log->format->text, out, printers[log->format->escape], MOST_OF_VALUES);
    buf_add_byte(out, '\n');
    sink_line(sink);
}

/* The n-th of those that apply; NULL: there are no more. */
static const struct access_log *nth(const struct exchange *x, const struct log_settings *own,
                                    uint32_t n)
{
    const struct access_log *logs = own->access.logs.items;

    if (own->access.off || n >= own->access.logs.len)
        return NULL;
    bool forward = logs[n].place.line == 0 && own->forward != NULL && exchange_is_forward(x);
    return forward ? own->forward : &logs[n];
}

static void write_lines(struct exchange *x, const void *settings)
{
    const struct access_log *log;

    for (uint32_t n = 0; (log = nth(x, settings, n)) != NULL; n++)
        write_to(x, log);
}

/* --- drafts: condition, path, line ---------------------------------------------------------- */

struct draft_head {
    struct log_sink *sink; /* NULL: the path has variables */
    size_t fixed;          /* bytes of the path's fixed folder */
    enum escape escape;
    bool conditional;
};

static void draft_line(struct exchange *x, const struct access_log *log, struct draft_writer *w)
{
    struct draft_head head = { .sink = log->sink,
                               .escape = log->format->escape,
                               .conditional = template_is_late(&log->condition) };

    if (has_variables(log)) {
        head.sink = NULL;
        head.fixed = fixed_folder(log->path.text).len;
    }
    if (has_variables(log) ? !root_is_there(x) : log->sink == NULL)
        return;
    if (!head.conditional && !is_wanted(x, log))
        return;
    if (head.sink != NULL)
        sink_ref(head.sink); /* until the draft is written */
    draft_add(w, &head, sizeof(head));
    if (head.conditional)
        draft_add_template(w, x, &log->condition, print_plain, SIZE_MAX);
    if (head.sink == NULL)
        draft_add_template(w, x, &log->path, print_plain, SIZE_MAX);
    draft_add_template(w, x, &log->format->text, printers[head.escape], MOST_OF_VALUES);
}

static void draft_lines(struct exchange *x, const void *settings, struct draft_writer *w)
{
    const struct access_log *log;

    for (uint32_t n = 0; (log = nth(x, settings, n)) != NULL; n++)
        draft_line(x, log, w);
}

static struct span take_plain(struct span *draft, struct exchange *last)
{
    struct buf text = { .max = MOST_OF_VALUES };

    draft_take_text(draft, last, print_plain, &text);
    struct span value = arena_copy(&last->arena, buf_view(&text));
    buf_done(&text);
    return value;
}

/* Takes condition and path off it. NULL: the line is not wanted, or its file cannot be opened. */
static struct log_sink *take_sink(struct span *draft, const struct draft_head *head,
                                  struct exchange *last)
{
    bool wanted = !head->conditional || is_yes(take_plain(draft, last));

    if (head->sink != NULL)
        return wanted ? head->sink : NULL;
    struct span path = take_plain(draft, last);
    return wanted ? sink_at(last->worker, path, head->fixed) : NULL;
}

/* A line that is not wanted has to be taken off the draft all the same: it goes into a buffer
 * without room. */
static void write_drafts(struct exchange *last, struct span draft)
{
    struct draft_head head;

    while (draft.len > 0) {
        struct buf unwanted = { .max = 0 };

        draft_take(&draft, &head, sizeof(head));
        struct log_sink *sink = take_sink(&draft, &head, last);
        struct buf *out = sink != NULL ? sink_buffer(sink) : &unwanted;
        draft_take_text(&draft, last, printers[head.escape], out);
        if (sink != NULL) {
            buf_add_byte(out, '\n');
            sink_line(sink);
        }
        sink_unref(&head.sink);
    }
}

const struct module access_log_module = {
    .name = "access_log",
    .directives = directives,
    .log = write_lines,
    .draft = draft_lines,
    .log_draft = write_drafts,
    .settings_size = sizeof(struct log_settings),
    .check = check,
    .init = init,
    .start = start,
    .stop = stop,
};
