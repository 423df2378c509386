/* Sockets and logs of a configuration.
 *
 *     manifest: listener 0, 1 ...  x  worker 0, 1 ...   ->  supply_socket (SO_REUSEPORT beside the
 *                                                            first one of its address)
 *
 * A worker that is no longer wanted leaves its sockets to the others: what waits in them would be
 * lost. A supply is made whole or not at all (but for a trial): logs, then zones, then sockets. The
 * one before it serves on until then. Owns everything it names; sockets are counted, since two
 * supplies may hold them. */
#include "run/supply.h"

#include "base/address.h"
#include "base/buf.h"
#include "base/errlog.h"
#include "base/link.h"
#include "base/log_file.h"
#include "base/random.h"
#include "base/span.h"
#include "base/zone.h"
#include "log/error_log.h"
#include "log/failure.h"
#include "net/listen.h"
#include "run/bundle.h"
#include "run/complaint.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TRIES = 5, BETWEEN_TRIES_MS = 500 };

/* --- sockets -------------------------------------------------------------------------------- */

static void add_socket(struct supply *s, struct supply_socket *socket)
{
    struct supply_sockets *all = &s->sockets;

    all->at = realloc(all->at, (all->count + 1) * sizeof(struct supply_socket *));
    if (all->at == NULL)
        abort();
    all->at[all->count++] = socket;
}

/* Buffers, backlog and such may differ: they can be changed on a socket that is bound. */
static bool asks_the_same(const struct manifest_listener *a, const struct manifest_listener *b)
{
    return address_same(&a->address, &b->address) && ((a->flags ^ b->flags) & LISTEN_IPV6ONLY) == 0;
}

/* `listen 0` may stand more than once, and means another port each time: they are told apart by
 * their order. */
static uint32_t count_before(const struct manifest *m, uint32_t listener)
{
    uint32_t same = 0;

    for (uint32_t i = 0; i < listener; i++)
        same += asks_the_same(&m->listeners[i], &m->listeners[listener]);
    return same;
}

static struct supply_socket *find_socket(const struct supply *s, const struct manifest_listener *l,
                                         uint32_t nth, unsigned slot)
{
    for (unsigned i = 0; s != NULL && i < s->sockets.count; i++) {
        struct supply_socket *have = s->sockets.at[i];

        if (have->slot == slot && have->nth == nth && asks_the_same(&have->asked, l))
            return have;
    }
    return NULL;
}

static struct listen_options options_of(const struct manifest_listener *l)
{
    return (struct listen_options){ .backlog = l->backlog,
                                    .rcvbuf = l->rcvbuf,
                                    .sndbuf = l->sndbuf,
                                    .flags = l->flags,
                                    .tcp = l->tcp };
}

static uint32_t next_id(void)
{
    static uint32_t last; /* of the process: no two sockets are ever taken for one */

    return ++last;
}

static struct supply_socket *socket_new(const struct manifest_listener *l, uint32_t nth,
                                        unsigned slot, int fd)
{
    struct supply_socket *new = calloc(1, sizeof(*new));

    if (new == NULL)
        abort();
    *new = (struct supply_socket){ .refs = 1,
                                   .fd = fd,
                                   .id = next_id(),
                                   .number = l->number,
                                   .slot = slot,
                                   .nth = nth,
                                   .asked = *l };
    return new;
}

void supply_add_socket(struct supply *s, const struct manifest_listener *asked, uint32_t nth,
                       unsigned slot, int fd)
{
    add_socket(s, socket_new(asked, nth, slot, fd));
}

/* One listener for one worker: passed on, or new. 0 or -errno. */
static int get_socket(struct supply *s, const struct supply *before, uint32_t listener,
                      unsigned slot)
{
    const struct manifest_listener *l = &s->manifest->listeners[listener];
    struct listen_options options = options_of(l);
    uint32_t nth = count_before(s->manifest, listener);
    struct supply_socket *have = find_socket(before, l, nth, slot);

    if (have != NULL) {
        have->refs++;
        add_socket(s, have);
        return 0;
    }
    const struct supply_socket *first = find_socket(s, l, nth, 0);
    int fd =
        first != NULL ? listen_beside(first->fd, &options) : listen_open(&l->address, &options);
    if (fd < 0)
        return fd;
    add_socket(s, socket_new(l, nth, slot, fd));
    return 0;
}

