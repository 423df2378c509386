/* What the tests of the forward face share: a configuration of a few modules, and an exchange that
 * runs through their phases without a connection. */
#ifndef TESTS_UNIT_DECIDE_FORWARD_ROOM_H
#define TESTS_UNIT_DECIDE_FORWARD_ROOM_H

#include "base/arena.h"
#include "base/cursor.h"
#include "base/errlog.h"
#include "conf/build.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "decide/forward/forward.h"
#include "decide/forward/visit.h"
#include "exchange/core.h"
#include "exchange/exchange.h"
#include "exchange/generation.h"
#include "exchange/listener.h"
#include "exchange/module.h"
#include "exchange/phase.h"
#include "exchange/template.h"
#include "exchange/worker.h"
#include "proto/fields.h"
#include "proto/h1.h"
#include "serve/h1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

extern const struct module anonymity_module;

/* `listen ADDRESS:PORT` in place of serve's: listeners without sockets. */
struct room_listen {
    struct conf_list lines; /* of struct listener */
};

static bool room_set_listen(struct conf_call *call, void *field)
{
    struct listener l = { .text = conf_word(call, 1), .fallback = call->block, .forward = true };

    assert_true(address_parse(l.text, 0, &l.address));
    struct generation *g = conf_user(call);
    struct listener *kept = arena_alloc(conf_arena(call), sizeof(*kept));
    *kept = l;
    (void)field;
    return conf_list_add(call, &g->listeners, &kept, sizeof(kept));
}

static const struct conf_type room_listen_type = { .set = room_set_listen,
                                                   .size = sizeof(struct conf_list),
                                                   .many = true };
static const struct directive room_listen_rows[] = {
    { "listen", CTX_FORWARD, 1, 1, &room_listen_type, 0, NULL, NONE, "a listener", 0, NULL },
    {},
};
static const struct module room_listen_module = { .name = "listen",
                                                  .directives = room_listen_rows,
                                                  .settings_size = sizeof(struct room_listen) };

static const struct module *const room_modules[] = { &core_module, &room_listen_module,
                                                     &forward_module, &anonymity_module };
enum { ROOM_MODULES = COUNT(room_modules) };

static const char *const room_later[] = { "deny_page", "schedule", NULL };

struct room {
    struct generation g;
    struct worker worker;
    struct errlog log;
    struct address own[2];
    struct conf *conf;
    struct buf said;
    struct exchange x;
    struct client client;
};

static inline void room_end_exchange(struct room *r)
{
    if (r->x.worker == NULL)
        return;
    arena_done(&r->x.arena);
    r->x = (struct exchange){ 0 };
}

static inline void room_clear(struct room *r)
{
    room_end_exchange(r);
    conf_free(&r->conf);
    arena_done(&r->g.arena);
    r->g = (struct generation){ .modules = room_modules, .module_count = ROOM_MODULES };
    arena_init(&r->g.arena, 65536, NULL);
}

static inline int room_open(void **state)
{
    struct room *r = calloc(1, sizeof(*r));

    r->log = (struct errlog){ .file = NULL };
    r->worker = (struct worker){ .log = &r->log, .generation = &r->g, .shared.token = "0a1b2c3d" };
    r->worker.budget.max = 1 << 20;
    r->worker.own.at = r->own;
    r->worker.own.count = COUNT(r->own);
    address_parse_ip(span_of("10.1.0.5"), &r->own[0]);
    address_parse_ip(span_of("203.0.114.7"), &r->own[1]);
    buf_init(&r->said, 1 << 20, NULL);
    room_clear(r);
    *state = r;
    return 0;
}

static inline int room_close(void **state)
{
    struct room *r = *state;

    room_end_exchange(r);
    conf_free(&r->conf);
    arena_done(&r->g.arena);
    buf_done(&r->said);
    free(r);
    return 0;
}

/* All messages: `LINE:COLUMN TEXT [HINT]` and a line feed each; warnings begin with `warn `. */
static inline const char *room_said(struct room *r)
{
    buf_clear(&r->said);
    for (const struct conf_message *m = conf_messages(r->conf); m != NULL; m = m->next) {
        buf_adds(&r->said, m->severity == CONF_WARNING ? "warn " : "");
        buf_addf(&r->said, "%u:%u ", m->place.line, m->place.column);
        buf_add(&r->said, m->text);
        if (m->hint.len > 0) {
            buf_adds(&r->said, " [");
            buf_add(&r->said, m->hint);
            buf_adds(&r->said, "]");
        }
        buf_adds(&r->said, "\n");
    }
    buf_add(&r->said, (struct span){ "", 1 });
    assert_true(buf_ok(&r->said));
    return r->said.data;
}

