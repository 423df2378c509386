/* `proxy_pass` and its kin: the settings of requests that go on, and the hook that sets the origin
 * as source. */
#include "fetch/proxy.h"

#include "base/buf.h"
#include "conf/build.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/types.h"
#include "exchange/exchange.h"
#include "exchange/generation.h"
#include "exchange/module.h"
#include "exchange/phase.h"
#include "exchange/secret.h"
#include "exchange/variable.h"
#include "fetch/accel.h"
#include "fetch/attempts.h"
#include "fetch/buffering.h"
#include "fetch/origin.h"
#include "fetch/proxy_pass.h"
#include "fetch/upstream/pool.h"

enum {
    ANYWHERE = CTX_HTTP | CTX_SERVER | CTX_LOCATION | CTX_FORWARD,
    SERVERS = CTX_HTTP | CTX_SERVER | CTX_LOCATION
};

enum { DIRECT_IDLE = 128, FORWARD_CONNECT_MS = 10000 };

/* --- rows with a form of their own ---------------------------------------------------------- */

static bool set_header(struct conf_call *call, void *field)
{
    struct proxy_header header = { .name = conf_word(call, 1) };

    if (!is_token(header.name))
        return conf_refuse(call, 1, "\"%s\" is no name of a header field",
                           arena_cstr(conf_arena(call), header.name));
    header.id = field_id_of(header.name);
    if ((header.id == FIELD_CONTENT_LENGTH || header.id == FIELD_TRANSFER_ENCODING) &&
        conf_word(call, 2).len > 0)
        return conf_refuse(call, 1, "framing of requests is always made by the proxy");
    return template_compile(call, 2, &header.value) &&
           conf_list_add(call, field, &header, sizeof(header));
}

static bool set_name(struct conf_call *call, void *field)
{
    struct span name = conf_word(call, 1);

    return conf_list_add(call, field, &name, sizeof(name));
}

static const struct conf_name next_names[] = {
    { "error", NEXT_ERROR },
    { "timeout", NEXT_TIMEOUT },
    { "invalid_header", NEXT_INVALID_HEADER },
    { "http_500", NEXT_500 },
    { "http_502", NEXT_502 },
    { "http_503", NEXT_503 },
    { "http_504", NEXT_504 },
    { "http_403", NEXT_403 },
    { "http_404", NEXT_404 },
    { "http_429", NEXT_429 },
    { "non_idempotent", NEXT_NON_IDEMPOTENT },
    { "off", NEXT_OFF },
    {},
};

static const struct conf_name ignored_names[] = {
    { "X-Accel-Redirect", IGNORED_REDIRECT },
    { "X-Accel-Buffering", IGNORED_BUFFERING },
    { "X-Accel-Expires", IGNORED_OTHER },
    { "X-Accel-Limit-Rate", IGNORED_OTHER },
    { "X-Accel-Charset", IGNORED_OTHER },
    { "Expires", IGNORED_OTHER },
    { "Cache-Control", IGNORED_OTHER },
    { "Set-Cookie", IGNORED_OTHER },
    { "Vary", IGNORED_OTHER },
    {},
};

/* proxy_keepalive N|off */
static bool set_keepalive(struct conf_call *call, void *field)
{
    uint64_t *count = field;

    *count = 0;
    if (span_is(conf_word(call, 1), "off") || conf_read_number(conf_word(call, 1), 100000, count))
        return true;
    return conf_refuse(call, 1, "a number of connections or \"off\" was expected");
}

static bool set_proxy_size(struct conf_call *call, void *field)
{
    struct proxy_size *own = field;

    own->place = conf_place(call, 0);
    return conf_size.set(call, &own->bytes);
}

static void print_proxy_size(const void *field, struct buf *out)
{
    const struct proxy_size *own = field;

    conf_size.print(&own->bytes, out);
}

