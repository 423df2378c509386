#ifndef RUN_SUPPLY_H
#define RUN_SUPPLY_H

#include "run/manifest.h"
#include "run/order.h"

struct error_logs;

/* A listening socket of a worker. */
struct supply_socket {
    uint32_t refs; /* supplies */
    int fd;        /* owned */
    uint32_t id;
    uint32_t number; /* listener->socket, in the newest supply */
    unsigned slot;   /* of the worker for which it was made */
    uint32_t nth;    /* among the listeners that ask for the same address: port 0 */
    struct manifest_listener asked;
};

/* What a configuration needs of whoever may open things, and has got: the bundle, listening
 * sockets, files of logs. It is the master's (or, without a master, the one process's own). A
 * reload makes the next supply out of the one before: sockets of the same address and zones of the
 * same shape pass on, and are closed when the last supply that holds them goes. */
struct supply {
    uint64_t serial;
    struct order_seed seed;
    int bundle;                /* owned */
    struct manifest *manifest; /* owned */
    struct supply_sockets {
        struct supply_socket **at; /* owned; counted */
        unsigned count;
    } sockets;
    struct log_files {
        struct log_file *at; /* owned; by number in the manifest */
    } logs;
    int *zones; /* owned; likewise; -1: not made yet */
};

/* PATIENT tries an address that is in use five times, every 500 ms, as NGINX does; TRIAL takes it
 * as it is. */
enum supply_manner { SUPPLY_PATIENT, SUPPLY_AT_ONCE, SUPPLY_TRIAL };

/* Takes the bundle over. NULL: messages say why, nothing new is open, `before` (or NULL) is as it
 * was. */
struct supply *supply_new(int bundle, const struct supply *before, enum supply_manner manner,
                          struct buf *messages);
void supply_free(struct supply **s);
/* One of sockets alone, which were bound by somebody else; for supply_new to begin with. */
struct supply *supply_of_sockets(void);
void supply_add_socket(struct supply *s, const struct manifest_listener *asked, uint32_t nth,
                       unsigned slot, int fd);
/* Nobody is to connect any more; workers still may have them. */
void supply_close_sockets(struct supply *s);

/* The order for the worker number `slot`, with descriptors of its own. `place`: in zones. */
void supply_order(const struct supply *s, unsigned slot, unsigned place, struct order *ret);
/* Opens the logs anew; one that fails stays as it is, and is said. */
void supply_reopen_logs(struct supply *s, const struct errlog *log);
/* Where whoever holds the supply logs. */
void supply_open_errors(const struct supply *s, struct error_logs *logs);
/* `listening ADDRESS` on standard output, in the order of the configuration, for what `before` (or
 * NULL) did not have. */
void supply_announce(const struct supply *s, const struct supply *before);

#endif
