/* Asking one name server:
 *
 *     UDP --an answer that fits--> told
 *      |
 *      +--cut short, or 16 wrong answers--> TCP --> told; if TCP fails: what there was of it
 *
 * Owns its socket while it asks. */
#include "net/dns_ask.h"

#include "base/address.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "base/link.h"
#include "base/random.h"
#include "base/span.h"
#include "net/block.h"
#include "net/io.h"
#include "net/loop.h"
#include "net/timer.h"

#include <errno.h>

enum {
    MOST_WRONG_ANSWERS = 16, /* to one port: then somebody is guessing (DNS-04) */
    LONGEST_DATAGRAM = 4096,
    LONGEST_QUESTION = 512,
    LENGTH_SIZE = 2 /* of the length before a message over TCP (RFC 1035 4.2.2) */
};

/* How a try ended, more finely than `enum ask`. */
enum outcome { OUTCOME_ANSWER, OUTCOME_SILENT, OUTCOME_UNABLE, OUTCOME_GUESSED, OUTCOME_CANCELLED };

/* --- a socket ------------------------------------------------------------------------------- */

static uint16_t random_u16(void)
{
    uint16_t value;

    random_bytes(&value, sizeof(value));
    return value;
}

/* Our own random port. Where that does not work out, the kernel's choice is random too. */
static void bind_random_port(int fd, uint16_t family)
{
    enum { LOWEST_PORT = 1024, PORTS = UINT16_MAX + 1 - LOWEST_PORT, TRIES = 8 };
    struct address any = { .family = family };
    struct sockaddr_storage from;

    for (int i = 0; i < TRIES; i++) {
        uint32_t number; /* of 16 bits a thousand ports would come twice as often */

        random_bytes(&number, sizeof(number));
        any.port = (uint16_t)(LOWEST_PORT + number % PORTS);
        socklen_t size = address_to_sockaddr(&any, &from);

        if (bind(fd, (struct sockaddr *)&from, size) == 0 || errno != EADDRINUSE)
            return;
    }
}

static void on_closed(struct sock *s)
{
    wait_wake(&CONTAINER(s, struct dns_ask, sock)->closing, WAKE_DONE);
}

/* Until the loop has let go of it: its memory is the next socket's. */
static void close_socket(struct dns_ask *a)
{
    a->closing = (struct wait){ 0 };
    sock_close(&a->sock, false, on_closed);
    fiber_shield(+1);
    fiber_wait(&a->closing, TIMER_NEVER); /* the loop always closes */
    fiber_shield(-1);
}

static bool open_socket(struct dns_ask *a, const struct address *server, enum sock_kind kind)
{
    int fd = loop_new_socket(a->loop, server->family, kind);

    a->sock = (struct sock){ 0 };
    return fd >= 0 && sock_open(a->loop, &a->sock, fd, kind) == 0;
}

static enum outcome outcome_of(enum io io)
{
    switch (io) {
    case IO_OK:
        return OUTCOME_ANSWER;
    case IO_AGAIN:
    case IO_EOF:
    case IO_FAILED:
        break;
    case IO_TIMEOUT:
        return OUTCOME_SILENT;
    case IO_CANCELLED:
        return OUTCOME_CANCELLED;
    }
    return OUTCOME_UNABLE;
}

static bool send_all(struct dns_ask *a, struct buf *message)
{
    struct iovec iov = { message->data, message->len };
    size_t sent = 0;

    return buf_ok(message) && sock_send_start(&a->sock, &iov, 1, &sent) == IO_OK;
}

/* --- over UDP ------------------------------------------------------------------------------- */

/* Connected: so the kernel drops what comes from elsewhere, and tells of an unreachable port. */
static bool connect_datagrams(struct dns_ask *a, const struct address *server)
{
    bind_random_port(a->sock.fd, server->family);
    return sock_connect_start(&a->sock, server) == IO_OK;
}

static bool send_datagram(struct dns_ask *a)
{
    struct buf message;

    buf_init(&message, LONGEST_QUESTION, NULL);
    dns_question_write(&a->question, &message);
    bool sent = send_all(a, &message);
    buf_done(&message);
    return sent;
}

/* Reads until one datagram answers the question, whatever it says. */
static enum outcome read_datagrams(struct dns_ask *a, uint64_t deadline)
{
    unsigned wrong = 0;

    while (wrong < MOST_WRONG_ANSWERS) {
        struct lease datagram = { .id = -1 };
        enum io io = sock_recv_start(&a->sock, LONGEST_DATAGRAM, &datagram);

        if (io == IO_OK) {
            a->reply = dns_answer_read(lease_span(&datagram), &a->question, &a->answer);
            lease_done(&datagram);
            if (a->reply != DNS_FOREIGN)
                return OUTCOME_ANSWER;
            wrong++;
        } else {
            io = io == IO_AGAIN ? sock_wait(&a->sock, SIDE_READ, deadline) : io;
            if (io != IO_OK)
                return outcome_of(io);
        }
    }
    return OUTCOME_GUESSED;
}

