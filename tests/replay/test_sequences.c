/* Requests one behind the other, and every way of cutting what peers send into segments: the
 * answers are the same. */
#include "base/address.h"
#include "base/buf.h"
#include "base/span.h"
#include "replay.h"

#define CONFIG                                                                                 \
    "server { listen 8080; keepalive_timeout 600s; root %;"                                    \
    " location / { proxy_pass http://10.0.0.1; }"                                              \
    " location /stream { proxy_pass http://10.0.0.1; proxy_request_buffering off; }"           \
    " location /off { proxy_pass http://10.0.0.1; proxy_buffering off; }"                      \
    " location /own { return 200 own; } location /gone { return 404; } }"                      \
    "server { listen 8081; root %; keepalive_requests 20; location /own { return 200 own; } }" \
    "forward { listen 3128; rule allow if client 203.0.113.0/24; }"

static int setup(void **state)
{
    *state = replay_new(CONFIG);
    return 0;
}

/* --- pipelines -------------------------------------------------------------------------------- */

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(3, "one"), THEN_KEEP);
    backend_answers(b, OK_CHUNKED "3\r\ntwo\r\n0\r\n\r\n", THEN_KEEP);
    backend_answers(b, OK(5, "three"), THEN_CLOSE);
    client_sends(r, 0,
                 GET("/1") "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" GET("/own")
                     GET("/3") "POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked"
                               "\r\n\r\n3\r\ndef\r\n0\r\n\r\n" GET("/own"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0),
                        "200 one; 200 two; 200 own; 200 three; 200 three; 200 own");
    assert_int_equal(b->requests, 4);
    assert_true(fake_received(b->conns[0].peer).len > 0);
}

static void forty_in_one_segment_are_forty_answers(void **state)
{
    struct replay *r = *state;
    struct buf all, want;

    buf_init(&all, 100000, NULL);
    buf_init(&want, 100000, NULL);
    for (int i = 0; i < 40; i++) {
        buf_adds(&all, i % 2 ? GET("/own") : GET("/gone"));
        buf_adds(&want, i % 2 ? "200" : "404");
        buf_adds(&want, i == 39 ? " own" : i % 2 ? " own; " : "; ");
    }
    buf_add_byte(&want, '\0');
    client_sends_span(r, 0, buf_view(&all));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), want.data);
    buf_done(&all);
    buf_done(&want);
}

/* A client that pipelines without end does not keep others waiting for long. */
static void a_long_pipeline_lets_others_have_their_turn(void **state)
{
    struct replay *r = *state;
    struct buf all;

    buf_init(&all, 1000000, NULL);
    for (int i = 0; i < 900; i++)
        buf_adds(&all, GET("/own"));
    client_sends_span(r, 0, buf_view(&all));
    replay_turn(r);
    client_sends(r, 1, GET("/own"));
    for (int i = 0; i < 6; i++)
        replay_turn(r);
    assert_string_equal(client_got(r, 1), "200 own");
    assert_true(r->worker.exchanges < 300);
    replay_settle(r);
    assert_int_equal(r->worker.exchanges, 901);
    buf_done(&all);
}

/* Who reads nothing is read no further, and the number of requests has an end. */
static void a_pipeline_whose_client_reads_nothing_stands_still(void **state)
{
    struct replay *r = *state;
    struct buf all;
    size_t idle = r->worker.budget.used;

    buf_init(&all, 1000000, NULL);
    for (int i = 0; i < 5000; i++)
        buf_adds(&all, GET("/own"));
    client_connects(r, 0, 8081);
    fake_window(r->clients[0], 1000);
    client_sends_span(r, 0, buf_view(&all));
    replay_settle(r);
    assert_in_range(r->worker.exchanges, 2, 8);
    assert_int_equal(r->worker.live_exchanges, 1);
    assert_in_range(r->worker.budget.used - idle, 1, 200000);
    fake_window(r->clients[0], SIZE_MAX);
    replay_settle(r);
    assert_int_equal(r->worker.exchanges, 20);
    assert_true(fake_is_closed(r->clients[0]) || replay_open(r) > 0);
    buf_done(&all);
}

static void a_bad_request_follows_a_good_one(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(4, "good"), THEN_KEEP);
    client_sends(r, 0, GET("/") "INVALID\r\n\r\n" GET("/smug"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 good; 400; END");
    assert_int_equal(b->requests, 1);
}

static void after_close_nothing_more_is_run(void **state)
{
    static const char *const closing[] = {
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" GET("/smug"),
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n" GET("/smug"),
        "GET / HTTP/1.0\r\nHost: a\r\n\r\n" GET("/smug"),
    };
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(4, "last"), THEN_KEEP);
    for (unsigned i = 0; i < COUNT(closing); i++) {
        client_sends(r, i, closing[i]);
        replay_settle(r);
        assert_string_equal(client_got(r, i), "200 last; END");
    }
    assert_int_equal(b->requests, COUNT(closing));
}

