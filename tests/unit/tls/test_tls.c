/* The layer: bytes both ways, ends, and what a hostile peer may not do. */
#include "tls/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/budget.h"
#include "unit/tls/tls_room.h"

static int set_up(void **state)
{
    static struct room room;

    room_init(&room);
    *state = &room;
    return 0;
}

static int tear_down(void **state)
{
    room_done(*state);
    return 0;
}

/* A client and a server of ours. */
static void meet_ours(struct room *r, struct party *server, struct party *client)
{
    int fds[2];

    make_pair(fds);
    server->room = client->room = r;
    server->other = client;
    client->other = server;
    if (client->connects_to == NULL)
        client->connects_to = "a.example";
    party_start(server, fds[0]);
    party_start(client, fds[1]);
    assert_true(room_run(r, server, client));
    assert_int_equal(server->io, IO_OK);
    assert_int_equal(client->io, IO_OK);
}

/* --- bytes ---------------------------------------------------------------------------------- */

static void ask(struct party *p)
{
    PROMISED(say_text(p, "question") == IO_OK);
    PROMISED(hear_text(p, "answer"));
}

static void answer(struct party *p)
{
    PROMISED(hear_text(p, "question"));
    PROMISED(say_text(p, "answer") == IO_OK);
    PROMISED(conn_parkable(&p->conn));
}

static void a_session_carries_bytes_both_ways(void **state)
{
    struct party server = { .act = answer }, client = { .act = ask };

    meet_ours(*state, &server, &client);
    assert_string_equal(server.protocol, "TLSv1.3");
    assert_string_equal(server.cipher, "TLS_AES_128_GCM_SHA256");
    assert_string_equal(server.name, "a.example");
    assert_string_equal(server.alpn, "");
    assert_false(server.resumed);
    assert_string_equal(client.protocol, "TLSv1.3");
    assert_string_equal(client.name, "a.example");
}

enum { MUCH = 1 << 20 };

static char byte_at(size_t i)
{
    return (char)(i * 31 ^ i >> 9);
}

static void send_much(void *arg)
{
    struct party *p = arg;
    enum { AT_ONCE = 100000 };
    char *data = malloc(AT_ONCE);

    for (size_t at = 0, n; at < MUCH; at += n) {
        n = MUCH - at < AT_ONCE ? MUCH - at : AT_ONCE;
        for (size_t i = 0; i < n; i++)
            data[i] = byte_at(at + i);
        struct iovec iov[] = {
            { data, 1 }, { data + 1, 0 }, { data + 1, 3000 }, { data + 3001, n - 3001 }
        };
        PROMISED(conn_write(&p->conn, iov, COUNT(iov), PATIENCE_MS) == IO_OK);
    }
    free(data);
    PROMISED(say_end(p) == IO_OK);
}

static void trade_much(struct party *p)
{
    struct family family = { 0 };
    size_t at = 0;
    enum io io;
    struct lease l = { 0 };

    PROMISED(fiber_spawn(NULL, &family, send_much, p) == 0);
    while ((io = conn_read(&p->conn, BLOCK_SIZE, &l, soon(p))) == IO_OK) {
        for (size_t i = 0; i < l.size; i++)
            if (l.data[i] != byte_at(at + i))
                fail_msg("byte %zu is wrong", at + i);
        at += l.size;
        lease_done(&l);
    }
    PROMISED(io == IO_EOF);
    PROMISED(at == MUCH);
    family_join(&family);
}

static void a_mebibyte_each_way_at_once_arrives_whole(void **state)
{
    struct party server = { .act = trade_much }, client = { .act = trade_much };

    meet_ours(*state, &server, &client);
}

/* --- what passes below ---------------------------------------------------------------------- */

/* A layer under TLS: counts steps, and may take few bytes at a time. */
struct gate {
    struct layer layer;
    unsigned reads, writes;
    size_t room;      /* bytes that pass before each AGAIN; 0: no limit */
    uint8_t first[5]; /* of the last write */
    size_t size;
};

