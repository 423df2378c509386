/* Tunnels: what is logged at their end, when the buffers that the request came in serve others. */
#include "replay.h"

#include "exchange/module.h"
#include "exchange/variable.h"
#include "run/module_list.h"

#include <stdio.h>

#define UPGRADE                                                                      \
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"     \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: c=biscuit\r\nX-A: b\r\n" \
    "User-Agent: browser\r\n\r\n"
#define SWITCHED                                                               \
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "     \
    "websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-B: " \
    "yes\r\n\r\n"

/* Every variable that there is, so that one more cannot be forgotten: under ASan, reading from a
 * buffer that was given back ends the program. */
static void add_all_variables(struct buf *config)
{
    for (unsigned m = 0; m < module_list_count; m++) {
        const struct variable *v = module_list[m]->variables;

        for (; v != NULL && v->name != NULL; v++)
            buf_addf(config, " ${%s%s}", v->name, variable_is_family(v) ? "a" : "");
    }
}

static int setup(void **state)
{
    struct buf config;

    buf_init(&config, 65536, NULL);
    buf_adds(&config,
             "log_format all '$uri|$args|$arg_t|$document_uri|$request_uri|$request|$1|$rest|"
             "$http_user_agent|$http_x_a|$cookie_c|$host|$http_host|$upstream_http_x_b|"
             "$sent_http_x_b|$decided_by|");
    add_all_variables(&config);
    buf_adds(&config, "';\nserver { listen 8080; server_name ~^(?<who>.+)\\.example$;"
                      " access_log %/access.log all;"
                      " location ~ ^/(w\\w+)/(?<rest>.*)$ { proxy_pass http://10.0.0.1; }"
                      " location / { access_log off; return 200 $uri; } }");
    assert_true(buf_ok(&config));
    buf_add_byte(&config, '\0');
    *state = replay_new(config.data);
    buf_done(&config);
    return 0;
}

#define NEXT "server { listen 8080; access_log %/other.log; return 204; }"

/* Ends the tunnel of client 0, after others have used the same buffers and the configuration that
 * named what is logged has gone. */
static const char *logged_after_others(struct replay *r, struct backend *b)
{
    struct generation *old = generation_ref(r->worker.generation);

    replay_settle(r);
    if (!span_starts(client_bytes(r, 0), "HTTP/1.1 101 "))
        fail_msg("%s %s", client_got(r, 0), replay_errors(r, LEVEL_ERROR));
    for (unsigned c = 1; c < 4; c++)
        client_sends(r, c, GET("/other/path/that/is/longer?t=other"));
    replay_settle(r);
    assert_string_equal(replay_log(r), "");
    replay_reload(r, NEXT);
    assert_int_equal(old->refs, 1); /* ours */
    generation_unref(&old);
    client_leaves(r, 0);
    backend_ends(b, 0, THEN_CLOSE);
    replay_settle(r);
    return replay_log(r);
}

#define WANTED                                                                          \
    "/ws/a b|t=mine|mine|/ws/a b|/ws/a%20b?t=mine|GET /ws/a%20b?t=mine HTTP/1.1|ws|a b" \
    "|browser|b|***|a.example|A.example|yes|yes|"

static void the_line_of_a_tunnel_tells_of_its_own_request(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, SWITCHED, THEN_KEEP);
    client_sends(r, 0, "GET /ws/a%20b?t=mine HTTP/1.1\r\nHost: A.example\r\n" UPGRADE);
    const char *got = logged_after_others(r, b);
    if (!span_starts(span_of(got), WANTED))
        fail_msg("%s", got);
}

static void so_does_one_whose_head_came_in_pieces(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, SWITCHED, THEN_KEEP);
    client_sends(r, 0, "GET /ws/a%20b?t=mi");
    replay_settle(r);
    client_sends(r, 0, "ne HTTP/1.1\r\nHost: A.example\r\n");
    replay_settle(r);
    client_sends(r, 0, UPGRADE);
    const char *got = logged_after_others(r, b);
    if (!span_starts(span_of(got), WANTED))
        fail_msg("%s", got);
}

/* --- what is known at the end alone ----------------------------------------------------------- */

#define LOGGED(name, condition) " access_log %/access.log " name " if=" condition ";"

static int setup_late(void **state)
{
    *state = replay_new(
        "log_format early '$uri'; log_format bytes '$request_length $bytes_sent $body_bytes_sent';"
        "log_format times '$request_time $upstream_connect_time $upstream_response_time';"
        "log_format upstream '$upstream_addr $upstream_status $upstream_response_length "
        "$upstream_bytes_sent $upstream_bytes_received';"
        "log_format tunnel '$status $forward_bytes_up $forward_bytes_down $request_completion';"
        "server { listen 8080; root %/; location / { proxy_pass http://10.0.0.1;"
        " proxy_read_timeout 60s;" LOGGED("early", "$http_x_none") LOGGED("early", "$http_x_a")
            LOGGED("early", "$forward_bytes_up") LOGGED("bytes", "1") LOGGED("times", "1")
                LOGGED("upstream", "1") " access_log %/$http_x_a.log tunnel; } }");
    return 0;
}

static struct backend *open_late(struct replay *r)
{
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, SWITCHED, THEN_KEEP);
    client_sends(r, 0, "GET /ws HTTP/1.1\r\nHost: A.example\r\n" UPGRADE);
    replay_settle(r);
    replay_reload(r, NEXT);
    return b;
}

static void bytes_and_times_are_those_of_the_end(void **state)
{
    struct replay *r = *state;
    struct backend *b = open_late(r);
    size_t asked = strlen("GET /ws HTTP/1.1\r\nHost: A.example\r\n" UPGRADE);
    size_t head = client_bytes(r, 0).len, passed_on = strlen(backend_got(b, 0));
    char wanted[512];

    client_sends(r, 0, "ping");
    backend_sends(b, 0, "pong pong");
    replay_wait(r, 2000);
    client_leaves(r, 0);
    backend_ends(b, 0, THEN_CLOSE);
    replay_settle(r);
    snprintf(wanted, sizeof(wanted),
             "/ws\n/ws\n%zu %zu 9\n2.000 0.000 2.000\n10.0.0.1:80 101 9 %zu %zu\n", asked + 4,
             head + 9, passed_on + 4, strlen(SWITCHED) + 9);
    assert_string_equal(replay_log(r), wanted);
    assert_string_equal(replay_logged(r, "b.log"), "101 4 9 OK\n");
}

static void a_condition_may_be_known_at_the_end_alone(void **state)
{
    struct replay *r = *state;
    struct backend *b = open_late(r);

    client_leaves(r, 0);
    backend_ends(b, 0, THEN_CLOSE);
    replay_settle(r);
    assert_true(span_starts(span_of(replay_log(r)), "/ws\n")); /* $forward_bytes_up is 0 */
    assert_false(span_starts(span_of(replay_log(r)), "/ws\n/ws\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("", the_line_of_a_tunnel_tells_of_its_own_request),
        PROMISE("", so_does_one_whose_head_came_in_pieces),
        cmocka_unit_test_setup_teardown(bytes_and_times_are_those_of_the_end, setup_late,
                                        replay_end),
        cmocka_unit_test_setup_teardown(a_condition_may_be_known_at_the_end_alone, setup_late,
                                        replay_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
