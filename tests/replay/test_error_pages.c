/* Error pages while the answer or the body that they replace is still in somebody's hands: under
 * ASan a look at what was given back ends the program. */
#include "replay.h"

#define BACKEND "proxy_pass http://10.0.0.1; "
#define CONFIG                                                                            \
    "client_max_body_size 0; proxy_intercept_errors on; "                                 \
    "server { listen 8080; error_page 400 405 501 505 = @named;"                          \
    " location /where { error_page 404 = $upstream_http_x_where; " BACKEND "}"            \
    " location /moved { error_page 404 =302 $upstream_http_x_where; " BACKEND "}"         \
    " location /large { client_body_buffer_size 1m; error_page 413 = /told; " BACKEND "}" \
    " location /disk { client_body_temp_path %/none/none; client_body_buffer_size 4k;"    \
    " error_page 500 = @named; " BACKEND "}"                                              \
    " location /told { return 200 $uri; }"                                                \
    " location /admin { deny all; " BACKEND "}"                                           \
    " location @named { " BACKEND "} }"

static int setup(void **state)
{
    *state = replay_new(CONFIG);
    return 0;
}

static void a_page_that_the_answer_names_is_not_read_from_it_later(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, "HTTP/1.1 404 No\r\nX-Where: /told/of/it\r\nContent-Length: 0\r\n\r\n",
                    THEN_KEEP);
    client_sends(r, 0, GET("/where"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 /told/of/it");
    backend_answers(b,
                    "HTTP/1.1 404 No\r\nX-Where: http://b.example/it\r\nContent-Length: 0\r\n\r\n",
                    THEN_KEEP);
    client_sends(r, 1, GET("/moved"));
    replay_settle(r);
    assert_true(span_has(client_bytes(r, 1), "Location: http://b.example/it\r\n"));
}

static void a_body_on_its_way_outlives_the_refusal_of_it(void **state)
{
    static char body[300000];
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    memset(body, 'b', sizeof(body));
    b->window = 200;
    client_sends(r, 0, "POST /large HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n");
    client_sends_span(r, 0, (struct span){ body, sizeof(body) });
    replay_settle(r);
    assert_int_equal(b->conn_count, 1);
    backend_sends(b, 0, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 /told; END");
}

static void half_a_body_goes_to_nobody(void **state)
{
    static char body[15000];
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    memset(body, 'b', sizeof(body));
    backend_answers(b, OK(2, "ok"), THEN_KEEP);
    client_sends(r, 0, "POST /disk HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n");
    client_sends_span(r, 0, (struct span){ body, sizeof(body) });
    replay_settle(r);
    assert_true(span_starts(client_bytes(r, 0), "HTTP/1.1 502 "));
    assert_int_equal(b->requests, 0);
    assert_int_equal(b->conn_count, 0);
}

static void nothing_of_a_refused_head_goes_to_the_page(void **state)
{
    static const char *const heads[] = {
        GET("/pub/../../admin"),
        GET("/admin%00"),
        "GET /admin HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n",
        "GET /admin HTTP/1.1\r\n\r\n",
        "GET /admin HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET /admin?x=y HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        "GET /admin HTTP/3.0\r\nHost: a\r\n\r\n",
    };
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(4, "page"), THEN_CLOSE);
    for (unsigned i = 0; i < COUNT(heads); i++) {
        client_sends(r, i, heads[i]);
        replay_settle(r);
        assert_int_equal(b->conn_count, i + 1);
        const char *asked = backend_got(b, i);
        if (strncmp(asked, "GET / HTTP/1.1\r\n", 16) != 0)
            fail_msg("%s became %s", heads[i], asked);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("", a_page_that_the_answer_names_is_not_read_from_it_later),
        PROMISE("", a_body_on_its_way_outlives_the_refusal_of_it),
        PROMISE("", half_a_body_goes_to_nobody),
        PROMISE("", nothing_of_a_refused_head_goes_to_the_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