static bool complain_of_bind(const struct supply *s, const struct manifest_listener *l, int error,
                             struct buf *messages)
{
    struct buf text;

    buf_init(&text, 128, NULL);
    address_print(&l->address, &text);
    complain_in(s->manifest, l->place, messages, "bind() to %.*s failed (%d: %s)",
                (int)buf_view(&text).len, buf_view(&text).at, error, strerrordesc_np(error));
    buf_done(&text);
    return false;
}

/* The numbers of the errors that were met: those of addresses in use may pass by themselves. */
struct binding {
    unsigned in_use, others;
};

static struct binding bind_missing(struct supply *s, const struct supply *before, bool complain,
                                   struct buf *messages)
{
    struct binding met = { 0, 0 };

    for (uint32_t i = 0; i < s->manifest->head.listeners; i++) {
        const struct manifest_listener *l = &s->manifest->listeners[i];
        uint32_t nth = count_before(s->manifest, i);
        int failed = 0;

        for (unsigned slot = 0; failed == 0 && slot < s->manifest->head.workers; slot++)
            if (find_socket(s, l, nth, slot) == NULL)
                failed = get_socket(s, before, i, slot);
        met.in_use += failed == -EADDRINUSE;
        met.others += failed < 0 && failed != -EADDRINUSE;
        if (failed < 0 && (complain || failed != -EADDRINUSE))
            complain_of_bind(s, l, -failed, messages);
    }
    return met;
}

/* Sockets of workers that there are no more. */
static void adopt_spare(struct supply *s, const struct supply *before)
{
    for (uint32_t i = 0; i < s->manifest->head.listeners; i++) {
        const struct manifest_listener *l = &s->manifest->listeners[i];
        uint32_t nth = count_before(s->manifest, i);

        for (unsigned slot = s->manifest->head.workers; slot < MOST_WORKERS; slot++) {
            struct supply_socket *spare = find_socket(before, l, nth, slot);

            if (spare == NULL)
                break;
            spare->refs++;
            add_socket(s, spare);
        }
    }
}

static bool open_sockets(struct supply *s, const struct supply *before, enum supply_manner manner,
                         struct buf *messages)
{
    for (unsigned try = 1;; try++) {
        bool last = manner == SUPPLY_AT_ONCE || try == TRIES;
        struct binding met = bind_missing(s, before, last, messages);

        if (met.in_use + met.others == 0)
            break;
        if (met.others == 0 && manner == SUPPLY_TRIAL)
            return true;
        if (met.others == 0 && !last) {
            poll(NULL, 0, BETWEEN_TRIES_MS);
            continue;
        }
        if (try == TRIES)
            buf_adds(messages, "bifrons: [emerg] still could not bind()\n");
        return false;
    }
    if (before != NULL)
        adopt_spare(s, before);
    return true;
}

/* What passed on may be asked for with other options, and other numbers. */
static void renumber(struct supply *s)
{
    for (unsigned i = 0; i < s->sockets.count; i++) {
        struct supply_socket *socket = s->sockets.at[i];

        for (uint32_t j = 0; j < s->manifest->head.listeners; j++) {
            const struct manifest_listener *l = &s->manifest->listeners[j];
            struct listen_options options = options_of(l);

            if (!asks_the_same(&socket->asked, l) || count_before(s->manifest, j) != socket->nth)
                continue;
            if (socket->refs > 1)
                listen_change(socket->fd, &options);
            socket->asked = *l;
            socket->number = l->number;
        }
    }
}

static void socket_unref(struct supply_socket *socket)
{
    if (--socket->refs > 0)
        return;
    close(socket->fd);
    free(socket);
}

/* --- logs ----------------------------------------------------------------------------------- */