static enum outcome ask_over_udp(struct dns_ask *a, const struct address *server, uint64_t deadline)
{
    enum outcome outcome = OUTCOME_UNABLE;

    if (!open_socket(a, server, SOCK_KIND_DATAGRAM))
        return outcome;
    a->question.id = random_u16();
    if (connect_datagrams(a, server) && send_datagram(a))
        outcome = read_datagrams(a, deadline);
    close_socket(a);
    return outcome;
}

/* --- over TCP (RFC 7766) -------------------------------------------------------------------- */

static bool send_framed(struct dns_ask *a)
{
    struct buf message;

    buf_init(&message, LONGEST_QUESTION, NULL);
    buf_adds(&message, "..");
    dns_question_write(&a->question, &message);
    if (buf_ok(&message)) {
        size_t length = message.len - LENGTH_SIZE;

        message.data[0] = (char)(length >> 8);
        message.data[1] = (char)length;
    }
    bool sent = send_all(a, &message); /* it is the first that is sent: there is room for it */
    buf_done(&message);
    return sent;
}

/* Until `total` bytes have come. */
static enum io read_bytes(struct dns_ask *a, struct buf *into, size_t total, uint64_t deadline)
{
    enum io io = IO_OK;

    while (io == IO_OK && into->len < total) {
        struct lease l = { .id = -1 };

        io = sock_recv_start(&a->sock, (uint32_t)(total - into->len), &l);
        if (io == IO_OK)
            buf_add(into, lease_span(&l));
        else if (io == IO_AGAIN)
            io = sock_wait(&a->sock, SIDE_READ, deadline);
        lease_done(&l);
        if (!buf_ok(into))
            io = IO_FAILED;
    }
    return io;
}

/* One message: a second one nobody has asked for. */
static enum outcome read_framed(struct dns_ask *a, uint64_t deadline)
{
    struct buf bytes;
    uint16_t length = 0;

    buf_init(&bytes, LENGTH_SIZE + UINT16_MAX, a->loop->budget);
    enum io io = read_bytes(a, &bytes, LENGTH_SIZE, deadline);
    struct cursor c = cursor_of(buf_view(&bytes));
    if (io == IO_OK && cursor_u16(&c, &length))
        io = read_bytes(a, &bytes, LENGTH_SIZE + (size_t)length, deadline);
    if (io == IO_OK)
        a->reply =
            dns_answer_read(span_from(buf_view(&bytes), LENGTH_SIZE), &a->question, &a->answer);
    buf_done(&bytes);
    if (io == IO_OK && a->reply == DNS_FOREIGN)
        return OUTCOME_UNABLE;
    return outcome_of(io);
}

static enum outcome ask_over_tcp(struct dns_ask *a, const struct address *server, uint64_t deadline)
{
    enum outcome outcome = OUTCOME_UNABLE;

    if (!open_socket(a, server, SOCK_KIND_STREAM))
        return outcome;
    a->question.id = random_u16();
    enum io io = sock_connect(&a->sock, server, deadline);
    if (io != IO_OK)
        outcome = outcome_of(io);
    else if (send_framed(a))
        outcome = read_framed(a, deadline);
    close_socket(a);
    return outcome;
}

/* --- ask ------------------------------------------------------------------------------------ */

static bool is_cut_short(const struct dns_ask *a)
{
    return a->reply != DNS_UNABLE && a->answer.truncated;
}

enum ask dns_ask(struct dns_ask *a, const struct address *server, uint64_t deadline)
{
    enum outcome outcome = ask_over_udp(a, server, deadline);
    bool has_some = outcome == OUTCOME_ANSWER && a->reply == DNS_ADDRESSES;

    if (outcome == OUTCOME_GUESSED || (outcome == OUTCOME_ANSWER && is_cut_short(a)))
        outcome = ask_over_tcp(a, server, deadline);
    switch (outcome) {
    case OUTCOME_ANSWER:
        return ASK_ANSWERED;
    case OUTCOME_SILENT:
        return has_some ? ASK_ANSWERED : ASK_SILENT;
    case OUTCOME_UNABLE:
    case OUTCOME_GUESSED:
        return has_some && a->reply == DNS_ADDRESSES ? ASK_ANSWERED : ASK_UNABLE;
    case OUTCOME_CANCELLED:
        break;
    }
    return ASK_CANCELLED;
}
