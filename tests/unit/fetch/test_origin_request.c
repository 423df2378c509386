/* fetch/origin_request: what an origin is sent, byte for byte (nginx-semantics 7.1, 7.2). */
#include "unit/support.h"

struct backend {
    struct fake_peer *peer; /* the connection made last */
    unsigned connections;
};

static void on_connect(void *arg, struct fake_peer *p)
{
    struct backend *b = arg;

    b->peer = p;
    b->connections++;
}

/* What the backend at 127.0.0.1:1 gets of a request; it answers 204. */
static const char *sent(struct stage *s, const char *lines, const char *request)
{
    static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";
    struct backend b = { 0 };
    struct address to;

    stage_server(s, lines);
    if (!s->serving)
        stage_serve(s);
    address_parse(span_of("127.0.0.1:1"), 0, &to);
    fake_origin(&s->loop, &to, 0, on_connect, &b);
    struct fake_peer *client = stage_connect(s);
    fake_send(client, span_of(request));
    fake_run(&s->loop, loop_now(&s->loop) + 100);
    if (b.peer == NULL)
        return "nothing";
    struct span got = fake_received(b.peer);
    char *text = s->text + STAGE_TEXT / 2;
    snprintf(text, STAGE_TEXT / 2, "%.*s", (int)got.len, got.at);
    fake_send(b.peer, (struct span){ answer, sizeof(answer) - 1 });
    fake_run(&s->loop, loop_now(&s->loop) + 100);
    assert_has(stage_received(s, client), "HTTP/1.1 204 No Content\r\n");
    fake_send_eof(client);
    fake_send_eof(b.peer);
    fake_run(&s->loop, loop_now(&s->loop) + 100);
    return text;
}

static const struct {
    const char *location, *pass, *target, *want;
} uris[] = {
    { "/a/", "", "/a/x%20y//z/../w?q", "/a/x%20y//z/../w?q" }, /* as it came */
    { "/a/", "", "/a/%7e?", "/a/%7e?" },
    { "/b/", "/", "/b/x%20y//z", "/x%20y/z" },
    { "/b/", "/", "/b/x?a=1&b=%20", "/x?a=1&b=%20" },
    { "/c/", "/up", "/c/x", "/upx" },
    { "/d", "/up/", "/d/x", "/up//x" },
    { "/d", "/up/", "/dx", "/up/x" },
    { "= /e", "/only", "/e?a=1", "/only?a=1" },
    { "/f/", "/x?k=v", "/f/y?z=1", "/x?k=vy?z=1" },
    { "/g/", "?k=v", "/g/", "/?k=v" },
    { "/h/", "/", "/h/%3f%23%25", "/%3F%23%25" }, /* decoded, so escaped again */
    { "/h/", "/", "/h/\xc3\xa4", "/\xc3\xa4" },   /* nothing was decoded */
    { "/h/", "/", "/h/%20\xc3\xa4", "/%20%C3%A4" },
    { "/", "", "http://a.example/x%2fy?z", "/x%2fy?z" }, /* absolute-form becomes origin-form */
    { "/", "", "http://a.example", "/" },
    { "/", "", "http://a.example?q", "/?q" },
    { "^~ /i/", "/j/", "/i/k", "/j/k" },
};

static void the_uri_part_stands_for_the_locations_name(void **state)
{
    for (size_t i = 0; i < COUNT(uris); i++) {
        char lines[300], request[300], want[300];

        snprintf(lines, sizeof(lines), "location %s { proxy_pass http://127.0.0.1:1%s; }",
                 uris[i].location, uris[i].pass);
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a.example\r\n\r\n",
                 uris[i].target);
        snprintf(want, sizeof(want), "GET %s HTTP/1.1\r\n", uris[i].want);
        const char *got = sent(*state, lines, request);
        if (strncmp(got, want, strlen(want)) != 0)
            fail_msg("%s -> %s, %s: sent %s", uris[i].location, uris[i].pass, uris[i].target, got);
    }
}