static bool set_connect(struct conf_call *call, void *field)
{
    struct proxy_connect_timeout *own = field;

    own->given = conf_place(call, 0).line > 0;
    return conf_time.set(call, &own->ms);
}

uint64_t proxy_connect_ms(const struct proxy_settings *own, bool forward)
{
    return forward && !own->connect_timeout.given ? FORWARD_CONNECT_MS : own->connect_timeout.ms;
}

static const struct conf_type connect_type = { .set = set_connect,
                                               .size = sizeof(struct proxy_connect_timeout) };
static const struct conf_name versions[] = { { "1.0", 0 }, { "1.1", 1 }, {} };

static const struct conf_type header_line = { .set = set_header,
                                              .size = sizeof(struct conf_list),
                                              .many = true,
                                              .hides = secret_is_field_value };
static const struct conf_type name_line = { .set = set_name,
                                            .size = sizeof(struct conf_list),
                                            .many = true };
static const struct conf_type keepalive_type = { .set = set_keepalive, .size = sizeof(uint64_t) };
static const struct conf_type size_type = { .set = set_proxy_size,
                                            .size = sizeof(struct proxy_size),
                                            .print = print_proxy_size };

#define FIELD(name) offsetof(struct proxy_settings, name)

static const struct directive directives[] = {
    { "proxy_pass", CTX_LOCATION | CTX_IF, 1, 1, &proxy_pass_type, FIELD(target), NULL, INTO_IF,
      "pass requests on to this upstream", 0, NULL },
    { "proxy_set_header", ANYWHERE, 2, 2, &header_line, FIELD(set_headers), NULL, WHOLE,
      "a header field of requests that are passed on", 0, NULL },
    { "proxy_hide_header", ANYWHERE, 1, 1, &name_line, FIELD(hide_headers), NULL, WHOLE,
      "a header field of answers that is not passed on", 0, NULL },
    { "proxy_pass_header", ANYWHERE, 1, 1, &name_line, FIELD(pass_headers), NULL, WHOLE,
      "one that is, though it is hidden by default", 0, NULL },
    { "proxy_redirect", SERVERS, 1, 2, &proxy_redirect_type, FIELD(redirects), "default", WHOLE,
      "what becomes of an upstream's Location and Refresh: FROM or ~RE, and TO", 0, NULL },
    { "proxy_connect_timeout", ANYWHERE, 1, 1, &connect_type, FIELD(connect_timeout), "60s", WHOLE,
      "for connecting to an upstream", 0, NULL },
    { "proxy_send_timeout", ANYWHERE, 1, 1, &conf_time, FIELD(send_timeout), "60s", WHOLE,
      "between two writes to an upstream", 0, NULL },
    { "proxy_read_timeout", ANYWHERE, 1, 1, &conf_time, FIELD(read_timeout), "60s", WHOLE,
      "for an upstream's head, and between two reads of its body", 0, NULL },
    { "proxy_buffer_size", ANYWHERE, 1, 1, &conf_size, FIELD(buffer_size), "4k", WHOLE,
      "largest head of an answer", 0, NULL },
    { "proxy_buffers", ANYWHERE, 2, 2, &conf_buffers, FIELD(buffers), "8 4k", WHOLE,
      "how much of an answer is read ahead of a slow client", 0, NULL },
    { "proxy_busy_buffers_size", ANYWHERE, 1, 1, &conf_size, FIELD(busy_buffers_size), NULL, WHOLE,
      "how much of it is handed to the client at once", 0, NULL },
    { "proxy_max_temp_file_size", ANYWHERE, 1, 1, &size_type, FIELD(spill.most), "1024m", WHOLE,
      "how much more of it, in a temporary file; then the upstream waits. 0: no file", 0, NULL },
    { "proxy_temp_file_write_size", ANYWHERE, 1, 1, &size_type, FIELD(spill.piece), NULL, WHOLE,
      "most that is written to it at once", 0, NULL },
    { "proxy_temp_path", ANYWHERE, 1, 4, &conf_temp_path, FIELD(spill.folder), "proxy_temp", WHOLE,
      "folder of answers that are too large for memory", 0, NULL },
    { "fastcgi_temp_path", ANYWHERE, 1, 4, &conf_nothing, 0, NULL, NONE,
      "no temporary files are made", 0, &conf_temp_path },
    { "uwsgi_temp_path", ANYWHERE, 1, 4, &conf_nothing, 0, NULL, NONE,
      "no temporary files are made", 0, &conf_temp_path },
    { "scgi_temp_path", ANYWHERE, 1, 4, &conf_nothing, 0, NULL, NONE, "no temporary files are made",
      0, &conf_temp_path },
    { "proxy_headers_hash_max_size", ANYWHERE, 1, 1, &conf_nothing, 0, NULL, NONE, "sizes itself",
      0, &conf_number },
    { "proxy_headers_hash_bucket_size", ANYWHERE, 1, 1, &conf_nothing, 0, NULL, NONE,
      "sizes itself", 0, &conf_number },
    { "proxy_buffering", ANYWHERE, 1, 1, &conf_flag, FIELD(switches.buffering), "on", WHOLE,
      "read answers ahead of a slow client", 0, NULL },
    { "proxy_request_buffering", ANYWHERE, 1, 1, &conf_flag, FIELD(switches.request_buffering),
      "on", WHOLE, "read a request's body whole before it is passed on", 0, NULL },
    { "proxy_ignore_client_abort", ANYWHERE, 1, 1, &conf_flag, FIELD(aborts.ignore_client_abort),
      "off", WHOLE, "go on with an upstream when the client has gone", 0, NULL },
    { "proxy_http_version", ANYWHERE, 1, 1, &conf_choice, FIELD(http_version), "1.1", WHOLE,
      "spoken with upstreams", 0, versions },
    { "proxy_next_upstream", SERVERS, 1, ANY_ARGS, &conf_choices, FIELD(next_upstream),
      "error timeout", WHOLE, "when the next upstream is asked", 0, next_names },
    { "proxy_next_upstream_tries", SERVERS, 1, 1, &conf_number, FIELD(next_upstream_tries), "0",
      WHOLE, "most upstreams that are asked; 0: all", 0, NULL },
    { "proxy_next_upstream_timeout", SERVERS, 1, 1, &conf_time, FIELD(next_upstream_timeout), "0",
      WHOLE, "no further one is asked after it; 0: no limit", 0, NULL },
    { "proxy_intercept_errors", SERVERS, 1, 1, &conf_flag, FIELD(answers.intercept), "off", WHOLE,
      "error_page holds for answers of upstreams, too", 0, NULL },
    { "proxy_ignore_headers", SERVERS, 1, ANY_ARGS, &conf_choices, FIELD(ignore_headers), NULL,
      WHOLE, "fields of answers that are not obeyed", 0, ignored_names },
    { "proxy_keepalive", SERVERS, 1, 1, &keepalive_type, FIELD(keepalive), "16", WHOLE,
      "idle connections kept for an address that stands in proxy_pass itself", 0, NULL },
    {},
};

