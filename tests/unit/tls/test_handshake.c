/* From a connection's first bytes to a session: names, refusals, protocols, resumption. */
#include "tls/context.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/table.h"
#include "tls/sessions.h"
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

static void peer_done(struct peer *p)
{
    SSL_SESSION_free(p->session);
    SSL_CTX_free(p->ctx);
    *p = (struct peer){ 0 };
}

/* --- an exchange of bytes, so that tickets arrive ------------------------------------------- */

static void serve_one(struct party *p)
{
    PROMISED(hear_text(p, "question"));
    PROMISED(say_text(p, "answer") == IO_OK);
    PROMISED(hear_end(p) == IO_EOF);
}

static void ask_one(struct peer *p)
{
    char got[6];

    p->kept = SSL_write(p->ssl, "question", 8) == 8 && SSL_read(p->ssl, got, 6) == 6;
    SSL_shutdown(p->ssl);
}

static struct peer peer_of(int version, const char *name)
{
    return (struct peer){ .ctx = make_peer_ctx(version), .name = name, .act = ask_one };
}

static char *subject_of(struct peer *p, size_t size, char *text)
{
    X509 *x = SSL_get1_peer_certificate(p->ssl);

    X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, text, (int)size);
    X509_free(x);
    return text;
}

/* --- names ---------------------------------------------------------------------------------- */

static void expect_a(struct peer *p)
{
    char text[64];

    ask_one(p);
    p->kept = p->kept && strcmp(subject_of(p, sizeof(text), text), "a.example") == 0;
}

static void expect_b(struct peer *p)
{
    char text[64];

    ask_one(p);
    p->kept = p->kept && strcmp(subject_of(p, sizeof(text), text), "b.example") == 0;
}

static void the_name_chooses_the_certificate(void **state)
{
    static const struct {
        const char *sent, *asked;
        void (*expect)(struct peer *);
    } cases[] = {
        { "a.example", "a.example", expect_a },         { "b.example", "b.example", expect_b },
        { "B.Example", "b.example", expect_b },         { "b.example.", "b.example", expect_b },
        { "other.example", "other.example", expect_a }, { NULL, "", expect_a },
    };

    for (size_t i = 0; i < COUNT(cases) * 2; i++) {
        struct party server = { .act = serve_one };
        struct peer peer = peer_of(i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION, cases[i / 2].sent);

        peer.act = cases[i / 2].expect;
        assert_true(meet(*state, &server, &peer));
        assert_int_equal(server.io, IO_OK);
        assert_int_equal(server.fault, TLS_FINE);
        assert_string_equal(server.asked_name, cases[i / 2].asked);
        assert_string_equal(server.name, cases[i / 2].asked);
        assert_string_equal(server.protocol, i % 2 ? "TLSv1.2" : "TLSv1.3");
        assert_true(peer.kept);
        peer_done(&peer);
    }
}

static void a_refused_name_is_told_so(void **state)
{
    struct party server = { .act = serve_one };
    struct peer peer = peer_of(TLS1_3_VERSION, "refused.example");

    assert_true(meet(*state, &server, &peer));
    assert_int_equal(server.io, IO_FAILED);
    assert_int_equal(server.fault, TLS_NO_NAME);
    assert_int_equal(peer.error, SSL_R_TLSV1_UNRECOGNIZED_NAME);
    peer_done(&peer);
}

/* The peer's groups make the server ask for a second hello. */
static void a_second_hello_with_the_same_name_is_served(void **state)
{
    struct party server = { .act = serve_one };
    struct peer peer = peer_of(TLS1_3_VERSION, "B.example");

    peer.act = expect_b;
    assert_int_equal(SSL_CTX_set1_groups_list(peer.ctx, "P-521:P-256"), 1);
    assert_true(meet(*state, &server, &peer));
    assert_int_equal(server.io, IO_OK);
    assert_true(peer.kept);
    peer_done(&peer);
}