static void fields_go_in_order_without_those_of_the_connection(void **state)
{
    const char *got =
        sent(*state, "location / { proxy_pass http://127.0.0.1:1; }",
             "GET / HTTP/1.1\r\nHost: a.example\r\naccept: */*\r\nConnection: close, X-Mine\r\n"
             "X-Mine: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\nProxy-Connection: x\r\n"
             "Trailer: X\r\nHTTP2-Settings: AAA\r\nX-Two: a\r\nx-two: b\r\nAuthorization: Basic "
             "eDp5\r\n\r\n");

    assert_string_equal(
        got, "GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\naccept: */*\r\nX-Two: a\r\nx-two: b\r\n"
             "Authorization: Basic eDp5\r\n\r\n");
}

static void fields_that_are_set_replace_the_clients(void **state)
{
    const char *got =
        sent(*state,
             "location / { proxy_pass http://127.0.0.1:1; proxy_set_header Host $host;\n"
             "proxy_set_header X-Real-IP $remote_addr; proxy_set_header x-gone \"\";\n"
             "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n"
             "proxy_set_header Accept-Encoding \"\"; }",
             "GET / HTTP/1.1\r\nHost: A.example:80\r\nX-REAL-ip: 6.6.6.6\r\nX-Gone: 1\r\n"
             "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\nAccept-Encoding: br\r\n"
             "X-Stay: 1\r\n\r\n");

    assert_string_equal(got, "GET / HTTP/1.1\r\nHost: a.example\r\nX-Real-IP: 192.0.2.7\r\n"
                             "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 192.0.2.7\r\nX-Stay: 1\r\n\r\n");
}

static void set_headers_replace_the_outer_list_whole(void **state)
{
    const char *got =
        sent(*state,
             "proxy_set_header X-Outer 1; proxy_set_header Host outer;\n"
             "location / { proxy_pass http://127.0.0.1:1; proxy_set_header X-Inner 2; }",
             "GET / HTTP/1.0\r\n\r\n");

    assert_string_equal(got, "GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\nX-Inner: 2\r\n\r\n");
}