static enum io gate_read(struct layer *l, uint32_t max, struct lease *ret)
{
    struct gate *g = (struct gate *)l;
    enum io io = l->below->ops->read(l->below, max, ret);

    g->reads++;
    l->want = l->below->want;
    return io;
}

static enum io gate_write(struct layer *l, struct iovec *iov, int n, size_t *ret_taken)
{
    struct gate *g = (struct gate *)l;

    g->writes++;
    memcpy(g->first, iov[0].iov_base,
           sizeof(g->first) < iov[0].iov_len ? sizeof(g->first) : iov[0].iov_len);
    g->size = iov[0].iov_len;
    if (g->room >
        0) { /* a short write, and the socket stays writable: as if it had drained meanwhile */
        n = 1;
        if (iov[0].iov_len > g->room)
            iov[0].iov_len = g->room;
    }
    enum io io = l->below->ops->write(l->below, iov, n, ret_taken);
    l->want = WANT_WRITE;
    return io == IO_OK && g->room > 0 ? IO_AGAIN : io;
}

static enum io gate_shut(struct layer *l)
{
    return l->below->ops->shut(l->below);
}

static void gate_close(struct layer *l)
{
    (void)l;
}

static const struct transport gate_ops = {
    .read = gate_read,
    .write = gate_write,
    .shut = gate_shut,
    .close = gate_close,
};

static struct gate *gate_of(struct party *p)
{
    return (struct gate *)p->conn.top->below;
}

static void answer_in_pieces(struct party *p)
{
    struct gate *g = gate_of(p);
    struct iovec iov[] = { { "head ", 5 }, { "", 0 }, { "and body", 8 } };

    PROMISED(hear_text(p, "question"));
    unsigned reads = g->reads;
    unsigned writes = g->writes;
    PROMISED(conn_write(&p->conn, iov, COUNT(iov), PATIENCE_MS) == IO_OK);
    PROMISED(g->writes - writes == 1);
    PROMISED(g->reads == reads);
    p->count = g->size;
    PROMISED(g->first[0] == 23);
    PROMISED(hear_text(p, "question"));
    reads = g->reads;
    writes = g->writes;
    struct iovec again[] = { { "head ", 5 }, { "and body", 8 } };
    PROMISED(conn_write(&p->conn, again, COUNT(again), PATIENCE_MS) == IO_OK);
    PROMISED(g->writes - writes == 1);
    PROMISED(g->first[0] == 23);
    PROMISED((g->first[3] << 8 | g->first[4]) == 13 + 1 + 16); /* one record: text, type, tag */
    PROMISED(g->size == 5 + 13 + 1 + 16);
}

static void ask_twice(struct party *p)
{
    for (int i = 0; i < 2; i++) {
        PROMISED(say_text(p, "question") == IO_OK);
        PROMISED(hear_text(p, "head and body"));
    }
}

static void meet_through_gate(struct room *r, struct gate *g, struct party *server,
                              struct party *client)
{
    int fds[2];

    make_pair(fds);
    server->room = client->room = r;
    server->other = client;
    client->other = server;
    client->connects_to = "a.example";
    g->layer.ops = &gate_ops;
    party_start(server, fds[0]);
    conn_push(&server->conn, &g->layer); /* its fiber runs later */
    party_start(client, fds[1]);
    assert_true(room_run(r, server, client));
    assert_int_equal(server->io, IO_OK);
    assert_int_equal(client->io, IO_OK);
}

static void head_and_small_body_are_one_record_in_one_send(void **state)
{
    struct gate gate = { .room = 0 };
    struct party server = { .act = answer_in_pieces }, client = { .act = ask_twice };

    meet_through_gate(*state, &gate, &server, &client);
}