static void rename_in_second_hello(int sent, int version, int type, const void *bytes, size_t n,
                                   SSL *ssl, void *arg)
{
    (void)version, (void)n, (void)arg;
    if (sent && type == SSL3_RT_HANDSHAKE && *(const uint8_t *)bytes == SSL3_MT_CLIENT_HELLO)
        SSL_set_tlsext_host_name(ssl, "a.example");
}

static void a_second_hello_with_another_name_is_refused(void **state)
{
    struct party server = { .act = serve_one };
    struct peer peer = peer_of(TLS1_3_VERSION, "b.example");

    SSL_CTX_set_msg_callback(peer.ctx, rename_in_second_hello);
    assert_int_equal(SSL_CTX_set1_groups_list(peer.ctx, "P-521:P-256"), 1);
    assert_true(meet(*state, &server, &peer));
    assert_int_equal(server.io, IO_FAILED);
    assert_int_equal(server.fault, TLS_HANDSHAKE);
    assert_int_equal(peer.error, SSL_R_SSLV3_ALERT_ILLEGAL_PARAMETER);
    peer_done(&peer);
}

static void our_client_trusts_the_right_name_alone(void **state)
{
    static const struct {
        const char *name;
        enum io want;
    } cases[] = { { "a.example", IO_OK },
                  { "wrong.example", IO_FAILED },
                  { "192.0.2.1", IO_FAILED } };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct party server = { .room = *state }, client = { .room = *state };
        int fds[2];

        client.connects_to = cases[i].name;
        make_pair(fds);
        party_start(&server, fds[0]);
        party_start(&client, fds[1]);
        assert_true(room_run(*state, &server, &client));
        assert_int_equal(client.io, cases[i].want);
        if (cases[i].want != IO_OK)
            assert_string_equal(client.reason, "certificate verify failed in SSL handshake");
    }
}

/* --- what is no hello ----------------------------------------------------------------------- */

static void send_plain(struct peer *p)
{
    p->kept = write(p->fd, "GET / HTTP/1.1\r\n\r\n", 18) == 18;
}

static void read_plain(struct party *p)
{
    struct lease l = { 0 };

    PROMISED(conn_read_start(&p->conn, BLOCK_SIZE, &l) == IO_OK);
    PROMISED(span_is(lease_span(&l), "GET / HTTP/1.1\r\n\r\n"));
    PROMISED(conn_plain(&p->conn));
    lease_done(&l);
    p->count++;
}

static void plain_http_is_given_back(void **state)
{
    struct party server = { .act = read_plain };
    struct peer peer = { .act = send_plain };

    assert_true(meet(*state, &server, &peer));
    assert_int_equal(server.io, IO_FAILED);
    assert_int_equal(server.fault, TLS_PLAIN);
    assert_int_equal(server.count, 1);
}

static void send_bad_record(struct peer *p)
{
    char got[16];

    p->kept = write(p->fd, "\26\3\1\377\377junk", 9) == 9 && read(p->fd, got, sizeof(got)) == 7 &&
              memcmp(got, "\25\3\3\0\2\2\62", 7) == 0;
}

static void send_ssl2(struct peer *p)
{
    p->kept = write(p->fd, "\200\56\1\0\2", 5) == 5;
}

static void junk_costs_no_ssl(void **state)
{
    void (*const acts[])(struct peer *) = { send_bad_record, send_ssl2 };

    for (size_t i = 0; i < COUNT(acts); i++) {
        struct party server = { .act = serve_one };
        struct peer peer = { .act = acts[i] };

        assert_true(meet(*state, &server, &peer));
        assert_int_equal(server.io, IO_FAILED);
        assert_int_equal(server.fault, TLS_BAD_HELLO);
        assert_true(peer.kept);
    }
}

static void wait_for_end(struct peer *p)
{
    char got[64];

    p->kept = read(p->fd, got, sizeof(got)) == 0;
}

static void send_half(struct peer *p)
{
    p->kept = write(p->fd, "\26\3\1\2\0\1\0\1\374\3\3", 11) == 11;
    wait_for_end(p);
}