static const struct {
    const char *lines, *request, *want;
} framings[] = {
    { "", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
      "Content-Length: 3\r\n\r\nabc" },
    { "",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\n"
      "c\r\n0\r\nT: 1\r\n\r\n",
      "Content-Length: 3\r\n\r\nabc" },
    { "", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "Content-Length: 0\r\n\r\n" },
    { "", "POST / HTTP/1.1\r\nHost: a\r\n\r\n", "Content-Length: 0\r\n\r\n" },
    { "", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", "Content-Length: 1\r\n\r\nx" },
    { "proxy_request_buffering off;", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
      "Content-Length: 3\r\n\r\nabc" },
    { "proxy_request_buffering off;",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
      "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" },
    { "client_body_buffer_size 2; client_body_temp_path /tmp;",
      "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde",
      "Content-Length: 5\r\n\r\nabcde" },
};

static void there_is_one_framing_and_it_is_ours(void **state)
{
    for (size_t i = 0; i < COUNT(framings); i++) {
        char lines[300];

        snprintf(lines, sizeof(lines), "location / { proxy_pass http://127.0.0.1:1; %s }",
                 framings[i].lines);
        const char *got = sent(*state, lines, framings[i].request);
        size_t n = strlen(framings[i].want);
        if (strlen(got) < n || strcmp(got + strlen(got) - n, framings[i].want) != 0)
            fail_msg("%s %s: sent %s", framings[i].lines, framings[i].request, got);
    }
}

static void the_version_and_keepalive_are_said(void **state)
{
    assert_has(sent(*state, "location / { proxy_pass http://127.0.0.1:1; proxy_http_version 1.0; }",
                    "GET / HTTP/1.0\r\n\r\n"),
               "GET / HTTP/1.0\r\nHost: 127.0.0.1:1\r\nConnection: close\r\n\r\n");
    assert_has(sent(*state, "location / { proxy_pass http://127.0.0.1:1; proxy_keepalive off; }",
                    "GET / HTTP/1.0\r\n\r\n"),
               "GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\nConnection: close\r\n\r\n");
}

/* `$arg_` and `$uri` may hold what a client chose: a line feed would be a second header
 * (INJ-01). */
static void a_control_byte_in_a_set_header_is_refused(void **state)
{
    struct stage *s = *state;

    stage_server(s, "location / { proxy_pass http://127.0.0.1:1; proxy_set_header X-Uri $uri; }");
    stage_serve(s);
    struct backend b = { 0 };
    struct address to;
    address_parse(span_of("127.0.0.1:1"), 0, &to);
    fake_origin(&s->loop, &to, 0, on_connect, &b);
    const char *got = stage_ask(s, "GET /a%0d%0aX-Evil:%201 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_has(got, "HTTP/1.1 400 Bad Request\r\n"); /* refused already as a path */
    assert_int_equal(b.connections, 0);
}

static const struct {
    const char *line, *want;
} refused[] = {
    { "proxy_pass https://a;", "\"https://\" in proxy_pass is known, not supported yet" },
    { "proxy_pass ftp://a;", "invalid URL prefix" },
    { "proxy_pass http://;", "no host in upstream \"\"" },
    { "proxy_pass http:///x;", "no host in upstream \"/x\"" },
    { "proxy_pass http://a:0;", "invalid host in upstream \"a:0\"" },
    { "proxy_pass http://a:65536;", "invalid host in upstream \"a:65536\"" },
    { "proxy_pass http://127.0.0.1:/x;", "invalid port in upstream \"127.0.0.1:\"" },
    { "proxy_pass http://https://a;", "invalid port in upstream \"https:\"" },
    { "proxy_pass http://[::1]:;", "invalid port in upstream \"[::1]:\"" },
    { "proxy_pass http://$nobody;", "unknown \"nobody\" variable" },
    { "proxy_pass \"http://a/ b\";", "the URI of proxy_pass holds a control byte or a space" },
    { "proxy_set_header \"a b\" c;", "\"a b\" is no name of a header field" },
    { "proxy_set_header Content-Length 5;", "framing of requests is always made by the proxy" },
    { "proxy_set_header transfer-encoding x;", "framing of requests is always made by the proxy" },
    { "proxy_next_upstream error http_418;", "invalid value \"http_418\"" },
    { "proxy_buffers 1 4k;", "there must be at least 2 \"proxy_buffers\"" },
    { "proxy_busy_buffers_size 4k; proxy_buffer_size 8k;",
      "\"proxy_busy_buffers_size\" must be equal to or greater than the maximum of" },
    { "proxy_busy_buffers_size 64k;",
      "\"proxy_busy_buffers_size\" must be less than the size of all \"proxy_buffers\" minus one" },
    { "proxy_buffer_size 64k;",
      "\"proxy_busy_buffers_size\" must be less than the size of all \"proxy_buffers\" minus one" },
    { "proxy_keepalive many;", "a number of connections or \"off\" was expected" },
    { "proxy_max_temp_file_size 4095;",
      "\"proxy_max_temp_file_size\" must be equal to zero to disable temporary files usage or "
      "must be equal to or greater than the maximum of the value of \"proxy_buffer_size\" and "
      "one of the \"proxy_buffers\"" },
    { "proxy_buffers 4 16k; proxy_temp_file_write_size 8k;",
      "\"proxy_temp_file_write_size\" must be equal to or greater than the maximum" },
    { "proxy_temp_file_write_size 0;",
      "\"proxy_temp_file_write_size\" must be equal to or greater" },
    { "proxy_max_temp_file_size 1g;", "\"proxy_max_temp_file_size\" directive invalid value" },
    { "proxy_temp_path /tmp 0;", "invalid value \"0\"" },
    { "proxy_temp_path /tmp 5 6;", "invalid value \"6\"" },
};

static void what_cannot_be_is_refused(void **state)
{
    for (size_t i = 0; i < COUNT(refused); i++) {
        char text[200];

        snprintf(text, sizeof(text), "server { location / { %s } }", refused[i].line);
        assert_has(stage_load(*state, text), refused[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(the_uri_part_stands_for_the_locations_name),
        STAGED(fields_go_in_order_without_those_of_the_connection),
        STAGED(fields_that_are_set_replace_the_clients),
        STAGED(set_headers_replace_the_outer_list_whole),
        STAGED(there_is_one_framing_and_it_is_ours),
        STAGED(the_version_and_keepalive_are_said),
        STAGED(a_control_byte_in_a_set_header_is_refused),
        STAGED(what_cannot_be_is_refused),
    };

    return cmocka_run_group_tests_name("origin_request", tests, NULL, NULL);
}