static void send_and_forget(struct party *p)
{
    enum { SIZE = 200000 };
    char *data = calloc(1, SIZE);
    struct iovec iov[] = { { data, 10 }, { data, SIZE - 10 } };

    PROMISED(conn_write(&p->conn, iov, COUNT(iov), PATIENCE_MS) == IO_OK);
    PROMISED(conn_parkable(&p->conn)); /* nothing may hide in the layer: nobody would send it */
    free(data);
    p->count = SIZE;
    while (!p->other->over && loop_now(p->conn.sock.loop) < soon(p)) /* no step on the conn */
        fiber_yield();
}

static void receive_all(struct party *p)
{
    struct lease l = { 0 };

    while (p->count < 200000) {
        PROMISED(conn_read(&p->conn, BLOCK_SIZE, &l, soon(p)) == IO_OK);
        p->count += l.size;
        lease_done(&l);
    }
    PROMISED(p->count == 200000);
}

static void a_write_that_ended_has_left(void **state)
{
    static const size_t rooms[] = { 0, 1000, 16405, 16406, 16407, 40000 };

    for (size_t i = 0; i < COUNT(rooms); i++) {
        struct gate gate = { .room = rooms[i] };
        struct party server = { .act = send_and_forget }, client = { .act = receive_all };

        meet_through_gate(*state, &gate, &server, &client);
        assert_int_equal(client.count, 200000);
    }
}

static void a_peer_that_reads_late_gets_all(void **state)
{
    struct party server = { .act = send_and_forget }, client = { .act = receive_all };
    struct room *r = *state;
    int fds[2], small = 4096;

    make_pair(fds);
    setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    server.room = client.room = r;
    server.other = &client;
    client.connects_to = "a.example";
    party_start(&server, fds[0]);
    party_start(&client, fds[1]);
    assert_true(room_run(r, &server, &client));
    assert_int_equal(client.count, 200000);
}

/* --- ends ----------------------------------------------------------------------------------- */

static void ask_and_shut(struct party *p)
{
    PROMISED(say_text(p, "question") == IO_OK);
    PROMISED(say_end(p) == IO_OK);
    PROMISED(hear_text(p, "answer"));
    PROMISED(hear_end(p) == IO_EOF);
}

static void answer_after_end(struct party *p)
{
    PROMISED(hear_text(p, "question"));
    PROMISED(hear_end(p) == IO_EOF);
    PROMISED(hear_end(p) == IO_EOF);
    PROMISED(say_text(p, "answer") == IO_OK);
    PROMISED(say_end(p) == IO_OK);
    PROMISED(say_text(p, "more") == IO_FAILED);
}

static void each_side_ends_for_itself(void **state)
{
    struct party server = { .act = answer_after_end }, client = { .act = ask_and_shut };

    meet_ours(*state, &server, &client);
}

static void hear_a_cut(struct party *p)
{
    PROMISED(hear_text(p, "question"));
    PROMISED(hear_end(p) == IO_FAILED);
    PROMISED(hear_end(p) == IO_FAILED);
}

static void ask_and_leave(struct party *p)
{
    PROMISED(say_text(p, "question") == IO_OK);
}

static void a_cut_without_close_notify_is_no_end(void **state)
{
    struct party server = { .act = hear_a_cut }, client = { .act = ask_and_leave };

    meet_ours(*state, &server, &client);
}

/* What it was sent is read off: else the kernel's reset might overtake its question. */
static void cut_inside_a_record(struct peer *p)
{
    char rest[4096];

    SSL_write(p->ssl, "question", 8);
    p->kept = write(p->fd, "\27\3\3\1\0half", 9) == 9;
    shutdown(p->fd, SHUT_WR);
    while (read(p->fd, rest, sizeof(rest)) > 0)
        ;
}

static void a_cut_inside_a_record_is_no_end(void **state)
{
    struct party server = { .act = hear_a_cut };
    struct peer peer = { .ctx = make_peer_ctx(TLS1_3_VERSION), .act = cut_inside_a_record };

    assert_true(meet(*state, &server, &peer));
    assert_true(peer.kept);
    SSL_CTX_free(peer.ctx);
    SSL_SESSION_free(peer.session);
}