static bool open_logs(struct supply *s, struct buf *messages)
{
    const struct manifest *m = s->manifest;

    s->logs.at = calloc(m->head.logs + 1, sizeof(*s->logs.at));
    if (s->logs.at == NULL)
        abort();
    for (uint32_t i = 0; i < m->head.logs; i++)
        s->logs.at[i].fd = -1;
    for (uint32_t i = 0; i < m->head.logs; i++) {
        int failed = log_file_open(m->logs[i].path, &s->logs.at[i]);

        if (failed < 0)
            return complain_in(m, m->logs[i].place, messages, "open() \"%s\" failed (%d: %s)",
                               m->logs[i].path, -failed, strerrordesc_np(-failed));
    }
    return true;
}

void supply_reopen_logs(struct supply *s, const struct errlog *log)
{
    const struct manifest *m = s->manifest;

    for (uint32_t i = 0; i < m->head.logs; i++) {
        struct log_file anew;
        int failed = log_file_is_ours(m->logs[i].path) ? 1 : log_file_open(m->logs[i].path, &anew);

        if (failed < 0)
            errlog_write(log, LEVEL_EMERG, 0, -failed, "open() \"%s\" failed", m->logs[i].path);
        if (failed != 0)
            continue;
        log_file_close(&s->logs.at[i]);
        s->logs.at[i] = anew;
    }
}

/* --- zones ---------------------------------------------------------------------------------- */

/* A descriptor of the same memory, of the supply before; -1: there is none. */
static int passed_on(const struct supply *before, const struct manifest_zone *asked)
{
    for (uint32_t i = 0;
         before != NULL && before->zones != NULL && i < before->manifest->head.zones; i++) {
        const struct manifest_zone *z = &before->manifest->zones[i];

        if (strcmp(z->name, asked->name) == 0 && strcmp(z->use, asked->use) == 0 &&
            zone_same_shape(&z->shape, &asked->shape))
            return fcntl(before->zones[i], F_DUPFD_CLOEXEC, 3);
    }
    return -1;
}

static bool open_zones(struct supply *s, const struct supply *before, struct buf *messages)
{
    const struct manifest *m = s->manifest;

    s->zones = calloc(m->head.zones + 1, sizeof(*s->zones));
    if (s->zones == NULL)
        abort();
    for (uint32_t i = 0; i < m->head.zones; i++)
        s->zones[i] = -1;
    for (uint32_t i = 0; i < m->head.zones; i++) {
        int fd = passed_on(before, &m->zones[i]);

        if (fd < 0)
            fd = zone_make(&m->zones[i].shape, "bifrons-zone");
        if (fd < 0)
            return complain_in(m, m->zones[i].place, messages,
                               "no shared memory for zone \"%s\" (%d: %s)", m->zones[i].name, -fd,
                               strerrordesc_np(-fd));
        s->zones[i] = fd;
    }
    return true;
}

/* --- a supply ------------------------------------------------------------------------------- */

struct supply *supply_of_sockets(void)
{
    struct supply *s = calloc(1, sizeof(*s));

    if (s == NULL)
        abort();
    s->bundle = -1;
    random_bytes(&s->seed, sizeof(s->seed));
    return s;
}

struct supply *supply_new(int bundle, const struct supply *before, enum supply_manner manner,
                          struct buf *messages)
{
    struct supply *s = calloc(1, sizeof(*s));

    if (s == NULL)
        abort();
    s->serial = before != NULL ? before->serial + 1 : 1;
    if (before != NULL)
        s->seed = before->seed;
    else
        random_bytes(&s->seed, sizeof(s->seed));
    s->bundle = bundle;
    s->manifest = bundle_manifest(bundle);
    if (s->manifest == NULL)
        buf_adds(messages, "bifrons: [emerg] the bundle cannot be read\n");
    if (s->manifest == NULL || !open_logs(s, messages) || !open_zones(s, before, messages) ||
        !open_sockets(s, before, manner, messages)) {
        supply_free(&s);
        return NULL;
    }
    renumber(s);
    return s;
}

void supply_close_sockets(struct supply *s)
{
    for (unsigned i = 0; i < s->sockets.count; i++)
        socket_unref(s->sockets.at[i]);
    free(s->sockets.at);
    s->sockets = (struct supply_sockets){ .count = 0 };
}