static void silence_ends_at_the_deadline(void **state)
{
    void (*const acts[])(struct peer *) = { wait_for_end, send_half };

    for (size_t i = 0; i < COUNT(acts); i++) {
        struct party server = { .act = serve_one, .patience_ms = 40 };
        struct peer peer = { .act = acts[i] };

        assert_true(meet(*state, &server, &peer));
        assert_int_equal(server.io, IO_TIMEOUT);
        assert_int_equal(server.fault, TLS_HANDSHAKE);
        assert_true(peer.kept);
    }
}

static void leave(struct peer *p)
{
    p->kept = true;
}

static void a_peer_that_leaves_is_no_failure_of_ours(void **state)
{
    struct party server = { .act = serve_one };
    struct peer peer = { .act = leave };

    assert_true(meet(*state, &server, &peer));
    assert_int_equal(server.io, IO_EOF);
}

/* --- a hello in pieces ---------------------------------------------------------------------- */

/* Drives an SSL over memory, so that the act decides how its first flight is cut. */
static void shake_by_hand(struct peer *p, void (*send_first)(int fd, const char *bytes, size_t n))
{
    SSL_CTX *ctx = make_peer_ctx(TLS1_3_VERSION);
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    char *bytes, got[20000];

    SSL_set_app_data(ssl, p);
    SSL_set_bio(ssl, in, out);
    SSL_set_tlsext_host_name(ssl, "b.example");
    SSL_set_connect_state(ssl);
    for (int step = 0; step < 8 && SSL_do_handshake(ssl) != 1; step++) {
        long n = BIO_get_mem_data(out, &bytes);

        if (step == 0)
            send_first(p->fd, bytes, (size_t)n);
        else if (n > 0)
            must(write(p->fd, bytes, (size_t)n) == n);
        (void)BIO_reset(out);
        ssize_t came = read(p->fd, got, sizeof(got));
        if (came <= 0)
            break;
        BIO_write(in, got, (int)came);
    }
    p->kept = SSL_is_init_finished(ssl);
    long n = BIO_get_mem_data(out, &bytes);
    must(n == 0 || write(p->fd, bytes, (size_t)n) == n);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    ERR_clear_error();
}

static void send_bytewise(int fd, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        must(write(fd, bytes + i, 1) == 1);
}

/* The same message in records of `piece` bytes. */
static void send_records(int fd, const char *bytes, size_t n, size_t piece)
{
    for (size_t at = 5; at < n; at += piece) {
        size_t part = n - at < piece ? n - at : piece;
        char head[5] = { 22, 3, 1, (char)(part >> 8), (char)part };

        if (write(fd, head, 5) != 5 || write(fd, bytes + at, part) != (ssize_t)part)
            return; /* refused meanwhile */
    }
}

static void send_in_records(int fd, const char *bytes, size_t n)
{
    send_records(fd, bytes, n, 50);
}

static void send_in_crumbs(int fd, const char *bytes, size_t n)
{
    send_records(fd, bytes, n, 1);
}

static void drip(struct peer *p)
{
    shake_by_hand(p, send_bytewise);
}

static void split(struct peer *p)
{
    shake_by_hand(p, send_in_records);
}

static void crumble(struct peer *p)
{
    shake_by_hand(p, send_in_crumbs);
}

static void a_hello_in_pieces_is_read(void **state)
{
    void (*const acts[])(struct peer *) = { drip, split };

    for (size_t i = 0; i < COUNT(acts); i++) {
        struct party server = { .act = NULL };
        struct peer peer = { .act = acts[i] };

        assert_true(meet(*state, &server, &peer));
        assert_int_equal(server.io, IO_OK);
        assert_string_equal(server.name, "b.example");
        assert_true(peer.kept);
    }
}

static void a_hello_in_crumbs_is_refused(void **state)
{
    struct party server = { .act = NULL };
    struct peer peer = { .act = crumble };

    assert_true(meet(*state, &server, &peer));
    assert_int_equal(server.fault, TLS_BAD_HELLO);
    assert_false(peer.kept);
}

/* --- protocols ------------------------------------------------------------------------------ */