/* --- hostile peers -------------------------------------------------------------------------- */

/* Reads until the session ends; the questions are counted. */
static void serve_until_dead(struct party *p)
{
    struct lease l = { 0 };
    enum io io;

    while ((io = conn_read(&p->conn, BLOCK_SIZE, &l, soon(p))) == IO_OK) {
        p->count += l.size;
        lease_done(&l);
        struct iovec iov = { "answer", 6 };
        PROMISED(conn_write(&p->conn, &iov, 1, PATIENCE_MS) == IO_OK);
    }
    snprintf(p->reason, sizeof(p->reason), "%s",
             io == IO_FAILED ? "failed"
             : io == IO_EOF  ? "end"
                             : "?");
}

static bool exchange(struct peer *p)
{
    char got[6];

    return SSL_write(p->ssl, "question", 8) == 8 && SSL_read(p->ssl, got, 6) == 6;
}

/* Sends a second hello and never looks at the answer: it is the server that has to end it. */
static void renegotiate(struct peer *p)
{
    char got[64];
    bool began = exchange(p);

    BIO *nothing = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(nothing, -1);
    SSL_set0_rbio(p->ssl, nothing);
    SSL_renegotiate(p->ssl);
    SSL_do_handshake(p->ssl);
    ssize_t n = read(p->fd, got, sizeof(got));
    bool alerted = n > 7 && got[0] == SSL3_RT_ALERT;
    p->kept = began && alerted && read(p->fd, got, sizeof(got)) == 0;
}

static void renegotiation_ends_the_session(void **state)
{
    struct party server = { .act = serve_until_dead };
    struct peer peer = { .ctx = make_peer_ctx(TLS1_2_VERSION), .act = renegotiate };

    SSL_CTX_set_options(peer.ctx, SSL_OP_LEGACY_SERVER_CONNECT);
    assert_true(meet(*state, &server, &peer));
    assert_true(peer.kept);
    assert_string_equal(server.protocol, "TLSv1.2");
    assert_string_equal(server.reason, "failed");
    assert_int_equal(server.count, 8);
    SSL_CTX_free(peer.ctx);
    SSL_SESSION_free(peer.session);
}

static int update_keys(struct peer *p, int times)
{
    int done = 0;

    while (done < times && SSL_key_update(p->ssl, SSL_KEY_UPDATE_REQUESTED) == 1 &&
           SSL_do_handshake(p->ssl) == 1)
        done++;
    return done;
}

static void flood(struct peer *p)
{
    bool began = exchange(p);
    char got[6];

    update_keys(p, 1000);
    p->kept = began && SSL_read(p->ssl, got, 6) <= 0;
}

static void a_flood_of_key_updates_ends_the_session(void **state)
{
    struct party server = { .act = serve_until_dead };
    struct peer peer = { .ctx = make_peer_ctx(TLS1_3_VERSION), .act = flood };

    assert_true(meet(*state, &server, &peer));
    assert_true(peer.kept);
    assert_string_equal(server.reason, "failed");
    assert_int_equal(server.count, 8);
    SSL_CTX_free(peer.ctx);
    SSL_SESSION_free(peer.session);
}

static void update_now_and_then(struct peer *p)
{
    p->kept = true;
    for (int i = 0; i < 10; i++)
        p->kept = p->kept && update_keys(p, 20) == 20 && exchange(p);
    SSL_shutdown(p->ssl);
}

static void some_key_updates_are_served(void **state)
{
    struct party server = { .act = serve_until_dead };
    struct peer peer = { .ctx = make_peer_ctx(TLS1_3_VERSION), .act = update_now_and_then };

    assert_true(meet(*state, &server, &peer));
    assert_true(peer.kept);
    assert_string_equal(server.reason, "end");
    assert_int_equal(server.count, 80);
    SSL_CTX_free(peer.ctx);
    SSL_SESSION_free(peer.session);
}

