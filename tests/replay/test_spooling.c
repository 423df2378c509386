/* What does not fit into memory goes to temporary files: answers for slow clients, bodies of
 * requests. The disk may be full, the folder missing, the file at its limit. */
#include "replay.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#define CONFIG                                                                         \
    "client_max_body_size 0; server { listen 8080; send_timeout 100s; sendfile on;"    \
    " location / { proxy_pass http://10.0.0.1; }"                                      \
    " location /copied { proxy_pass http://10.0.0.1; sendfile off; }"                  \
    " location /gzip { proxy_pass http://10.0.0.1; gzip on; gzip_types *; }"           \
    " location /bounded { proxy_pass http://10.0.0.1; proxy_max_temp_file_size 64k;"   \
    " proxy_temp_file_write_size 4k; }"                                                \
    " location /nowhere { proxy_pass http://10.0.0.1; proxy_temp_path %/missing;"      \
    " client_body_temp_path %/missing; }"                                              \
    " location /impatient { proxy_pass http://10.0.0.1; proxy_max_temp_file_size 64k;" \
    " send_timeout 2s; }"                                                              \
    "} forward { listen 3128; rule allow if client 203.0.113.0/24; }"

enum { KIB = 1024, MIB = 1024 * KIB, BUFFERS = 32 * KIB, SLACK = 3 * BLOCK_SIZE };

static int setup(void **state)
{
    *state = replay_new(CONFIG);
    return 0;
}

static char body_byte(size_t i)
{
    return (char)('a' + i * 7 % 23 + i / 4096 % 3);
}

static struct span long_answer(struct replay *r, size_t length, bool chunked)
{
    struct buf text;

