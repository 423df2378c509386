/* `listen`: which addresses a server or a forward block answers on. The lines of all blocks are
 * joined into one listener for each address (nginx-semantics 3.1).
 *
 *     server A: listen 80; listen 127.0.0.1:80         *:80          -> A, B    a socket
 *     server B: listen 80 default_server               127.0.0.1:80  -> A       shares that socket
 *
 * The row only reads lines; all is joined in init, when every block is known. The first block of an
 * address is its fallback, unless another says `default_server`. */
#include "serve/listen.h"

#include "base/address.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/span.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/settings.h"
#include "conf/types.h"
#include "exchange/generation.h"
#include "exchange/listener.h"
#include "exchange/module.h"
#include "proto/byte_class.h"
#include "proto/uri.h"

#include <unistd.h>

enum { DEFAULT_BACKLOG = 511 };

struct listen_line {
    struct address address;
    struct span text;
    struct place place;
    struct conf_block *block;
    int backlog, rcvbuf, sndbuf; /* 0: not given */
    struct listen_tcp tcp;
    uint8_t ipv6only; /* 0 not given, 1 on, 2 off */
    uint8_t bind;     /* a socket of its own was asked for */
    bool is_default, ssl;
};

struct listen_settings {
    struct conf_list lines; /* of struct listen_line: this block's */
};

struct line_setting {
    const char *name; /* ends with `=` if a value follows */
    bool (*set)(struct conf_call *call, unsigned word, struct span value, struct listen_line *line);
};

static bool set_default(struct conf_call *call, unsigned word, struct span value,
                        struct listen_line *line)
{
    (void)value;
    if (call->block->context == CTX_FORWARD)
        return conf_refuse(call, word, "a forward block has no default server");
    line->is_default = true;
    return true;
}

static bool set_ssl(struct conf_call *call, unsigned word, struct span value,
                    struct listen_line *line)
{
    (void)call, (void)word, (void)value;
    line->ssl = true;
    return true;
}

static bool set_http2(struct conf_call *call, unsigned word, struct span value,
                      struct listen_line *line)
{
    (void)value, (void)line;
    conf_warn(call, word, "\"http2\" is not supported yet: HTTP/1.1 is served");
    return true;
}

static bool set_bind(struct conf_call *call, unsigned word, struct span value,
                     struct listen_line *line)
{
    (void)call, (void)word, (void)value;
    line->bind = 1;
    return true;
}

static bool set_count(struct conf_call *call, unsigned word, struct span value, int *ret)
{
    uint64_t number;

    if (!conf_read_number(value, 1 << 30, &number) || number == 0)
        return conf_refuse(call, word, "invalid parameter \"%s\"",
                           arena_cstr(conf_arena(call), conf_word(call, word)));
    *ret = (int)number;
    return true;
}

static bool set_backlog(struct conf_call *call, unsigned word, struct span value,
                        struct listen_line *line)
{
    line->bind = 1;
    return set_count(call, word, value, &line->backlog);
}

static bool set_size(struct conf_call *call, unsigned word, struct span value, int *ret)
{
    uint64_t size;

    if (!conf_read_size(value, false, &size) || size == 0 || size > 1 << 30)
        return conf_refuse(call, word, "invalid parameter \"%s\"",
                           arena_cstr(conf_arena(call), conf_word(call, word)));
    *ret = (int)size;
    return true;
}

static bool set_rcvbuf(struct conf_call *call, unsigned word, struct span value,
                       struct listen_line *line)
{
    line->bind = 1;
    return set_size(call, word, value, &line->rcvbuf);
}

static bool set_sndbuf(struct conf_call *call, unsigned word, struct span value,
                       struct listen_line *line)
{
    line->bind = 1;
    return set_size(call, word, value, &line->sndbuf);
}

static bool set_ipv6only(struct conf_call *call, unsigned word, struct span value,
                         struct listen_line *line)
{
    line->bind = 1;
    if (!span_is(value, "on") && !span_is(value, "off"))
        return conf_refuse(call, word, "invalid ipv6only flags \"%s\"",
                           arena_cstr(conf_arena(call), value));
    line->ipv6only = span_is(value, "on") ? 1 : 2;
    return true;
}

static bool set_fastopen(struct conf_call *call, unsigned word, struct span value,
                         struct listen_line *line)
{
    line->bind = 1;
    return set_count(call, word, value, &line->tcp.fastopen);
}