/* Reads a configuration and checks it; returns what was said. */
static inline const char *room_read(struct room *r, const char *text)
{
    static struct conf_module modules[ROOM_MODULES];

    room_clear(r);
    for (unsigned i = 0; i < ROOM_MODULES; i++)
        modules[i] = (struct conf_module){
            .name = room_modules[i]->name,
            .directives = room_modules[i]->directives,
            .settings_size = room_modules[i]->settings_size,
            .merge = room_modules[i]->merge,
            .check = room_modules[i]->check,
        };
    struct conf_input input = { .file = SPAN("/etc/office.conf"),
                                .text = span_of(text),
                                .prefix = SPAN("/"),
                                .modules = modules,
                                .module_count = ROOM_MODULES,
                                .later = room_later,
                                .arena = &r->g.arena,
                                .user = &r->g };
    r->conf = conf_build(&input);
    r->g.top = conf_top(r->conf);
    if (conf_is_good(r->conf)) {
        forward_module.init(&r->g, r->conf,
                            settings_in(r->g.top, module_index(&r->g, &forward_module)));
        generation_index_modules(&r->g);
        for (unsigned i = 0; i < conf_file_count(r->conf); i++) {
            struct span *names = arena_alloc(&r->g.arena, sizeof(*names));

            *names = conf_file_name(r->conf, 0);
            r->g.file_names = (struct conf_list){ .items = names, .len = 1, .room = 1 };
        }
    }
    return room_said(r);
}

/* The lines stand in a forward block that loopback clients reach, without warnings: line 1 is
 * `lines`'. */
static inline const char *room_rules(struct room *r, const char *lines)
{
    char text[65536];

    snprintf(text, sizeof(text), "forward { listen 127.0.0.1:3128; tunnel_peek off;\n%s\n}\n",
             lines);
    return room_read(r, text);
}

static inline enum verdict room_phases(struct room *r)
{
    for (enum phase phase = PHASE_POST_READ; phase <= PHASE_PRECONTENT; phase++) {
        for (unsigned i = 0; i < r->g.index.hook_count[phase]; i++) {
            const struct hook_entry *e = &r->g.index.hooks[phase][i];
            enum verdict verdict = e->hook->run(&r->x, settings_in(r->x.block, e->module));

            if (verdict == ANSWER || verdict == REFUSE)
                return verdict;
        }
    }
    return NEXT;
}

/* A request of a client runs through the phases: its status, 0 if it would go on to be fetched. */
static inline unsigned room_ask_from(struct room *r, const char *client, const char *head)
{
    static const struct h1_limits limits = { 8192, 32768, 200 };
    struct listener *l = *(struct listener **)r->g.listeners.items;
    struct h1_request request;
    size_t taken;
    enum h1_fault fault;
    const char *why = NULL;

    room_end_exchange(r);
    r->x = (struct exchange){ .worker = &r->worker,
                              .generation = &r->g,
                              .client = &r->client,
                              .listener = l,
                              .server = l->fallback,
                              .keep_alive = true };
    arena_init(&r->x.arena, 4096, &r->worker.budget);
    exchange_enter(&r->x, l->fallback);
    r->x.local_address = l->address;
    assert_true(address_parse(span_of(client), 40000, &r->x.client_address));
    fields_init(&r->x.request.fields, &r->x.arena, NULL, 0);
    fields_init(&r->x.response.fields, &r->x.arena, NULL, 0);
    assert_int_equal(
        h1_request_parse(span_of(head), &limits, &r->x.request.fields, &request, &taken, &fault),
        PARSE_OK);
    if (!request_take(&r->x, &request, &why))
        return r->x.response.status;
    room_phases(r);
    return r->x.response.status;
}

static inline unsigned room_ask(struct room *r, const char *head)
{
    return room_ask_from(r, "127.0.0.1", head);
}

static inline unsigned room_get(struct room *r, const char *url)
{
    char head[8192];

    snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", url);
    return room_ask(r, head);
}

static inline unsigned room_connect(struct room *r, const char *authority)
{
    char head[8192];

    snprintf(head, sizeof(head), "CONNECT %s HTTP/1.1\r\nHost: h\r\n\r\n", authority);
    return room_ask(r, head);
}

/* May this address be dialled for the request asked last? */
static inline bool room_dial(struct room *r, const char *address)
{
    struct address candidate;

    if (address_parse_ip(span_of(address), &candidate))
        candidate.port = r->x.goal->port;
    else
        assert_true(address_parse(span_of(address), r->x.goal->port, &candidate));
    return exchange_may_dial(&r->x, &candidate);
}

/* A variable of the request asked last; "-": unset. */
static inline const char *room_variable(struct room *r, const char *name)
{
    struct span value;

    if (!variable_value(&r->x, span_of(name), &value))
        return "-";
    return arena_cstr(&r->x.arena, value);
}

/* The sentence that a page of ours would show. */
static inline const char *room_explanation(struct room *r)
{
    const struct span *text = exchange_note(&r->x, &exchange_explanation_key);

    return text != NULL ? arena_cstr(&r->x.arena, *text) : "-";
}

#endif