    buf_init(&text, 64 * MIB, NULL);
    if (chunked)
        buf_addf(&text, OK_CHUNKED "%zx\r\n", length);
    else
        buf_addf(&text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", length);
    for (size_t i = 0; i < length; i++)
        buf_add_byte(&text, body_byte(i));
    if (chunked)
        buf_adds(&text, "\r\n0\r\n\r\n");
    struct span kept = arena_copy(&r->scratch, buf_view(&text));
    buf_done(&text);
    return kept;
}

/* A client that has taken 1000 bytes of an answer and takes no more for now. */
static struct backend *slow_client(struct replay *r, const char *request, size_t length,
                                   bool chunked)
{
    struct backend *b = backend_new(r, 1, 0);

    backend_answers_span(b, long_answer(r, length, chunked), THEN_KEEP);
    client_connects(r, 0, 8080);
    fake_window(r->clients[0], 1000);
    client_sends(r, 0, request);
    replay_settle(r);
    return b;
}

/* It takes the rest, so much at a time; each byte is right. */
static void drain(struct replay *r, size_t step, size_t length)
{
    size_t before = SIZE_MAX;

    while (client_bytes(r, 0).len != before) {
        before = client_bytes(r, 0).len;
        fake_drain(r->clients[0], step);
        replay_settle(r);
    }
    struct span got = span_of(client_got(r, 0));
    assert_true(span_starts(got, "200 "));
    got = span_from(got, 4);
    if (got.len != length)
        fail_msg("%zu bytes of %zu came: ...%s", got.len, length,
                 got.at + (got.len > 40 ? got.len - 40 : 0));
    for (size_t i = 0; i < length; i++)
        if (got.at[i] != body_byte(i))
            fail_msg("byte %zu is another", i);
}

static size_t taken(const struct backend *b, size_t length)
{
    return length - peer_unread(b->conns[0].peer);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void a_long_answer_goes_to_a_file_and_frees_its_upstream(void **state)
{
    struct replay *r = *state;
    size_t idle = r->worker.budget.used;

    slow_client(r, GET("/"), 4 * MIB, false);
    assert_int_equal(r->worker.pooled_connections, 1);
    assert_in_range(r->worker.spooled, 4 * MIB - BUFFERS - SLACK, 4 * MIB);
    assert_in_range(r->worker.budget.used - idle, 0, BUFFERS + 8 * BLOCK_SIZE + 4 * 64 * KIB);
    assert_int_equal(replay_error_count(r, LEVEL_WARN), 1);
    assert_non_null(strstr(replay_errors(r, LEVEL_WARN),
                           "*1 an upstream response is buffered to a temporary file in "));
    drain(r, 100 * KIB, 4 * MIB);
    assert_int_equal(r->worker.spooled, 0);
    assert_int_equal(replay_error_count(r, LEVEL_ERROR), 0);
    client_sends(r, 0, GET("/copied"));
    replay_settle(r);
    assert_int_equal(r->worker.exchanges, 2); /* the connection was kept */
}

static void an_answer_of_unknown_length_stays_framed(void **state)
{
    struct replay *r = *state;

    slow_client(r, GET("/"), MIB, true);
    assert_int_equal(r->worker.pooled_connections, 1);
    drain(r, 10007, MIB);
}

static void without_sendfile_the_file_is_read(void **state)
{
    struct replay *r = *state;

    slow_client(r, GET("/copied"), MIB, true);
    assert_true(r->worker.spooled > MIB / 2);
    drain(r, 33333, MIB);
}

/* Chunks and files mix in any order: each cut of both sides. */
static void each_pace_of_the_client_gets_each_byte(void **state)
{
    struct replay *r = *state;
    static const size_t steps[] = { 997, 4096, 16384, 40000, 300000 };
    static const char *const asked[] = { GET("/"), GET("/copied"), GET("/bounded") };
    struct backend *b = backend_new(r, 1, 0);

    for (unsigned i = 0; i < COUNT(steps) * COUNT(asked) * 2; i++) {
        struct fake_peer **client = &r->clients[0];
        backend_answers_span(b, long_answer(r, 300 * KIB, i % 2), THEN_KEEP);
        *client = NULL;
        client_connects(r, 0, 8080);
        fake_window(*client, 500);
        client_sends(r, 0, asked[i / 2 % COUNT(asked)]);
        replay_settle(r);
        drain(r, steps[i / 2 / COUNT(asked)], 300 * KIB);
        client_leaves(r, 0);
        replay_settle(r);
    }
}

static void a_filter_reads_what_lies_in_the_file(void **state)
{
    struct replay *r = *state;

    slow_client(r, "GET /gzip HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n", 4 * MIB,
                false);
    fake_window(r->clients[0], SIZE_MAX);
    replay_settle(r);
    assert_true(span_has(client_bytes(r, 0), "Content-Encoding: gzip"));
    assert_string_equal(replay_log(r), "200 \"GET /gzip HTTP/1.1\" 0.000 10.0.0.1:80\n");
    assert_int_equal(r->worker.pooled_connections, 1);
}

static void at_the_files_limit_the_upstream_waits(void **state)
{
    struct replay *r = *state;
    struct backend *b = slow_client(r, GET("/bounded"), MIB, false);

    assert_int_equal(r->worker.spooled, 64 * KIB);
    assert_in_range(taken(b, MIB), 64 * KIB, 64 * KIB + BUFFERS + 2 * SLACK);
    for (int i = 0; i < 300; i++) {
        fake_drain(r->clients[0], 5000);
        replay_settle(r);
        assert_in_range(r->worker.spooled, 0, 64 * KIB);
    }
    drain(r, 10000, MIB);
    assert_int_equal(replay_error_count(r, LEVEL_WARN), 1); /* one file, used again and again */
}

static void a_client_that_takes_nothing_is_left_in_time(void **state)
{
    struct replay *r = *state;
    struct backend *b = slow_client(r, GET("/impatient"), 4 * MIB, false);

    assert_in_range(taken(b, 4 * MIB), 64 * KIB, 64 * KIB + BUFFERS + 2 * SLACK);
    assert_closed_after(r, 0, 2000);
    assert_true(backend_is_closed(b, 0));
    assert_int_equal(r->worker.spooled, 0);
}

static void a_client_that_leaves_takes_its_file_along(void **state)
{
    struct replay *r = *state;

    slow_client(r, GET("/"), 4 * MIB, false);
    assert_true(r->worker.spooled > 0);
    client_resets(r, 0);
    replay_settle(r);
    assert_int_equal(r->worker.spooled, 0);
    assert_int_equal(r->worker.live_exchanges, 0);
}

static void a_cut_answer_is_cut_behind_its_last_byte(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);
    struct span whole = long_answer(r, MIB, false);

    backend_answers_span(b, span_first(whole, whole.len - 1), THEN_CLOSE);
    client_connects(r, 0, 8080);
    fake_window(r->clients[0], 1000);
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    assert_int_equal(b->conn_count, 1);
    fake_window(r->clients[0], SIZE_MAX);
    replay_settle(r);
    struct span got = span_of(client_got(r, 0));
    assert_int_equal(got.len, 4 + MIB - 1 + strlen(" CUT; END"));
    assert_true(span_ends(got, " CUT; END"));
    assert_int_equal(replay_error_count(r, LEVEL_ERROR), 1);
}

/* --- what a disk does ------------------------------------------------------------------------- */

/* The client set the pace before there were files, and does so again. */
static void without_its_folder_an_answer_goes_on_in_memory(void **state)
{
    struct replay *r = *state;
    struct backend *b = slow_client(r, GET("/nowhere"), MIB, false);

    assert_in_range(taken(b, MIB), BUFFERS / 2, BUFFERS + 2 * SLACK);
    assert_int_equal(r->worker.spooled, 0);
    drain(r, 10000, MIB);
    assert_int_equal(replay_error_count(r, LEVEL_CRIT), 1);
    assert_non_null(strstr(replay_errors(r, LEVEL_CRIT), "/missing\" failed (2: No such file"));
    assert_non_null(strstr(replay_errors(r, LEVEL_CRIT), " while reading upstream, client: "));
}

/* As a full disk: no file grows beyond so many bytes. */
static void disk_ends_at(size_t bytes)
{
    static struct rlimit before;
    struct rlimit now = { bytes, RLIM_INFINITY };

    signal(SIGXFSZ, SIG_IGN);
    if (bytes > 0)
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    now.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, bytes > 0 ? &now : &before), 0);
}