static void send_junk(struct peer *p)
{
    bool began = exchange(p);

    p->kept = began && write(p->fd, "GET / HTTP/1.1\r\n\r\n", 18) == 18;
}

static void clear_text_inside_a_session_ends_it(void **state)
{
    struct party server = { .act = serve_until_dead };
    struct peer peer = { .ctx = make_peer_ctx(TLS1_3_VERSION), .act = send_junk };

    assert_true(meet(*state, &server, &peer));
    assert_true(peer.kept);
    assert_string_equal(server.reason, "failed");
    SSL_CTX_free(peer.ctx);
    SSL_SESSION_free(peer.session);
}

static void send_half_a_record(struct peer *p)
{
    char got[64];

    SSL_write(p->ssl, "question", 8);
    p->kept = write(p->fd, "\27\3\3\1\0half", 9) == 9;
    while (read(p->fd, got, sizeof(got)) > 0)
        continue;
}

/* OpenSSL wants more, which is no error. */
static void read_with_an_old_error(struct party *p)
{
    struct lease l = { 0 };

    PROMISED(hear_text(p, "question"));
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
    PROMISED(conn_read(&p->conn, BLOCK_SIZE, &l, loop_now(p->conn.sock.loop) + 50) == IO_TIMEOUT);
    PROMISED(ERR_peek_error() == 0);
}

static void an_old_error_in_the_queue_is_not_taken_for_ours(void **state)
{
    struct party server = { .act = read_with_an_old_error };
    struct peer peer = { .ctx = make_peer_ctx(TLS1_3_VERSION), .act = send_half_a_record };

    assert_true(meet(*state, &server, &peer));
    assert_int_equal(server.io, IO_OK);
    assert_true(peer.kept);
    SSL_CTX_free(peer.ctx);
    SSL_SESSION_free(peer.session);
}

static void no_memory_ends_the_session_and_nothing_else(void **state)
{
    struct room *r = *state;
    struct budget budget = { .max = 0 };

    for (size_t blocks = 0; blocks < 12; blocks++) {
        struct party server = { .act = serve_until_dead, .room = r },
                     client = { .act = ask_and_leave, .room = r };
        int fds[2];

        block_pool_done(&r->loop.blocks);
        budget = (struct budget){ .max = blocks * sizeof(struct block) };
        block_pool_init(&r->loop.blocks, &budget);
        client.connects_to = "a.example";
        client.act = NULL;
        make_pair(fds);
        party_start(&server, fds[0]);
        party_start(&client, fds[1]);
        assert_true(room_run(r, &server, &client));
        assert_int_equal(r->loop.blocks.live, 0);
    }
    block_pool_done(&r->loop.blocks);
    block_pool_init(&r->loop.blocks, NULL);
}

#define WITH_ROOM(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define ROW(promise, function)                     \
    {                                              \
        promise, function, set_up, tear_down, NULL \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WITH_ROOM(a_session_carries_bytes_both_ways),
        WITH_ROOM(a_mebibyte_each_way_at_once_arrives_whole),
        WITH_ROOM(head_and_small_body_are_one_record_in_one_send),
        WITH_ROOM(a_write_that_ended_has_left),
        WITH_ROOM(a_peer_that_reads_late_gets_all),
        WITH_ROOM(each_side_ends_for_itself),
        WITH_ROOM(a_cut_without_close_notify_is_no_end),
        WITH_ROOM(a_cut_inside_a_record_is_no_end),
        WITH_ROOM(renegotiation_ends_the_session),
        ROW("TLS-12-a-flood-of-key-updates-ends-the-session",
            a_flood_of_key_updates_ends_the_session),
        ROW("TLS-12-some-key-updates-are-served", some_key_updates_are_served),
        WITH_ROOM(clear_text_inside_a_session_ends_it),
        WITH_ROOM(an_old_error_in_the_queue_is_not_taken_for_ours),
        WITH_ROOM(no_memory_ends_the_session_and_nothing_else),
    };

    tls_process_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
