#ifndef RUN_CHANNEL_H
#define RUN_CHANNEL_H

#include "run/order.h"

#include <stdbool.h>

/* What master and worker say to each other, over a socket pair that keeps messages apart: frames of
 * one size, some with descriptors. The master allocates nothing by what a worker says.
 *
 *     master -> worker   SEED SOCKETS... LOGS... ZONES... BUNDLE   serve with this from now on
 *                        LOGS... REOPEN                       the logs were opened anew
 *                        QUIT | STOP                          end
 *     worker -> master   READY | FAILED                       the answer to BUNDLE
 */
enum frame_kind {
    FRAME_SEED = 1,
    FRAME_SOCKETS,
    FRAME_LOGS,
    FRAME_ZONES,
    FRAME_BUNDLE,
    FRAME_REOPEN,
    FRAME_QUIT,
    FRAME_STOP,
    FRAME_READY,
    FRAME_FAILED
};

enum { FRAME_MOST = 32, FRAME_TEXT = 512 };

struct frame {
    uint32_t kind;   /* enum frame_kind */
    uint32_t count;  /* of descriptors; SOCKETS, LOGS and ZONES say of each what it is */
    uint64_t serial; /* of the order; SEED: the worker's slot, and in the upper half its place */
    union {
        struct order_item items[FRAME_MOST];
        struct order_seed seed;
        char text[FRAME_TEXT]; /* FAILED: why, ended by a zero */
    };
};

/* Both ends close-on-exec, and non-blocking. 0 or -errno. */
int channel_open(int ret_ends[2]);
/* 0, or -errno; -EAGAIN: the other side does not read. `fds` stay the caller's. */
int channel_send(int channel, const struct frame *f, const int *fds);
/* One frame and its `f->count` descriptors. 0; -EAGAIN: there is none; -EPIPE: the other side is
 * gone; -EPROTO: it is no frame of ours, and what came with it is closed. */
int channel_receive(int channel, struct frame *ret, int ret_fds[FRAME_MOST]);

/* A whole order, as frames. 0 or -errno. */
int channel_send_order(int channel, const struct order *o);
/* Only its logs. */
int channel_send_logs(int channel, const struct order *o);
/* Puts the frame, which took its place among others, into the order; the descriptors are the
 * order's now. False: it does not belong there. */
bool channel_take(const struct frame *f, const int *fds, struct order *o);

#endif