void supply_free(struct supply **ref)
{
    struct supply *s = *ref;

    *ref = NULL;
    if (s == NULL)
        return;
    supply_close_sockets(s);
    for (uint32_t i = 0; s->logs.at != NULL && i < s->manifest->head.logs; i++)
        log_file_close(&s->logs.at[i]);
    free(s->logs.at);
    for (uint32_t i = 0; s->zones != NULL && i < s->manifest->head.zones; i++)
        if (s->zones[i] >= 0)
            close(s->zones[i]);
    free(s->zones);
    manifest_free(&s->manifest);
    if (s->bundle >= 0)
        close(s->bundle);
    explicit_bzero(&s->seed, sizeof(s->seed));
    free(s);
}

/* A copy for the worker; without one the order lacks it. */
static void add_own(struct order_list *l, struct order_item item, int fd)
{
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    if (own >= 0)
        order_list_add(l, item, own);
}

void supply_order(const struct supply *s, unsigned slot, unsigned place, struct order *ret)
{
    order_init(ret);
    ret->serial = s->serial;
    ret->slot = slot;
    ret->place = place;
    ret->seed = s->seed;
    ret->bundle = fcntl(s->bundle, F_DUPFD_CLOEXEC, 3);
    for (unsigned i = 0; i < s->sockets.count; i++) {
        const struct supply_socket *socket = s->sockets.at[i];

        if (socket->slot % s->manifest->head.workers == slot)
            add_own(&ret->sockets, (struct order_item){ socket->number, socket->id }, socket->fd);
    }
    for (uint32_t i = 0; i < s->manifest->head.logs; i++)
        add_own(&ret->logs, (struct order_item){ i, s->logs.at[i].may_block }, s->logs.at[i].fd);
    for (uint32_t i = 0; i < s->manifest->head.zones; i++)
        add_own(&ret->zones, (struct order_item){ .number = i }, s->zones[i]);
}

/* --- for whoever holds it ------------------------------------------------------------------- */

struct own_opener {
    struct log_opener opener;
    const struct supply *supply;
};

/* A copy of what the workers get. */
static int open_own(struct log_opener *o, const char *path, struct log_file *ret)
{
    const struct supply *s = CONTAINER(o, struct own_opener, opener)->supply;

    for (uint32_t i = 0; i < s->manifest->head.logs; i++) {
        if (strcmp(s->manifest->logs[i].path, path) != 0)
            continue;
        *ret = s->logs.at[i];
        ret->fd = fcntl(ret->fd, F_DUPFD_CLOEXEC, 3);
        return ret->fd < 0 ? -errno : 0;
    }
    return -ENOENT;
}

void supply_open_errors(const struct supply *s, struct error_logs *logs)
{
    const struct manifest *m = s->manifest;
    struct error_log_line *lines = calloc(m->head.errors + 1, sizeof(*lines));
    struct own_opener own = { .opener.open = open_own, .supply = s };
    struct log_failure failure;

    if (lines == NULL)
        abort();
    for (uint32_t i = 0; i < m->head.errors; i++) {
        const struct manifest_error *e = &m->errors[i];

        lines[i].level = e->level;
        lines[i].syslog = e->log == NO_LOG ? &e->syslog : NULL;
        lines[i].path = span_of(e->log == NO_LOG ? e->words : m->logs[e->log].path);
    }
    error_logs_close(logs); /* what they name may be another file by now */
    logs->opener = &own.opener;
    error_logs_open_main(logs, lines, m->head.errors, &failure);
    logs->opener = NULL;
    free(lines);
}

void supply_announce(const struct supply *s, const struct supply *before)
{
    for (uint32_t i = 0; i < s->manifest->head.listeners; i++) {
        const struct manifest_listener *l = &s->manifest->listeners[i];
        uint32_t nth = count_before(s->manifest, i);
        const struct supply_socket *socket = find_socket(s, l, nth, 0);
        struct address bound;
        struct buf text;

        if (find_socket(before, l, nth, 0) != NULL || listen_address(socket->fd, &bound) < 0)
            continue;
        buf_init(&text, 128, NULL);
        address_print(&bound, &text);
        printf("listening %.*s\n", (int)buf_view(&text).len, buf_view(&text).at);
        buf_done(&text);
    }
    fflush(stdout);
}