static void old_protocols_are_refused(void **state)
{
    struct party server = { .act = serve_one };
    struct peer peer = peer_of(TLS1_1_VERSION, "a.example");

    SSL_CTX_set_min_proto_version(peer.ctx, TLS1_VERSION);
    SSL_CTX_set_cipher_list(peer.ctx, "DEFAULT:@SECLEVEL=0");
    assert_true(meet(*state, &server, &peer));
    assert_int_equal(server.fault, TLS_HANDSHAKE);
    assert_string_equal(server.reason, "unsupported protocol in SSL handshake");
    assert_int_equal(peer.error, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
    peer_done(&peer);
}

static void a_protocol_is_agreed_on_or_refused(void **state)
{
    static const struct {
        const char *offer, *want; /* NULL: refused */
    } cases[] = {
        { "\10http/1.1", "http/1.1" },
        { "\2h2\10http/1.1", "http/1.1" },
        { "\10http/1.0", "http/1.0" },
        { "\3foo", NULL },
        { "\2h2", NULL },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct party server = { .act = serve_one };
        struct peer peer = peer_of(TLS1_3_VERSION, "a.example");

        SSL_CTX_set_alpn_protos(peer.ctx, (const unsigned char *)cases[i].offer,
                                (unsigned)strlen(cases[i].offer));
        assert_true(meet(*state, &server, &peer));
        if (cases[i].want != NULL)
            assert_string_equal(server.alpn, cases[i].want);
        else
            assert_int_equal(peer.error, SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
        assert_int_equal(server.io, cases[i].want != NULL ? IO_OK : IO_FAILED);
        peer_done(&peer);
    }
}

static void settings_that_openssl_refuses_are_said(void **state)
{
    static const struct tls_command commands[] = {
        { SPAN("NumTickets"), SPAN("2") },
        { SPAN("Options"), SPAN("NoSuch") },
        { SPAN("PrivateKey"), SPAN("/etc/passwd") },
    };
    static const struct {
        struct tls_settings s;
        enum tls_setting what;
        const char *reason;
    } cases[] = {
        { { .protocols = 0 }, TLS_SET_PROTOCOLS, "" },
        { { .protocols = TLS_1_2, .ciphers = SPAN("NOSUCH") }, TLS_SET_CIPHERS, "no cipher match" },
        { { .protocols = TLS_1_3, .curves = SPAN("nosuch") }, TLS_SET_CURVES, "" },
        { { .protocols = TLS_1_3, .curves = { "X25519\0nosuch", 13 } }, TLS_SET_CURVES, "" },
        { { .protocols = TLS_1_2, .dh_pem = SPAN("no PEM") }, TLS_SET_DH, "" },
        { { .protocols = TLS_1_2, .commands = commands, .command_count = 2 }, TLS_SET_COMMAND, "" },
        { { .protocols = TLS_1_2, .commands = commands + 2, .command_count = 1 },
          TLS_SET_COMMAND,
          "unknown cmd name" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tls_refusal refusal;

        assert_null(tls_server_context_new(&cases[i].s, &refusal));
        assert_int_equal(refusal.setting, cases[i].what);
        assert_true(refusal.reason[0] != '\0');
        assert_memory_equal(refusal.reason, cases[i].reason, strlen(cases[i].reason));
        if (refusal.setting == TLS_SET_COMMAND)
            assert_int_equal(refusal.command, cases[i].s.command_count - 1);
    }
}

static void the_order_of_ciphers_is_as_set(void **state)
{
    static const struct {
        enum tls_order order;
        const char *want;
    } cases[] = {
        { TLS_ORDER_UNSET, "TLS_AES_128_GCM_SHA256" },
        { TLS_ORDER_SERVER, "TLS_AES_128_GCM_SHA256" },
        { TLS_ORDER_CLIENT, "TLS_AES_256_GCM_SHA384" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tls_settings s = { .protocols = TLS_1_3, .prefer_server_ciphers = cases[i].order };
        struct party server = { .act = serve_one };
        struct peer peer = peer_of(TLS1_3_VERSION, "a.example");
        struct tls_refusal refusal;

        server.context = tls_server_context_new(&s, &refusal);
        assert_true(meet(*state, &server, &peer));
        assert_string_equal(server.cipher, cases[i].want);
        assert_null(peer.session); /* no tickets in these settings */
        tls_context_unref(&server.context);
        peer_done(&peer);
    }
}

static void an_unreadable_certificate_fails_its_name_alone(void **state)
{
    struct room *r = *state;
    struct party server = { .act = serve_one };
    struct peer peer = peer_of(TLS1_3_VERSION, "a.example");

    tls_identity_unref(&r->a_identity);
    r->a_identity = tls_identity_new((struct span)SPAN("\0\0\0\4junk"), (struct span)SPAN("Ejunk"));
    assert_true(meet(r, &server, &peer));
    assert_int_equal(server.fault, TLS_HANDSHAKE);
    assert_string_equal(server.reason, "certificate or key is not readable");
    assert_int_equal(peer.error, SSL_R_TLSV1_ALERT_INTERNAL_ERROR);
    peer_done(&peer);
}

/* --- resumption ----------------------------------------------------------------------------- */

static void resume(struct room *r, struct peer *peer, struct party *server)
{
    *server = (struct party){ .act = serve_one, .context = server->context };
    peer->kept = false;
    assert_true(meet(r, server, peer));
    assert_int_equal(server->io, IO_OK);
    assert_true(peer->kept);
}

static void a_ticket_resumes_in_both_versions(void **state)
{
    static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };

    for (size_t i = 0; i < COUNT(versions); i++) {
        struct party server = { .act = NULL };
        struct peer peer = peer_of(versions[i], "a.example");

        resume(*state, &peer, &server);
        assert_false(server.resumed);
        for (int times = 0; times < 3; times++) {
            assert_non_null(peer.session); /* in 1.3 each use brought a new one */
            resume(*state, &peer, &server);
            assert_true(server.resumed);
        }
        peer_done(&peer);
    }
}

static void a_ticket_of_another_server_block_does_not_resume(void **state)
{
    static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };

    for (size_t i = 0; i < COUNT(versions); i++) {
        struct party server = { .act = NULL };
        struct peer peer = peer_of(versions[i], "a.example");

        resume(*state, &peer, &server);
        peer.name = "b.example";
        peer.act = expect_b;
        resume(*state, &peer, &server);
        assert_false(server.resumed);
        peer_done(&peer);
    }
}

static void a_damaged_ticket_costs_a_full_handshake(void **state)
{
    struct party server = { .act = NULL };
    struct peer peer = peer_of(TLS1_2_VERSION, "a.example");
    unsigned char *der = NULL;

    resume(*state, &peer, &server);
    const unsigned char *ticket;
    size_t len;
    SSL_SESSION_get0_ticket(peer.session, &ticket, &len);
    int size = i2d_SSL_SESSION(peer.session, &der);
    assert_true(size > 0);
    for (int i = 0; i + (int)len <= size; i++)
        if (memcmp(der + i, ticket, len) == 0)
            der[i + 40] ^= 1; /* behind the key's name */
    const unsigned char *at = der;
    SSL_SESSION_free(peer.session);
    peer.session = d2i_SSL_SESSION(NULL, &at, size);
    OPENSSL_free(der);
    resume(*state, &peer, &server);
    assert_false(server.resumed);
    peer_done(&peer);
}

/* --- sessions that we keep ------------------------------------------------------------------ */

static struct tls_context *make_keeper(struct tls_sessions *sessions, bool tickets)
{
    return make_server(
        (struct tls_settings){ .tickets = tickets, .offers_ids = true, .sessions = sessions });
}

static void no_tickets(struct peer *p)
{
    SSL_CTX_set_options(p->ctx, SSL_OP_NO_TICKET);
}

static void a_kept_session_resumes_in_both_versions(void **state)
{
    static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };
    struct tls_sessions *sessions = tls_sessions_new(64 << 10, 300000);

    for (size_t i = 0; i < COUNT(versions); i++) {
        struct party server = { .context = make_keeper(sessions, false) };
        struct tls_context *second = make_keeper(sessions, false); /* after a reload, say */
        struct peer peer = peer_of(versions[i], "a.example");

        resume(*state, &peer, &server);
        assert_false(server.resumed);
        for (int times = 0; times < 3; times++) {
            assert_non_null(peer.session);
            resume(*state, &peer, &server);
            assert_true(server.resumed);
        }
        tls_context_unref(&server.context);
        server.context = second;
        resume(*state, &peer, &server);
        assert_true(server.resumed);
        tls_context_unref(&server.context);
        peer_done(&peer);
    }
    tls_sessions_unref(&sessions);
}

static void a_client_without_tickets_resumes_by_id_alone(void **state)
{
    struct tls_sessions *sessions = tls_sessions_new(64 << 10, 300000);
    const struct {
        struct tls_sessions *sessions;
        bool resumed;
    } cases[] = { { sessions, true }, { NULL, false } }; /* an id is offered, nothing is kept */

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct party server = { .context = make_keeper(cases[i].sessions, true) };
        struct peer peer = peer_of(TLS1_2_VERSION, "a.example");

        no_tickets(&peer);
        resume(*state, &peer, &server);
        assert_non_null(peer.session);
        resume(*state, &peer, &server);
        assert_int_equal(server.resumed, cases[i].resumed);
        tls_context_unref(&server.context);
        peer_done(&peer);
    }
    tls_sessions_unref(&sessions);
}