static bool set_deferred(struct conf_call *call, unsigned word, struct span value,
                         struct listen_line *line)
{
    (void)call, (void)word, (void)value;
    line->bind = line->tcp.deferred = 1;
    return true;
}

/* A part of `IDLE:INTERVAL:COUNT`; an empty one is the kernel's. */
static bool read_seconds(struct span text, int32_t *ret)
{
    uint64_t ms;

    if (text.len == 0)
        return true;
    if (!conf_read_time(text, &ms) || ms < 1000 || ms / 1000 > INT16_MAX)
        return false; /* the kernel's maximum */
    *ret = (int32_t)(ms / 1000);
    return true;
}

static bool read_probes(struct span text, int32_t *ret)
{
    uint64_t number;

    if (text.len == 0)
        return true;
    if (!conf_read_number(text, INT8_MAX, &number) || number == 0)
        return false;
    *ret = (int32_t)number;
    return true;
}

/* `on`, `off`, `IDLE:INTERVAL:COUNT` */
static bool set_keepalive(struct conf_call *call, unsigned word, struct span value,
                          struct listen_line *line)
{
    struct listen_tcp *t = &line->tcp;
    size_t first = span_find(value, ':');
    struct span rest = span_from(value, first < value.len ? first + 1 : first);
    size_t second = span_find(rest, ':');
    struct span last = span_from(rest, second < rest.len ? second + 1 : second);

    line->bind = 1;
    t->keepalive = !span_is(value, "off");
    if (span_is(value, "on") || span_is(value, "off"))
        return true;
    return (first < value.len && value.len > 2 &&
            read_seconds(span_first(value, first), &t->idle) &&
            read_seconds(span_first(rest, second), &t->interval) && read_probes(last, &t->probes) &&
            t->idle + t->interval + t->probes > 0) ||
           conf_refuse(call, word, "invalid so_keepalive value: \"%s\"",
                       arena_cstr(conf_arena(call), value));
}

static bool set_http(struct conf_call *call, unsigned word, struct span value,
                     struct listen_line *line)
{
    (void)value, (void)line;
    return call->block->context == CTX_FORWARD ||
           conf_refuse(call, word, "invalid parameter \"http\": it belongs to a forward block");
}

static const struct line_setting settings_of_a_line[] = {
    { "default_server", set_default },
    { "default", set_default },
    { "ssl", set_ssl },
    { "http2", set_http2 },
    { "bind", set_bind },
    { "reuseport", set_bind },
    { "backlog=", set_backlog },
    { "rcvbuf=", set_rcvbuf },
    { "sndbuf=", set_sndbuf },
    { "ipv6only=", set_ipv6only },
    { "fastopen=", set_fastopen },
    { "deferred", set_deferred },
    { "so_keepalive=", set_keepalive },
    { "http", set_http },
};

static const char *const later[] = { "proxy_protocol", "quic",      "socks",    "socks4", "socks5",
                                     "mixed",          "redirect",  "tproxy",   "name=",  "setfib=",
                                     "accept_filter=", "multipath", "protocol=" };

static bool read_setting(struct conf_call *call, unsigned word, struct listen_line *line)
{
    struct span text = conf_word(call, word);

    for (size_t i = 0; i < COUNT(settings_of_a_line); i++) {
        const struct line_setting *s = &settings_of_a_line[i];
        bool valued = span_ends(span_of(s->name), "=");

        if (valued ? span_starts(text, s->name) : span_is(text, s->name))
            return s->set(call, word, span_from(text, strlen(s->name)), line);
    }
    for (size_t i = 0; i < COUNT(later); i++)
        if (span_is(text, later[i]) ||
            (span_ends(span_of(later[i]), "=") && span_starts(text, later[i])))
            return conf_refuse(call, word, "\"%s\" is known, not supported yet",
                               arena_cstr(conf_arena(call), text));
    const char *names[COUNT(settings_of_a_line) + 1] = { NULL };
    for (size_t i = 0; i < COUNT(settings_of_a_line); i++)
        names[i] = settings_of_a_line[i].name;
    conf_refuse(call, word, "invalid parameter \"%s\"", arena_cstr(conf_arena(call), text));
    return conf_suggest_one_of(call, word, names);
}

/* `port`, `address`, `address:port`, `*:port`, `localhost:port`, `[v6]:port`; port 0: the kernel's
 * choice. */
