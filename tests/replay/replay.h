#ifndef TESTS_REPLAY_REPLAY_H
#define TESTS_REPLAY_REPLAY_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/errlog.h"
#include "base/errlog_file.h"
#include "base/span.h"
#include "exchange/generation.h"
#include "exchange/worker.h"
#include "net/loop.h"
#include "net/loop_fake.h"
#include "net/timer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A whole worker on the fake loop: the real serve, decide and fetch, settings that came through a
 * bundle, and a virtual clock. The test is all the peers: clients on one side, backends on the
 * other.
 *
 *     client 0, 1 ... --> listener (its configured port) --> worker --> 10.0.0.1 ... backends
 *
 * Nothing here sleeps. Times are milliseconds; waits that are multiples of TICK are exact. */

enum { CLIENTS = 64, BACKEND_CONNS = 256, BACKEND_ANSWERS = 32, START = 8000, TICK = 8 };

struct replay {
    struct loop loop;
    struct worker worker;
    struct errlog log;
    struct errlog_file log_file; /* a memory file */
    struct arena scratch;        /* texts that were handed to the test */
    struct fake_peer *clients[CLIENTS];
    struct backend *backends; /* owned */
    struct timer waiting;
    char folder[64]; /* the prefix: logs, temporary files; removed at the end */
    uint32_t listeners;
    bool draining;
};

/* A worker that serves this configuration (`%` in it stands for the folder). Before it stands an
 * access log of lines like `200 "GET / HTTP/1.1" 0.000 10.0.0.1:80`. */
struct replay *replay_new(const char *config);
/* Drains the worker and asserts that nothing is left and that no alert was raised. */
void replay_free(struct replay *r);
/* As a cmocka fixture: the state is the replay. */
int replay_end(void **state);
/* A file below the folder. */
void replay_file(struct replay *r, const char *name, struct span bytes);
/* A generation from another configuration takes over. */
void replay_reload(struct replay *r, const char *config);

void replay_settle(struct replay *r);            /* all that happens without time passing */
void replay_wait(struct replay *r, uint64_t ms); /* and so much time passes */
void replay_run(struct replay *r);               /* until nothing is left to happen */
void replay_turn(struct replay *r);              /* one turn of the loop, no time passes */
uint64_t replay_now(const struct replay *r);     /* ms since the start */
/* Descriptors (but for listeners), fibers and timers. */
unsigned replay_open(const struct replay *r);

/* The access log so far, and what the error log has at this level, one line a record. */
const char *replay_log(struct replay *r);
const char *replay_logged(struct replay *r, const char *name); /* another log */
const char *replay_errors(struct replay *r, enum level level);
unsigned replay_error_count(struct replay *r, enum level level);
/* Until client `c` has been sent an end: exactly `ms` from now, to two ticks of the wheel. */
void assert_closed_after(struct replay *r, unsigned c, uint64_t ms);

/* --- clients: connect when they first say something --- */

void client_connects(struct replay *r, unsigned c, int port);
void client_sends(struct replay *r, unsigned c, const char *text); /* port 8080 */
void client_sends_span(struct replay *r, unsigned c, struct span bytes);
void client_leaves(struct replay *r, unsigned c); /* FIN */
void client_resets(struct replay *r, unsigned c);
/* What it got, in short: `200 hello; 504; END`: status and body of each answer (not of HTML pages),
 * `CUT` where one is not whole, at the end END or RESET. */
const char *client_got(struct replay *r, unsigned c);
struct span client_bytes(const struct replay *r, unsigned c);

/* --- backends --- */

enum then { THEN_KEEP, THEN_CLOSE, THEN_RESET };

struct backend_conn {
    struct backend *backend;
    struct fake_peer *peer;
    size_t seen; /* of what it received: whole requests */
};

struct backend {
    struct backend *next;
    struct replay *replay;
    struct backend_answer {
        struct span text;
        enum then then;
    } answers[BACKEND_ANSWERS];
    unsigned answer_count, answered; /* the last answer is given again and again */
    struct backend_conn conns[BACKEND_CONNS];
    unsigned conn_count;
    unsigned requests; /* whole ones */
    size_t window;     /* of new connections; 0: without end */
};

/* At 10.0.0.N:80; `error` as for fake_origin. Silent until it has answers. */
struct backend *backend_new(struct replay *r, unsigned n, int error);
struct backend *backend_at(struct replay *r, const struct address *at, int error);
void backend_answers(struct backend *b, const char *text, enum then then);
void backend_answers_span(struct backend *b, struct span text, enum then then);
/* By hand, on connection `i`. */
void backend_sends(struct backend *b, unsigned i, const char *text);
void backend_ends(struct backend *b, unsigned i, enum then how);
bool backend_is_closed(const struct backend *b, unsigned i);
/* All that came on connection `i`, as text. */
const char *backend_got(struct backend *b, unsigned i);

/* Bytes that lie between a far end and the code, unread. */
size_t peer_unread(const struct fake_peer *p);

/* The length of the first whole message of its kind in `bytes`; 0: not yet. */
size_t request_length(struct span bytes);
/* `bytes` is what follows an answer's head, of which `head` is all. */
bool is_chunked(struct span head);
bool content_length(struct span head, size_t *ret);
/* The data of chunks are appended to `ret`. How many bytes they take; 0: not whole (what is there
 * was appended). */
size_t unchunk(struct span bytes, struct buf *ret);
bool span_has(struct span s, const char *text);

/* A test with a fixture `setup` of its file; `id` is that of a row of threats.md and `-`, or "". */
#define PROMISE(id, fn)                     \
    {                                       \
        id #fn, fn, setup, replay_end, NULL \
    }

#define REQUEST(method, path) method " " path " HTTP/1.1\r\nHost: a.example\r\n\r\n"
#define GET(path) REQUEST("GET", path)
#define OK(length, body) "HTTP/1.1 200 OK\r\nContent-Length: " #length "\r\n\r\n" body
#define OK_CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

#endif