static void one_stray_byte_is_the_start_of_a_bad_request(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);
    struct span stray = { "0\r\n\r\n", 6 };

    backend_answers(b, OK(4, "good"), THEN_KEEP);
    client_sends(r, 0, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client_sends_span(r, 0, stray);
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 good; 400; END");
}

/* --- every cut -------------------------------------------------------------------------------- */

struct conversation {
    const char *name;
    int port;
    const char *client;
    const char *answer;
    enum then then;
    const char *want;
};

static const struct conversation conversations[] = {
    { "a GET", 8080, GET("/"), OK(5, "hello"), THEN_KEEP, "200 hello" },
    { "a GET without buffering", 8080, GET("/off"), OK_CHUNKED "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
      THEN_KEEP, "200 hello!" },
    { "an answer until close", 8080, GET("/"), "HTTP/1.1 200 OK\r\n\r\nhello", THEN_CLOSE,
      "200 hello" },
    { "a POST with a length", 8080,
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody" GET("/own"), OK(2, "ok"),
      THEN_KEEP, "200 ok; 200 own" },
    { "a chunked POST, spooled", 8080,
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;a=\"b\"\r\nbod\r\n1\r\ny\r\n0\r\nX: y\r\n\r\n" GET("/own"),
      OK_CHUNKED "2\r\nok\r\n0\r\nX: y\r\n\r\n", THEN_KEEP, "200 ok; 200 own" },
    { "a chunked POST, streamed", 8080,
      "POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nbod\r\n1\r\ny\r\n0\r\n\r\n" GET("/own"),
      OK(2, "ok"), THEN_KEEP, "200 ok; 200 own" },
    { "a pipeline", 8080, GET("/own") GET("/gone") GET("/") GET("/own"), OK(2, "ok"), THEN_KEEP,
      "200 own; 404; 200 ok; 200 own" },
    { "early hints", 8080, GET("/"), "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK(2, "ok"),
      THEN_KEEP, "103; 200 ok" },
    { "a 100 nobody asked for", 8080, GET("/"), "HTTP/1.1 100 Continue\r\n\r\n" OK(2, "ok"),
      THEN_KEEP, "200 ok" },
    { "an answer that is cut", 8080, GET("/"), OK(50, "half"), THEN_CLOSE, "200 half CUT; END" },
    { "a chunked answer that is cut", 8080, GET("/"), OK_CHUNKED "5\r\nhel", THEN_CLOSE,
      "200 hel CUT; END" },
    { "a chunked answer without its end", 8080, GET("/"), OK_CHUNKED "5\r\nhello\r\n", THEN_CLOSE,
      "200 hello CUT; END" },
    { "no head at all", 8080, GET("/"), "<html>no head at all", THEN_CLOSE, "502" },
    { "two lengths", 8080, GET("/"),
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", THEN_KEEP, "502" },
    { "a length and chunks", 8080, GET("/"),
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n0\r\n\r\n",
      THEN_KEEP, "502" },
    { "a request with two lengths", 8080,
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nbody"
      "GET /smug HTTP/1.1\r\nHost: a\r\n\r\n",
      OK(2, "ok"), THEN_KEEP, "400; END" },
    { "a bad chunk", 8080,
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "0x5\r\nhello\r\n0\r\n\r\n" GET("/smug"),
      OK(2, "ok"), THEN_KEEP, "400; END" },
    { "a head without Host", 8080, "GET / HTTP/1.1\r\n\r\n" GET("/smug"), OK(2, "ok"), THEN_KEEP,
      "400; END" },
    { "the forward face", 3128,
      "GET http://93.184.216.34/x?y=z HTTP/1.1\r\nHost: 93.184.216.34\r\n\r\n", OK(4, "fwd!"),
      THEN_KEEP, "200 fwd!" },
    { "the forward face denies", 3128, "GET http://10.0.0.1/ HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n",
      OK(4, "evil"), THEN_KEEP,
      "403 403 Forbidden: denied by the address floor: the destination is of the kind "
      "\"private\"\n" },
    { "a file", 8081, GET("/data") GET("/none"), "", THEN_KEEP, "200 0123456789; 404" },
};

static struct backend *backends(struct replay *r, const struct conversation *c)
{
    static const struct address far = { .family = AF_INET, .port = 80, .ip = { 93, 184, 216, 34 } };
    struct backend *b = c->port == 3128 ? backend_at(r, &far, 0) : backend_new(r, 1, 0);

    backend_answers(b, c->answer, c->then);
    replay_file(r, "data", span_of("0123456789"));
    return b;
}

/* What a backend was sent, with bodies out of their chunks. */
static void show_requests(const struct backend *b, struct buf *out)
{
    for (unsigned i = 0; i < b->conn_count; i++) {
        struct span left = fake_received(b->conns[i].peer);

        for (size_t length; (length = request_length(left)) > 0; left = span_from(left, length)) {
            struct span one = span_first(left, length);
            size_t head = (size_t)((char *)memmem(one.at, one.len, "\r\n\r\n", 4) - one.at) + 4;

            buf_add(out, span_first(one, head));
            if (is_chunked(span_first(one, head)))
                unchunk(span_from(one, head), out);
            else
                buf_add(out, span_from(one, head));
        }
        buf_add(out, left);
    }
    buf_add_byte(out, '\0');
}

struct outcome {
    struct buf asked; /* of the backend */
    struct buf log;
    struct buf raw; /* what the client got, byte for byte */
    uint64_t steps[FAKE_STEP_KINDS];
};

static void outcome_done(struct outcome *o)
{
    buf_done(&o->asked);
    buf_done(&o->log);
    buf_done(&o->raw);
}

/* `fails` at the nth step of its kind with EAGAIN; 0: none. */
static struct outcome hold(const struct conversation *c, uint32_t segment, enum fake_step kind,
                           uint64_t nth)
{
    struct replay *r = replay_new(CONFIG);
    struct backend *b = backends(r, c);
    struct outcome o = { 0 };

    fake_segment(&r->loop, segment);
    client_connects(r, 0, c->port);
    client_sends(r, 0, c->client);
    if (nth > 0)
        fake_fail(&r->loop, kind, nth, EAGAIN);
    replay_settle(r);
    const char *got = client_got(r, 0);
    if (strcmp(got, c->want) != 0)
        fail_msg("%s, cut every %u, step %llu of %d: got \"%s\", not \"%s\"", c->name, segment,
                 (unsigned long long)nth, (int)kind, got, c->want);
    buf_init(&o.asked, 100000, NULL);
    buf_init(&o.log, 100000, NULL);
    buf_init(&o.raw, 100000, NULL);
    show_requests(b, &o.asked);
    buf_adds(&o.log, replay_log(r));
    buf_addf(&o.log, "%u errors", replay_error_count(r, LEVEL_ERROR));
    buf_add_byte(&o.log, '\0');
    buf_add(&o.raw, client_bytes(r, 0));
    for (int k = 0; k < FAKE_STEP_KINDS; k++)
        o.steps[k] = fake_steps(&r->loop, (enum fake_step)k);
    replay_free(r);
    return o;
}

static void every_cut_gives_the_same_answers(void **state)
{
    static const uint32_t segments[] = { 1, 2, 3, 7, 50 };

    (void)state;
    for (unsigned i = 0; i < COUNT(conversations); i++) {
        const struct conversation *c = &conversations[i];
        struct outcome whole = hold(c, 0, FAKE_RECV, 0);

        for (unsigned j = 0; j < COUNT(segments); j++) {
            struct outcome cut = hold(c, segments[j], FAKE_RECV, 0);
            bool rechunked = span_has(buf_view(&whole.raw), "Transfer-Encoding: chunked");

            assert_string_equal(whole.asked.data, cut.asked.data);
            assert_string_equal(whole.log.data, cut.log.data);
            if (!rechunked && !span_same(buf_view(&whole.raw), buf_view(&cut.raw)))
                fail_msg("%s, cut every %u: other bytes", c->name, segments[j]);
            outcome_done(&cut);
        }
        outcome_done(&whole);
    }
}

static void a_delay_at_any_step_changes_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < COUNT(conversations); i++) {
        const struct conversation *c = &conversations[i];
        struct outcome whole = hold(c, 0, FAKE_RECV, 0);

        for (enum fake_step kind = FAKE_RECV; kind <= FAKE_SEND; kind++)
            for (uint64_t n = 1; n <= whole.steps[kind]; n++) {
                struct outcome late = hold(c, 0, kind, n);
                assert_string_equal(whole.asked.data, late.asked.data);
                assert_string_equal(whole.log.data, late.log.data);
                outcome_done(&late);
            }
        outcome_done(&whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("FLOW-23-", pipelined_requests_are_answered_in_order),
        PROMISE("", forty_in_one_segment_are_forty_answers),
        PROMISE("FLOW-27-", a_long_pipeline_lets_others_have_their_turn),
        PROMISE("FLOW-26-", a_pipeline_whose_client_reads_nothing_stands_still),
        PROMISE("FLOW-24-", a_bad_request_follows_a_good_one),
        PROMISE("FLOW-25-", after_close_nothing_more_is_run),
        PROMISE("CHNK-32-", one_stray_byte_is_the_start_of_a_bad_request),
        cmocka_unit_test(every_cut_gives_the_same_answers),
        cmocka_unit_test(a_delay_at_any_step_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