static bool read_address(struct span text, uint16_t default_port, struct address *ret)
{
    struct span host = text, port = { NULL, 0 };
    uint64_t number = default_port;
    struct address any = { .family = AF_INET };

    if (conf_read_number(text, 65535, &number)) {
        any.port = (uint16_t)number;
        *ret = any;
        return true;
    }
    size_t colon = text.len;
    while (colon > 0 && text.at[colon - 1] != ':' && text.at[colon - 1] != ']')
        colon--;
    if (colon > 0 && text.at[colon - 1] == ':') {
        host = span_first(text, colon - 1);
        port = span_from(text, colon);
        if (!conf_read_number(port, 65535, &number))
            return false;
    }
    if (span_is(host, "*"))
        *ret = any;
    else if (span_is(host, "localhost"))
        *ret = (struct address){ .family = AF_INET, .ip = { 127, 0, 0, 1 } };
    else if (!address_parse_ip(host, ret))
        return false;
    ret->port = (uint16_t)number;
    return true;
}

/* What read_address does not take, in words: NGINX's, where it takes it neither. */
static bool refuse_address(struct conf_call *call)
{
    struct span text = conf_word(call, 1);
    const char *shown = arena_cstr(conf_arena(call), text);
    struct host host;
    size_t dash = span_find(text, '-');
    uint64_t port;

    if (conf_read_number(span_first(text, dash), 65535, &port) && dash < text.len &&
        conf_read_number(span_from(text, dash + 1), 65535, &port))
        return conf_refuse(call, 1, "a range of ports (\"%s\") is known, not supported yet", shown);
    if (host_parse(text, &host) && !host.literal && host.port_text.len > 0 &&
        byte_run(host.name, BYTE_DIGIT) < host.name.len)
        return conf_refuse(call, 1,
                           "a name in \"listen\" (\"%s\") is known, not supported yet: write its "
                           "address",
                           shown);
    return conf_refuse(call, 1, "invalid host or port in \"%s\" of the \"listen\" directive",
                       shown);
}

static bool set_listen(struct conf_call *call, void *field)
{
    struct listen_line line = { .text = conf_word(call, 1),
                                .place = conf_place(call, 1),
                                .block = call->block };

    if (span_starts(line.text, "unix:"))
        return conf_refuse(call, 1, "\"unix:\" is known, not supported yet");
    if (!read_address(line.text, 80, &line.address))
        return refuse_address(call);
    for (unsigned i = 2; i < conf_count(call); i++)
        if (!read_setting(call, i, &line))
            return false;
    return generation_serves(call, call->block) && conf_list_add(call, field, &line, sizeof(line));
}

static const struct conf_type listen_type = { .set = set_listen,
                                              .size = sizeof(struct conf_list),
                                              .many = true };

/* `http2 on`: as `listen ... http2` */
static bool set_http2_switch(struct conf_call *call, void *field)
{
    bool on;

    (void)field;
    if (!conf_flag.set(call, &on))
        return false;
    return !on || set_http2(call, 1, conf_word(call, 1), NULL);
}

static const struct conf_type http2_type = { .set = set_http2_switch };

static const struct directive directives[] = {
    { "http2", CTX_HTTP | CTX_SERVER | CTX_FORWARD, 1, 1, &http2_type, 0, NULL, NONE,
      "not there yet: HTTP/1.1 is served", 0, NULL },
    { "listen", CTX_SERVER | CTX_FORWARD, 1, ANY_ARGS, &listen_type,
      offsetof(struct listen_settings, lines), NULL, NONE, "address and port to answer on", 0,
      NULL },
    {},
};

/* --- joining -------------------------------------------------------------------------------- */

static struct listener *find_listener(struct generation *g, const struct listen_line *line)
{
    struct listener **all = g->listeners.items;

    bool forward = line->block->context == CTX_FORWARD;

    for (uint32_t i = 0; i < g->listeners.len; i++)
        if (address_same(&all[i]->address, &line->address) &&
            (line->address.port != 0 || (!forward && !all[i]->forward)))
            return all[i]; /* port 0 is one port for servers, and another for each forward block */
    return NULL;
}

static struct listener *new_listener(struct generation *g, const struct listen_line *line)
{
    struct listener *l = arena_zalloc(&g->arena, sizeof(*l));
    struct buf text;

    buf_init(&text, 128, NULL);
    address_print(&line->address, &text);
    l->address = line->address;
    l->text = (struct span){ arena_cstr(&g->arena, buf_view(&text)), buf_view(&text).len };
    buf_done(&text);
    l->place = line->place;
    l->backlog = DEFAULT_BACKLOG;
    l->ipv6only = 1;
    l->forward = line->block->context == CTX_FORWARD;
    generation_list_add(g, &g->listeners, &l, sizeof(l));
    return l;
}