/* --- after all is read ---------------------------------------------------------------------- */

static uint64_t largest_buffer(const struct proxy_settings *own)
{
    return own->buffer_size > own->buffers.size ? own->buffer_size : own->buffers.size;
}

/* NGINX's relations: while the busy ones are on their way to the client, one more can be filled.
 * Checked for blocks that only inherit, too: each directive may come from another one. */
static bool check_buffers(struct conf *conf, const struct conf_block *block,
                          const struct proxy_settings *own)
{
    uint64_t largest = largest_buffer(own);
    uint64_t busy = own->busy_buffers_size ? own->busy_buffers_size : 2 * largest;

    if (own->buffers.count < 2)
        return conf_complain(conf, block->place, "there must be at least 2 \"proxy_buffers\"");
    if (busy < largest)
        return conf_complain(conf, block->place,
                             "\"proxy_busy_buffers_size\" must be equal to or greater than the "
                             "maximum of the value of \"proxy_buffer_size\" and one of the "
                             "\"proxy_buffers\"");
    if (busy > (own->buffers.count - 1) * own->buffers.size)
        return conf_complain(conf, block->place,
                             "\"proxy_busy_buffers_size\" must be less than the size of all "
                             "\"proxy_buffers\" minus one buffer");
    return true;
}

/* NGINX's rule: a buffer goes to the file whole. */
static bool holds_a_buffer(struct conf *conf, const struct proxy_settings *own,
                           const struct proxy_size *size, const char *name, const char *or_else)
{
    bool unset = size->place.line == 0, off = size->bytes == 0 && or_else[0] != '\0';

    return unset || off || size->bytes >= largest_buffer(own) ||
           conf_complain(conf, size->place,
                         "\"%s\" must be %sequal to or greater than the maximum of the value of "
                         "\"proxy_buffer_size\" and one of the \"proxy_buffers\"",
                         name, or_else);
}