static void a_kept_session_of_another_server_block_does_not_resume(void **state)
{
    static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };
    struct room *r = *state;
    struct tls_sessions *sessions = tls_sessions_new(64 << 10, 300000);

    tls_context_unref(&r->b);
    r->b = make_keeper(sessions, false);
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct party server = { .context = make_keeper(sessions, false) };
        struct peer peer = peer_of(versions[i], "a.example");

        resume(r, &peer, &server);
        peer.name = "b.example";
        peer.act = expect_b;
        resume(r, &peer, &server);
        assert_false(server.resumed);
        tls_context_unref(&server.context);
        peer_done(&peer);
    }
    tls_sessions_unref(&sessions);
}

static void a_full_store_forgets_the_oldest_session(void **state)
{
    struct tls_sessions *sessions = tls_sessions_new(tls_sessions_size(2), 300000);
    struct party server = { .context = make_keeper(sessions, false) };
    struct peer peer[3];

    for (size_t i = 0; i < COUNT(peer); i++) {
        peer[i] = peer_of(TLS1_2_VERSION, "a.example");
        no_tickets(&peer[i]);
        resume(*state, &peer[i], &server);
    }
    for (size_t i = COUNT(peer); i-- > 0;) {
        resume(*state, &peer[i], &server);
        assert_int_equal(server.resumed, i > 0);
        peer_done(&peer[i]);
    }
    tls_context_unref(&server.context);
    tls_sessions_unref(&sessions);
    assert_null(tls_sessions_new(100, 300000));
}

