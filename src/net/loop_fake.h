#ifndef NET_LOOP_FAKE_H
#define NET_LOOP_FAKE_H

#include "base/span.h"

struct address;
struct budget;
struct loop;

/* A loop without a kernel, for tests: sockets are pairs of bounded byte queues, time is virtual
 * and moves to the next timer when nothing else can happen. The far ends are driven by the test.
 * It can fail, delay and cancel any step from the first day. */

struct fake_peer; /* the far end of a socket: the test's side */

enum fake_step {
    FAKE_RECV, /* splice in, too */
    FAKE_SEND, /* sendfile, splice out, too */
    FAKE_CONNECT,
    FAKE_ACCEPT,
    FAKE_OPEN,
    FAKE_SOCKET,
    FAKE_STEP_KINDS
};

/* The clock starts at `start_ms`; the wall clock at 2026-01-01 00:00:00 UTC plus that. */
int loop_init_fake(struct loop *l, uint32_t max_fibers, struct budget *budget, uint64_t start_ms);
/* Turns until nothing is left to happen but timers later than `until_ms` (virtual). */
void fake_run(struct loop *l, uint64_t until_ms);

/* A client connects to the listener whose sock_listen was given descriptor `listener_fd` (any
 * number the test chose), or fails if there is none. The server side gets its on_accept in the
 * next turn. */
struct fake_peer *fake_connect(struct loop *l, int listener_fd, const struct address *from);
/* How connects of the code under test to `to` end: accepted (`on_connect` gets the far end),
 * refused, silent, unroutable (`error` errno, 0 accept, ETIMEDOUT silent). Later rules win. */
void fake_origin(struct loop *l, const struct address *to, int error,
                 void (*on_connect)(void *arg, struct fake_peer *), void *arg);

void fake_send(struct fake_peer *p, struct span bytes); /* to the code; one datagram a call */
void fake_send_eof(struct fake_peer *p);                /* FIN */
void fake_reset(struct fake_peer *p);                   /* RST */
struct span fake_received(const struct fake_peer *p);   /* all bytes that the code sent so far */
bool fake_is_closed(const struct fake_peer *p);         /* the code sent FIN or RST */
/* The code sent RST: it asked for it, or closed with bytes unread (as the kernel does). */
bool fake_was_reset(const struct fake_peer *p);
/* How many bytes the code may send from now on before it gets IO_AGAIN. SIZE_MAX at first. */
void fake_window(struct fake_peer *p, size_t bytes);
void fake_drain(struct fake_peer *p, size_t bytes); /* so much more room */
/* The test code is told of each arrival: fn after bytes came, from the loop. */
void fake_on_data(struct fake_peer *p, void (*fn)(void *arg, struct fake_peer *), void *arg);

/* Every step of `kind` is counted; the `nth` from now (1: the next) fails with `error`; 0: none
 * fails. EAGAIN of a receive or send is no failure: IO_AGAIN, and ready again in the next turn. */
void fake_fail(struct loop *l, enum fake_step kind, uint64_t nth, int error);
uint64_t fake_steps(const struct loop *l, enum fake_step kind);
/* The most bytes that arrive at once: 1 tests every cut. The rest comes in later turns. 0: no
 * limit. */
void fake_segment(struct loop *l, uint32_t bytes);
/* How long each call takes that is offloaded from now on: virtual time, at first none at all. */
void fake_offload(struct loop *l, uint64_t ms);

#endif