/* All lines of a block are joined before those of the next. */
static bool has_block(const struct listener *l, const struct conf_block *block)
{
    struct conf_block *const *blocks = l->blocks.items;

    return l->blocks.len > 0 && blocks[l->blocks.len - 1] == block;
}

/* Options belong to the socket: they may be given in one line of all that share an address. */
static bool join_options(struct conf *conf, struct listener *l, const struct listen_line *line)
{
    bool given = line->bind || line->backlog || line->rcvbuf || line->sndbuf || line->ipv6only;

    if (given && l->options_given)
        return conf_complain(conf, line->place, "duplicate listen options for %s", l->text.at);
    if (!given)
        return true;
    l->options_given = 1;
    l->backlog = line->backlog ? line->backlog : l->backlog;
    l->rcvbuf = line->rcvbuf;
    l->sndbuf = line->sndbuf;
    l->tcp = line->tcp;
    l->ipv6only = line->ipv6only != 2;
    return true;
}

static bool join(struct generation *g, struct conf *conf, const struct listen_line *line)
{
    struct listener *l = find_listener(g, line);

    if (l == NULL)
        l = new_listener(g, line);
    if (has_block(l, line->block))
        return conf_complain(conf, line->place, "a duplicate listen %s", l->text.at);
    if (l->forward != (line->block->context == CTX_FORWARD) || (l->forward && l->blocks.len > 0))
        return conf_complain(conf, line->place, "%s belongs to another block already", l->text.at);
    if (line->is_default && l->names != NULL)
        return conf_complain(conf, line->place, "a duplicate default server for %s", l->text.at);
    if (line->is_default) {
        l->fallback = line->block;
        l->names = l; /* marks it, until the names are indexed */
    } else if (l->fallback == NULL) {
        l->fallback = line->block;
    }
    if (l->forward)
        g->forward_port = l->address.port;
    l->ssl = l->ssl || line->ssl;
    generation_list_add(g, &l->blocks, &line->block, sizeof(line->block));
    return join_options(conf, l, line);
}

/* A specific address without options shares the socket of `*:port` (nginx-semantics 3.1). */
static void share_sockets(struct generation *g)
{
    struct listener **all = g->listeners.items;
    uint32_t sockets = 0;
    static const uint8_t any[16];

    for (uint32_t i = 0; i < g->listeners.len; i++) {
        all[i]->names = NULL;
        for (uint32_t j = 0; j < g->listeners.len && !all[i]->options_given; j++)
            if (i != j && all[j]->address.port == all[i]->address.port &&
                all[i]->address.port != 0 && all[j]->address.family == all[i]->address.family &&
                memcmp(all[j]->address.ip, any, sizeof(any)) == 0)
                all[i]->wildcard = all[j];
        if (all[i]->wildcard == NULL)
            all[i]->socket = sockets++;
    }
    for (uint32_t i = 0; i < g->listeners.len; i++)
        if (all[i]->wildcard != NULL)
            all[i]->socket = all[i]->wildcard->socket;
}

static const struct listen_settings *own_lines(const struct generation *g,
                                               const struct conf_block *b);

/* A block without `listen` answers on port 80; on 8000 if we are not root, as NGINX does. */
static bool join_block(struct generation *g, struct conf *conf, struct conf_block *block)
{
    const struct listen_settings *own = own_lines(g, block);
    const struct listen_line *lines = own->lines.items;
    bool good = true;

    if (own->lines.len == 0) {
        struct listen_line plain = { .block = block, .place = block->place };

        plain.address = (struct address){ .family = AF_INET, .port = geteuid() == 0 ? 80 : 8000 };
        return join(g, conf, &plain);
    }
    for (uint32_t i = 0; i < own->lines.len; i++)
        good = join(g, conf, &lines[i]) && good;
    return good;
}

static bool init(struct generation *g, struct conf *conf, void *settings)
{
    struct conf_block **servers = g->servers.items;
    bool good = true;

    (void)settings;
    for (uint32_t i = 0; i < g->servers.len; i++)
        good = join_block(g, conf, servers[i]) && good;
    share_sockets(g);
    return good;
}

const struct module listen_module = {
    .name = "listen",
    .directives = directives,
    .settings_size = sizeof(struct listen_settings),
    .init = init,
};

static const struct listen_settings *own_lines(const struct generation *g,
                                               const struct conf_block *b)
{
    return settings_in(b, module_index(g, &listen_module));
}