static void on_a_full_disk_an_answer_goes_on_in_memory(void **state)
{
    struct replay *r = *state;

    disk_ends_at(100001);
    slow_client(r, GET("/"), MIB, false);
    disk_ends_at(0);
    assert_int_equal(r->worker.spooled, 100001); /* the last write was a part of a piece */
    drain(r, 10000, MIB);
    assert_int_equal(replay_error_count(r, LEVEL_CRIT), 1);
    assert_int_equal(replay_error_count(r, LEVEL_WARN), 1);
}

static void post(struct replay *r, unsigned c, const char *path, size_t length)
{
    char head[200];

    snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", path,
             length);
    client_sends(r, c, head);
    client_sends_span(r, c, span_from(long_answer(r, length, false), 0));
}

static void without_its_folder_a_long_body_is_a_500(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(2, "ok"), THEN_KEEP);
    client_sends(r, 1, "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    post(r, 0, "/nowhere", 200 * KIB);
    replay_settle(r);
    assert_string_equal(client_got(r, 1), "200 ok"); /* a small one needs none */
    assert_true(span_starts(client_bytes(r, 0), "HTTP/1.1 500 "));
    assert_int_equal(replay_error_count(r, LEVEL_CRIT), 1);
    assert_int_equal(b->requests, 1);
}

static void on_a_full_disk_a_long_body_is_a_500(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(2, "ok"), THEN_KEEP);
    disk_ends_at(100001);
    post(r, 0, "/", 200 * KIB);
    replay_settle(r);
    disk_ends_at(0);
    assert_true(span_starts(client_bytes(r, 0), "HTTP/1.1 500 "));
    assert_int_equal(replay_error_count(r, LEVEL_CRIT), 1);
    assert_int_equal(r->worker.spooled, 0);
    client_sends(r, 1, GET("/"));
    replay_settle(r);
    assert_string_equal(client_got(r, 1), "200 ok");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("", a_long_answer_goes_to_a_file_and_frees_its_upstream),
        PROMISE("", an_answer_of_unknown_length_stays_framed),
        PROMISE("", without_sendfile_the_file_is_read),
        PROMISE("", each_pace_of_the_client_gets_each_byte),
        PROMISE("", a_filter_reads_what_lies_in_the_file),
        PROMISE("", at_the_files_limit_the_upstream_waits),
        PROMISE("LIM-11-", a_client_that_takes_nothing_is_left_in_time),
        PROMISE("", a_client_that_leaves_takes_its_file_along),
        PROMISE("RESP-32-", a_cut_answer_is_cut_behind_its_last_byte),
        PROMISE("LIM-21-", without_its_folder_an_answer_goes_on_in_memory),
        PROMISE("LIM-21-", on_a_full_disk_an_answer_goes_on_in_memory),
        PROMISE("LIM-21-", without_its_folder_a_long_body_is_a_500),
        PROMISE("LIM-21-", on_a_full_disk_a_long_body_is_a_500),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