static bool check_spill(struct conf *conf, const struct proxy_settings *own)
{
    const struct proxy_spill *spill = &own->spill;

    return holds_a_buffer(conf, own, &spill->most, "proxy_max_temp_file_size",
                          "equal to zero to disable temporary files usage or must be ") &&
           holds_a_buffer(conf, own, &spill->piece, "proxy_temp_file_write_size", "");
}

/* A folder is made where answers can come to lie in it. */
static void add_folder(struct generation *g, const struct proxy_settings *own)
{
    if (own->switches.buffering && own->spill.most.bytes > 0)
        generation_list_add(g, &g->folders, &own->spill.folder, sizeof(own->spill.folder));
}

static void add_folders_of_forward_blocks(struct generation *g)
{
    struct conf_block **blocks = g->servers.items;

    for (uint32_t i = 0; i < g->servers.len; i++)
        if (blocks[i]->context == CTX_FORWARD)
            add_folder(g, settings_in(blocks[i], module_index(g, &proxy_module)));
}

static bool check(struct conf *conf, struct conf_block *block, void *settings)
{
    struct proxy_settings *own = settings;
    struct generation *g = conf_user_of(conf);

    conf_warn_of_replaced(conf, block, "proxy_set_header");
    if (!check_buffers(conf, block, own))
        return false;
    if (conf_is_good(conf) && !check_spill(conf, own)) /* said once, not in each inner block */
        return false;
    if (block->parent == NULL)
        add_folders_of_forward_blocks(g);
    while (block->parent != NULL)
        block = block->parent;
    g->top = block;
    if (!proxy_pass_is_set(&own->target))
        return true;
    add_folder(g, own);
    proxy_pass_settle(g, own);
    return proxy_redirect_check(conf, own);
}

void proxy_forward_key(const struct conf_block *block, struct buf *out)
{
    buf_addf(out, "f %u:%u ", block->place.file, block->place.line);
    buf_add(out, block->label);
}

/* Of connections whose address no configuration names. */
static const struct pool_limits direct = { DIRECT_IDLE, PROXY_REQUESTS, PROXY_AGE_MS,
                                           PROXY_IDLE_MS };

/* Each forward block has a pool of its own (DESIGN 7.9). */
static void for_forward_blocks(struct worker *w, struct generation *g, bool start)
{
    struct conf_block **blocks = g->servers.items;

    for (uint32_t i = 0; i < g->servers.len; i++) {
        struct buf key;

        if (blocks[i]->context != CTX_FORWARD)
            continue;
        buf_init(&key, 1024, NULL);
        proxy_forward_key(blocks[i], &key);
        if (start)
            pool_get(w, buf_view(&key), &direct);
        else
            pool_unuse(pool_find(w, buf_view(&key)));
        buf_done(&key);
    }
}