static void a_damaged_record_costs_a_full_handshake(void **state)
{
    struct tls_sessions *sessions = tls_sessions_new(64 << 10, 300000);
    struct party server = { .context = make_keeper(sessions, true) };
    struct peer peer = peer_of(TLS1_2_VERSION, "a.example");
    unsigned len;

    no_tickets(&peer);
    resume(*state, &peer, &server);
    const char *id = (const char *)SSL_SESSION_get_id(peer.session, &len);
    assert_true(
        table_put(&sessions->store, (struct span){ id, len }, (struct span)SPAN("\60\202junk")));
    resume(*state, &peer, &server);
    assert_false(server.resumed);
    resume(*state, &peer, &server);
    assert_true(server.resumed);
    tls_context_unref(&server.context);
    tls_sessions_unref(&sessions);
    peer_done(&peer);
}

/* --- other settings ------------------------------------------------------------------------- */

static void read_small_records(struct peer *p)
{
    char got[6];
    size_t have = 0;

    p->kept = SSL_write(p->ssl, "question", 8) == 8;
    while (p->kept && have < 6) { /* a read gives one record */
        int n = SSL_read(p->ssl, got + have, (int)(6 - have));
        p->kept = n > 0 && n <= 4;
        have += n > 0 ? (size_t)n : 0;
    }
    SSL_shutdown(p->ssl);
}

