#ifndef EXCHANGE_CORE_H
#define EXCHANGE_CORE_H

#include "base/span.h"
#include "conf/settings.h"

/* Settings that several rooms ask for; x->core is always that of the block in force. The module
 * `core` stands first in run/modules.h: its settings have index 0. */
struct core_settings {
    uint64_t client_header_timeout; /* ms, all times */
    uint64_t client_body_timeout;
    uint64_t send_timeout;
    uint64_t keepalive_timeout;
    uint64_t keepalive_header; /* seconds in `Keep-Alive: timeout=`; 0: none */
    uint64_t keepalive_requests;
    uint64_t keepalive_time;
    struct core_body_limit {
        uint64_t bytes; /* 0: no limit */
        bool given;     /* else it holds for the reverse face only: forward-semantics 2.4 */
    } client_max_body_size;
    uint64_t client_body_buffer_size;
    uint64_t client_header_buffer_size;
    struct conf_buffers large_client_header_buffers;
    uint64_t max_headers;
    struct placed_path client_body_temp_path;
    unsigned server_tokens; /* 0 off, 1 on, 2 build */
    struct core_names {     /* of header fields */
        bool ignore_invalid, underscores;
    } names;
    struct core_redirects { /* absolute_redirect, port_in_redirect */
        bool absolute, port;
    } redirects;
    struct core_tcp {
        bool nodelay, sendfile;
    } tcp;
    bool merge_slashes;
    bool server_name_in_redirect;
    uint64_t lingering_time, lingering_timeout;
    struct span default_type;
    const struct types_table *types;
};

extern const struct module core_module;

/* The media type by extension; default_type if none. */
struct span core_type_of(const struct core_settings *c, struct span path);

/* The largest body of a request; 0: no limit. */
static inline uint64_t core_body_limit(const struct core_settings *c, bool forward)
{
    return forward && !c->client_max_body_size.given ? 0 : c->client_max_body_size.bytes;
}

static inline const struct core_settings *core_of(const struct conf_block *b)
{
    return b->settings[0];
}

#endif