static void start(struct worker *w, struct generation *g, void *settings)
{
    (void)settings;
    for_forward_blocks(w, g, true);
    pool_get(w, proxy_pass_pool, &direct);
}

static void stop(struct worker *w, struct generation *g, void *settings)
{
    (void)settings;
    for_forward_blocks(w, g, false);
    pool_unuse(pool_find(w, proxy_pass_pool));
}

static enum verdict pass_on(struct exchange *x, const void *settings)
{
    const struct proxy_settings *own = settings;

    if (x->goal != NULL && x->request.method_id != METHOD_CONNECT)
        return origin_begin(x, own, NULL);
    if (!proxy_pass_is_set(&own->target))
        return NEXT;
    const struct proxy_target *target = proxy_pass_target(x, own);
    if (target == NULL)
        return exchange_refuse(x, 500, NULL);
    if (target->upstream->named)
        decided(x, DECIDED_UPSTREAM, NEXT, target->place,
                arena_cstr(&x->arena, target->upstream->name));
    return origin_begin(x, own, target);
}

static const struct hook hooks[] = {
    { .phase = PHASE_CONTENT, .run = pass_on },
    { .phase = PHASE_RESPONSE, .run = accel_on_response },
    {},
};

/* --- variables ------------------------------------------------------------------------------ */

/* NULL: none. */
static const struct proxy_target *target_of(const struct exchange *x)
{
    const struct proxy_settings *own =
        settings_in(x->block, module_index(x->generation, &proxy_module));

    return own->target.varies ? proxy_pass_target_of(x) : &own->target;
}

static bool get_proxy_host(struct exchange *x, struct span arg, struct span *ret)
{
    const struct proxy_target *t = target_of(x);

    (void)arg;
    if (t == NULL || t->host.at == NULL)
        return false;
    *ret = t->host;
    return true;
}

static bool get_proxy_port(struct exchange *x, struct span arg, struct span *ret)
{
    const struct proxy_target *t = target_of(x);

    (void)arg;
    if (t == NULL || t->host.at == NULL)
        return false;
    size_t colon = t->written.len;
    while (colon > 0 && t->written.at[colon - 1] != ':' && t->written.at[colon - 1] != ']')
        colon--;
    *ret =
        colon > 0 && t->written.at[colon - 1] == ':' ? span_from(t->written, colon) : span_of("80");
    return true;
}

/* All X-Forwarded-For fields, and the client's address behind them. */
static bool get_forwarded_for(struct exchange *x, struct span arg, struct span *ret)
{
    const struct fields *f = &x->request.fields;
    struct buf text = { .max = 64 * 1024 };

    (void)arg;
    for (unsigned i = 0; i < f->count; i++)
        if (f->at[i].id == FIELD_X_FORWARDED_FOR) {
            buf_add(&text, f->at[i].value);
            buf_adds(&text, ", ");
        }
    address_print_ip(&x->client_address, &text);
    *ret = arena_copy(&x->arena, buf_view(&text));
    buf_done(&text);
    return true;
}

static const struct variable variables[] = {
    { "proxy_host", NO_FAMILY, get_proxy_host,
      "host and port of proxy_pass, without the default port" },
    { "proxy_port", NO_FAMILY, get_proxy_port, "port of proxy_pass" },
    { "proxy_add_x_forwarded_for", NO_FAMILY, get_forwarded_for,
      "X-Forwarded-For with the client's address added" },
    {},
};

const struct module proxy_module = {
    .name = "proxy",
    .directives = directives,
    .variables = variables,
    .hooks = hooks,
    .filter = &buffering_filter,
    .settings_size = sizeof(struct proxy_settings),
    .check = check,
    .start = start,
    .stop = stop,
};

/* The variables of attempts belong to whoever asks upstreams. */
const struct module attempts_module = { .name = "attempts", .variables = attempt_variables };