static void a_record_holds_no_more_than_it_may(void **state)
{
    struct party server = { .context = make_server((struct tls_settings){ .record_most = 4 }) };
    struct peer peer = peer_of(TLS1_3_VERSION, "a.example");

    peer.act = read_small_records;
    resume(*state, &peer, &server);
    tls_context_unref(&server.context);
    peer_done(&peer);
}

static void a_command_is_obeyed_but_not_against_us(void **state)
{
    static const struct tls_command commands[] = {
        { SPAN("Ciphersuites"), SPAN("TLS_CHACHA20_POLY1305_SHA256") },
        { SPAN("Options"), SPAN("Compression,ClientRenegotiation") },
    };
    struct party server = { .context = make_server((struct tls_settings){
                                .commands = commands, .command_count = COUNT(commands) }) };
    struct peer peer = peer_of(TLS1_3_VERSION, "a.example");
    uint64_t options = SSL_CTX_get_options(server.context->ctx);

    resume(*state, &peer, &server);
    assert_string_equal(server.cipher, "TLS_CHACHA20_POLY1305_SHA256");
    assert_true(options & SSL_OP_NO_RENEGOTIATION);
    assert_true(options & SSL_OP_NO_COMPRESSION);
    tls_context_unref(&server.context);
    peer_done(&peer);
}

#define WITH_ROOM(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define ROW(promise, function)                     \
    {                                              \
        promise, function, set_up, tear_down, NULL \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WITH_ROOM(the_name_chooses_the_certificate),
        WITH_ROOM(a_refused_name_is_told_so),
        WITH_ROOM(a_second_hello_with_the_same_name_is_served),
        WITH_ROOM(a_second_hello_with_another_name_is_refused),
        WITH_ROOM(our_client_trusts_the_right_name_alone),
        WITH_ROOM(plain_http_is_given_back),
        WITH_ROOM(junk_costs_no_ssl),
        WITH_ROOM(silence_ends_at_the_deadline),
        WITH_ROOM(a_peer_that_leaves_is_no_failure_of_ours),
        WITH_ROOM(a_hello_in_pieces_is_read),
        WITH_ROOM(a_hello_in_crumbs_is_refused),
        WITH_ROOM(old_protocols_are_refused),
        WITH_ROOM(a_protocol_is_agreed_on_or_refused),
        cmocka_unit_test(settings_that_openssl_refuses_are_said),
        WITH_ROOM(the_order_of_ciphers_is_as_set),
        WITH_ROOM(an_unreadable_certificate_fails_its_name_alone),
        WITH_ROOM(a_ticket_resumes_in_both_versions),
        ROW("TLS-33-a-ticket-of-another-server-block-does-not-resume",
            a_ticket_of_another_server_block_does_not_resume),
        ROW("TLS-33-a-damaged-ticket-costs-a-full-handshake",
            a_damaged_ticket_costs_a_full_handshake),
        WITH_ROOM(a_kept_session_resumes_in_both_versions),
        WITH_ROOM(a_client_without_tickets_resumes_by_id_alone),
        WITH_ROOM(a_kept_session_of_another_server_block_does_not_resume),
        ROW("TLS-34-a-full-store-forgets-the-oldest-session",
            a_full_store_forgets_the_oldest_session),
        ROW("TLS-35-a-damaged-record-costs-a-full-handshake",
            a_damaged_record_costs_a_full_handshake),
        WITH_ROOM(a_record_holds_no_more_than_it_may),
        WITH_ROOM(a_command_is_obeyed_but_not_against_us),
    };

    tls_process_init();
    signal(SIGPIPE, SIG_IGN); /* the peers' */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
