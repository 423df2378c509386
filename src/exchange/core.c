/* The settings that several rooms ask for: timeouts, limits of a request, media types, how we call
 * ourselves. No hook: whoever uses a setting reads it from x->core. */
#include "exchange/core.h"

#include "base/arena.h"
#include "base/link.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/types.h"
#include "exchange/declared.h"
#include "exchange/generation.h"
#include "exchange/module.h"
#include "exchange/request_variables.h"
#include "exchange/types.h"

enum {
    ANYWHERE = CTX_HTTP | CTX_SERVER | CTX_LOCATION | CTX_FORWARD,
    LISTENING = CTX_HTTP | CTX_SERVER | CTX_FORWARD
};

#define FIELD(name) offsetof(struct core_settings, name)

static const struct conf_name tokens[] = { { "off", 0 }, { "on", 1 }, { "build", 2 }, {} };
static const struct conf_range header_count = { 1, 10000 };

/* keepalive_timeout TIME [HEADER_TIME] */
static bool set_keepalive(struct conf_call *call, void *field)
{
    struct core_settings *own = CONTAINER(field, struct core_settings, keepalive_timeout);
    uint64_t header = 0;

    if (!conf_read_time(conf_word(call, 1), &own->keepalive_timeout))
        return conf_refuse(call, 1, "invalid value \"%s\"",
                           arena_cstr(conf_arena(call), conf_word(call, 1)));
    if (conf_count(call) > 2 && !conf_read_time(conf_word(call, 2), &header))
        return conf_refuse(call, 2, "invalid value \"%s\"",
                           arena_cstr(conf_arena(call), conf_word(call, 2)));
    own->keepalive_header = header / 1000;
    return true;
}

/* Two neighbours in the settings, set and inherited together. */
static const struct conf_type keepalive_pair = { .set = set_keepalive,
                                                 .size = 2 * sizeof(uint64_t) };
_Static_assert(offsetof(struct core_settings, keepalive_header) ==
                   offsetof(struct core_settings, keepalive_timeout) + sizeof(uint64_t),
               "inherited as one");

static bool set_body_limit(struct conf_call *call, void *field)
{
    struct core_body_limit *limit = field;

    limit->given = conf_place(call, 0).line > 0;
    return conf_offset.set(call, &limit->bytes);
}

static const struct conf_type body_limit = { .set = set_body_limit,
                                             .size = sizeof(struct core_body_limit) };

static bool open_http(struct conf_call *call, void *field)
{
    (void)call, (void)field; /* what stands inside has set itself */
    return true;
}

static const struct conf_type http_block = { .set = open_http };

static const struct directive directives[] = {
    { "http", CTX_MAIN, 0, 0, &http_block, 0, NULL, NONE, "settings of all servers", CTX_HTTP,
      NULL },
    { "client_header_timeout", LISTENING, 1, 1, &conf_time, FIELD(client_header_timeout), "60s",
      WHOLE, "for the whole head of a request", 0, NULL },
    { "client_body_timeout", ANYWHERE, 1, 1, &conf_time, FIELD(client_body_timeout), "60s", WHOLE,
      "between two reads of a request's body", 0, NULL },
    { "send_timeout", ANYWHERE, 1, 1, &conf_time, FIELD(send_timeout), "60s", WHOLE,
      "between two writes to the client", 0, NULL },
    { "keepalive_timeout", ANYWHERE, 1, 2, &keepalive_pair, FIELD(keepalive_timeout), "75s", WHOLE,
      "how long an idle client connection is kept; second value: told to the client", 0, NULL },
    { "keepalive_requests", ANYWHERE, 1, 1, &conf_number, FIELD(keepalive_requests), "1000", WHOLE,
      "requests on one client connection; 0: one", 0, NULL },
    { "keepalive_time", ANYWHERE, 1, 1, &conf_time, FIELD(keepalive_time), "1h", WHOLE,
      "age after which a client connection is not kept", 0, NULL },
    { "client_max_body_size", ANYWHERE, 1, 1, &body_limit, FIELD(client_max_body_size), "1m", WHOLE,
      "largest request body; 0: no limit", 0, NULL },
    { "client_body_buffer_size", ANYWHERE, 1, 1, &conf_size, FIELD(client_body_buffer_size), "16k",
      WHOLE, "request body in memory; the rest goes to a file", 0, NULL },
    { "client_header_buffer_size", LISTENING, 1, 1, &conf_size, FIELD(client_header_buffer_size),
      "1k", WHOLE, "longest request line or header line, if it is more than a large buffer", 0,
      NULL },
    { "large_client_header_buffers", LISTENING, 2, 2, &conf_buffers,
      FIELD(large_client_header_buffers), "4 8k", WHOLE,
      "number and size: a line must fit in one, a head in all", 0, NULL },
    { "max_headers", LISTENING, 1, 1, &conf_number, FIELD(max_headers), "1000", WHOLE,
      "most header lines of a request", 0, &header_count },
    { "client_body_temp_path", ANYWHERE, 1, 4, &conf_temp_path, FIELD(client_body_temp_path),
      "client_body_temp", WHOLE, "folder of request bodies that are too large for memory", 0,
      NULL },
    { "server_tokens", ANYWHERE, 1, 1, &conf_choice, FIELD(server_tokens), "on", WHOLE,
      "say our version in Server and on pages", 0, tokens },
    { "ignore_invalid_headers", LISTENING, 1, 1, &conf_flag, FIELD(names.ignore_invalid), "on",
      WHOLE, "drop header fields with odd names", 0, NULL },
    { "underscores_in_headers", LISTENING, 1, 1, &conf_flag, FIELD(names.underscores), "off", WHOLE,
      "names of header fields may hold underscores", 0, NULL },
    { "merge_slashes", CTX_HTTP | CTX_SERVER, 1, 1, &conf_flag, FIELD(merge_slashes), "on", WHOLE,
      "several slashes in a path count as one", 0, NULL },
    { "absolute_redirect", ANYWHERE, 1, 1, &conf_flag, FIELD(redirects.absolute), "on", WHOLE,
      "redirects of ours carry scheme and host", 0, NULL },
    { "port_in_redirect", ANYWHERE, 1, 1, &conf_flag, FIELD(redirects.port), "on", WHOLE,
      "and the port", 0, NULL },
    { "server_name_in_redirect", ANYWHERE, 1, 1, &conf_flag, FIELD(server_name_in_redirect), "off",
      WHOLE, "redirects of ours name the server as configured", 0, NULL },
    { "tcp_nodelay", ANYWHERE, 1, 1, &conf_flag, FIELD(tcp.nodelay), "on", WHOLE,
      "send small pieces at once; that of a listener's default server counts", 0, NULL },
    { "tcp_nopush", ANYWHERE, 1, 1, &conf_nothing, 0, NULL, NONE,
      "a head always leaves together with what follows", 0, &conf_flag },
    { "sendfile", ANYWHERE | CTX_IF, 1, 1, &conf_flag, FIELD(tcp.sendfile), "off", WHOLE,
      "let the kernel send files", 0, NULL },
    { "lingering_time", ANYWHERE, 1, 1, &conf_time, FIELD(lingering_time), "30s", WHOLE,
      "how long the rest of a refused request is read at most", 0, NULL },
    { "lingering_timeout", ANYWHERE, 1, 1, &conf_time, FIELD(lingering_timeout), "5s", WHOLE,
      "how long to wait for more of it", 0, NULL },
    { "default_type", ANYWHERE, 1, 1, &conf_text, FIELD(default_type), "text/plain", WHOLE,
      "media type of files with an unknown extension", 0, NULL },
    { "types", CTX_HTTP | CTX_SERVER | CTX_LOCATION, 0, 0, &types_block, FIELD(types), NULL, WHOLE,
      "media types by extension", CTX_RAW, NULL },
    { "types_hash_max_size", ANYWHERE, 1, 1, &conf_nothing, 0, NULL, NONE, "sizes itself", 0,
      &conf_number },
    { "types_hash_bucket_size", ANYWHERE, 1, 1, &conf_nothing, 0, NULL, NONE, "sizes itself", 0,
      &conf_number },
    { "server_names_hash_max_size", CTX_HTTP, 1, 1, &conf_nothing, 0, NULL, NONE, "sizes itself", 0,
      &conf_number },
    { "server_names_hash_bucket_size", CTX_HTTP, 1, 1, &conf_nothing, 0, NULL, NONE, "sizes itself",
      0, &conf_number },
    { "variables_hash_max_size", CTX_HTTP, 1, 1, &conf_nothing, 0, NULL, NONE, "sizes itself", 0,
      &conf_number },
    { "variables_hash_bucket_size", CTX_HTTP, 1, 1, &conf_nothing, 0, NULL, NONE, "sizes itself", 0,
      &conf_number },
    { "connection_pool_size", CTX_HTTP | CTX_SERVER, 1, 1, &conf_nothing, 0, NULL, NONE,
      "sizes itself", 0, &conf_size },
    { "request_pool_size", CTX_HTTP | CTX_SERVER, 1, 1, &conf_nothing, 0, NULL, NONE,
      "sizes itself", 0, &conf_size },
    { "sendfile_max_chunk", ANYWHERE, 1, 1, &conf_nothing, 0, NULL, NONE,
      "a turn is always bounded", 0, &conf_size },
    { "postpone_output", ANYWHERE, 1, 1, &conf_nothing, 0, NULL, NONE,
      "output leaves when nothing more is at hand", 0, &conf_size },
    { "send_lowat", ANYWHERE, 1, 1, &conf_nothing, 0, NULL, NONE, "not needed", 0, &conf_size },
    { "msie_padding", ANYWHERE, 1, 1, &conf_nothing, 0, NULL, NONE, "no such client is left", 0,
      &conf_flag },
    { "msie_refresh", ANYWHERE, 1, 1, &conf_nothing, 0, NULL, NONE, "no such client is left", 0,
      &conf_flag },
    { "subrequest_output_buffer_size", ANYWHERE, 1, 1, &conf_nothing, 0, NULL, NONE, "sizes itself",
      0, &conf_size },
    { "read_ahead", ANYWHERE, 1, 1, &conf_nothing, 0, NULL, NONE, "left to the kernel", 0,
      &conf_size },
    { "directio_alignment", ANYWHERE, 1, 1, &conf_nothing, 0, NULL, NONE,
      "files are read through the page cache", 0, &conf_offset },
    { "aio_write", ANYWHERE, 1, 1, &conf_nothing, 0, NULL, NONE,
      "temporary files are written at once", 0, &conf_flag },
    { "http2_chunk_size", ANYWHERE, 1, 1, &conf_nothing, 0, NULL, NONE, "sizes itself", 0,
      &conf_size },
    { "http2_recv_buffer_size", CTX_HTTP, 1, 1, &conf_nothing, 0, NULL, NONE, "sizes itself", 0,
      &conf_size },
    { "http2_pool_size", CTX_HTTP | CTX_SERVER, 1, 1, &conf_nothing, 0, NULL, NONE, "sizes itself",
      0, &conf_size },
    { "quic_gso", CTX_HTTP | CTX_SERVER, 1, 1, &conf_nothing, 0, NULL, NONE, "left to the kernel",
      0, &conf_flag },
    { "map_hash_max_size", CTX_HTTP, 1, 1, &conf_nothing, 0, NULL, NONE, "sizes itself", 0,
      &conf_number },
    { "map_hash_bucket_size", CTX_HTTP, 1, 1, &conf_nothing, 0, NULL, NONE, "sizes itself", 0,
      &conf_number },
    { "referer_hash_max_size", CTX_SERVER | CTX_LOCATION, 1, 1, &conf_nothing, 0, NULL, NONE,
      "sizes itself", 0, &conf_number },
    { "referer_hash_bucket_size", CTX_SERVER | CTX_LOCATION, 1, 1, &conf_nothing, 0, NULL, NONE,
      "sizes itself", 0, &conf_number },
    {},
};

struct span core_type_of(const struct core_settings *c, struct span path)
{
    struct span type = types_find(c->types, path);

    return type.len > 0 ? type : c->default_type;
}

/* Folders of temporary files are made by whoever still has the rights. */
static bool check(struct conf *conf, struct conf_block *block, void *settings)
{
    const struct core_settings *own = settings;
    struct generation *g = conf_user_of(conf);

    generation_list_add(g, &g->folders, &own->client_body_temp_path,
                        sizeof(own->client_body_temp_path));
    return block->parent != NULL || declared_check(g, conf);
}

const struct module core_module = {
    .name = "core",
    .directives = directives,
    .variables = request_variables,
    .settings_size = sizeof(struct core_settings),
    .check = check,
};
