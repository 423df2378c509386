/* log/access: formats, escaping, where lines go and when none is written (nginx-semantics 10). */
#include "unit/support.h"

#include <errno.h>

static int file; /* the log */
static char path[64];

static int open_log(void **state)
{
    file = memfd_create("access", MFD_CLOEXEC);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    setenv("TZ", "UTC", 1);
    return stage_open(state);
}

static int close_log(void **state)
{
    int failed = stage_close(state);

    close(file);
    return failed;
}

/* What was logged since it was asked last. */
static const char *logged(void)
{
    static char text[200000];
    ssize_t n = pread(file, text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    assert_int_equal(ftruncate(file, 0), 0);
    return text;
}

/* A request to `server { lines }` with `%s` for the log's path; what was logged of it. */
static const char *line_of(struct stage *s, const char *before, const char *lines,
                           const char *request)
{
    char text[2000], server[1000];

    snprintf(server, sizeof(server), lines, path);
    snprintf(text, sizeof(text), "%s\nserver { listen 80; server_name a; %s }", before, server);
    assert_string_equal(stage_load(s, text), "");
    if (!s->serving)
        stage_serve(s);
    stage_ask(s, request);
    return logged();
}

static const char get[] = "GET /x?y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";

static const char *ask(struct stage *s, const char *format, const char *fields)
{
    char before[500], request[2000];

    snprintf(before, sizeof(before), "log_format f %s;", format);
    snprintf(request, sizeof(request), "%s%s\r\n", get, fields);
    return line_of(s, before, "access_log %s f; return 200 body;", request);
}

static void combined_is_the_line_of_nginx(void **state)
{
    assert_string_equal(
        line_of(*state, "", "access_log %s; return 200 body;",
                "GET /x HTTP/1.1\r\nHost: a\r\nReferer: http://r/\r\nConnection: close\r\n\r\n"),
        "192.0.2.7 - - [01/Jan/2026:00:01:40 +0000] \"GET /x HTTP/1.1\" 200 4 "
        "\"http://r/\" \"-\"\n");
}

static const struct {
    const char *format, *fields, *want;
} lines[] = {
    { "'$http_a'", "A: plain\r\n", "plain" },
    { "'$http_a'", "", "-" },
    { "'$http_a'", "A:\r\n", "" }, /* empty but set */
    { "'\"$http_a\"'", "A: a\"b\\c\td\x80\xffz\r\n", "\"a\\x22b\\x5Cc\\x09d\\x80\\xFFz\"" },
    { "escape=default '$http_a|$http_b'", "A: \"\r\n", "\\x22|-" },
    { "escape=json '{\"a\":\"$http_a\",\"b\":\"$http_b\"}'", "A: a\"b\\c\td\xc3\xa4\r\n",
      "{\"a\":\"a\\\"b\\\\c\\td\xc3\xa4\",\"b\":\"\"}" },
    { "escape=none '$http_a|$http_b'", "A: a\"b\\c\r\n", "a\"b\\c|" },
    /* no UTF-8: a lone byte, a surrogate, an overlong form, half a character, a C1 control */
    { "escape=json '$http_a'", "A: \xff|\xed\xa0\x80|\xc0\xaf|\xe2\x82|\xc2\x9b\r\n",
      "\\u00FF|\\u00ED\\u00A0\\u0080|\\u00C0\\u00AF|\\u00E2\\u0082|\\u00C2\\u009B" },
    { "escape=json '$http_a'", "A: \xe2\x80\xa8\xe2\x80\xa9\xf0\x9f\x98\x80\xe2\x82\xac\r\n",
      "\\u2028\\u2029\xf0\x9f\x98\x80\xe2\x82\xac" }, /* some split lines there */
    /* credentials are not shown; what is no credential is */
    { "'$http_authorization|$http_cookie|$cookie_sid|$remote_user'",
      "Authorization: Basic dXNlcjpwYXNz\r\nCookie: a=b; sid=SECRET\r\n",
      "Basic ***|***|***|user" },
    { "'$HTTP_Authorization|$cookie_none'", "Authorization: SECRET\r\n", "***|-" },
    { "'$http_authorization'", "", "-" },
    { "'$http_authorization'", "Authorization:\r\n", "" },
    { "'$http_proxy_authorization|$http_authorization_x|$arg_authorization'",
      "Proxy-Authorization: Basic SECRET\r\nAuthorization-X: seen\r\n", "-|seen|-" },
    { "'$status $body_bytes_sent' ' $request_method'", "",
      "200 4 GET" }, /* words are joined as they stand */
    { "'$request_length $connection $connection_requests'", "", "49 1 1" },
    { "'\\x $uri'", "", "\\x /x" }, /* literals are not escaped */
};

static void values_are_escaped_and_literals_are_not(void **state)
{
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct stage *s = *state;
        char want[300];

        s->worker.connections = 0;
        snprintf(want, sizeof(want), "%s\n", lines[i].want);
        const char *got = ask(s, lines[i].format, lines[i].fields);
        if (strcmp(got, want) != 0)
            fail_msg("%s of %s: %s, want %s", lines[i].format, lines[i].fields, got, want);
    }
}

/* Every byte that a request line can hold raw; none may end the line or the quotes. */
static void a_peer_cannot_forge_a_line(void **state)
{
    const char *got = line_of(*state, "", "access_log %s; return 200;",
                              "GET /\x01\" 200 HTTP/1.1\r\nHost: a\r\n\r\n");

    assert_ptr_equal(strchr(got, '\n'), got + strlen(got) - 1);
    assert_has(got, "\" 400 ");
}

static void json_escapes_what_json_forbids(void **state)
{
    struct stage *s = *state;
    char text[300];

    snprintf(text, sizeof(text),
             "log_format f escape=json $http_a; server { listen 80; access_log %s f; }", path);
    assert_string_equal(stage_load(s, text), "");
    struct exchange *x = stage_get(s, "/");
    fields_add(&x->request.fields, span_of("A"), (struct span){ "\0\x01\x1f\x7f\b\f\n\r/", 9 },
               FROM_CLIENT);
    x->response.status = 200;
    stage_end_exchange(s);
    sinks_flush(&s->worker);
    assert_string_equal(logged(), "\\u0000\\u0001\\u001F\\u007F\\b\\f\\n\\r/\n");
}

static void no_form_lets_a_value_end_its_line(void **state)
{
    struct stage *s = *state;
    char text[300];

    snprintf(text, sizeof(text),
             "log_format f escape=none '$http_a|$sent_http_set_cookie'; server { listen 80; "
             "access_log %s f; }",
             path);
    assert_string_equal(stage_load(s, text), "");
    struct exchange *x = stage_get(s, "/");
    fields_add(&x->request.fields, span_of("A"), (struct span){ "\0\n\r\x1b\t.", 6 }, FROM_CLIENT);
    response_add(x, "Set-Cookie", span_of("sid=SECRET; Path=/"));
    x->response.status = 200;
    stage_end_exchange(s);
    sinks_flush(&s->worker);
    assert_string_equal(logged(), "\\x00\\x0A\\x0D\x1b\t.|***\n");
}

/* The values are cut, not the line: one of JSON still is one. */
static void a_line_has_a_largest_size(void **state)
{
    struct stage *s = *state;
    static char flood[40000];
    char text[1000], want[] = "...\",\"...\",\"...\"}\n";

    memset(flood, 'x', sizeof(flood));
    snprintf(text, sizeof(text),
             "log_format f escape=json '{\"$http_a\",\"$http_a\",\"$http_a\",\"$http_a\"}'; "
             "server { listen 80; access_log %s f; }",
             path);
    assert_string_equal(stage_load(s, text), "");
    struct exchange *x = stage_get(s, "/");
    fields_add(&x->request.fields, span_of("A"), (struct span){ flood, sizeof(flood) },
               FROM_CLIENT);
    x->response.status = 200;
    stage_end_exchange(s);
    sinks_flush(&s->worker);
    const char *got = logged();
    size_t len = strlen(got);
    assert_true(len > 64 * 1024 && len < 64 * 1024 + 100);
    assert_string_equal(got + len - strlen(want), want);
    assert_ptr_equal(strchr(got, '\n'), got + len - 1);
}

static void off_cancels_all_lines_of_its_level(void **state)
{
    assert_string_equal(
        line_of(*state, "", "access_log %s; access_log off; return 200;", "GET / HTTP/1.0\r\n\r\n"),
        "");
    assert_string_not_equal(
        line_of(*state, "access_log off;", "access_log %s; return 200;", "GET / HTTP/1.0\r\n\r\n"),
        "");
    assert_string_equal(line_of(*state, "",
                                "access_log %s; location / { access_log off; return 200; }",
                                "GET / HTTP/1.0\r\n\r\n"),
                        "");
}

static void a_condition_decides(void **state)
{
    static const struct {
        const char *query;
        bool logged;
    } asks[] = { { "a=1", true },  { "a=yes", true }, { "a=00", true },
                 { "a=0", false }, { "a=", false },   { "b", false } };

    for (size_t i = 0; i < COUNT(asks); i++) {
        char request[100];

        snprintf(request, sizeof(request), "GET /?%s HTTP/1.0\r\n\r\n", asks[i].query);
        const char *got =
            line_of(*state, "", "access_log %s combined if=$arg_a; return 200;", request);
        if ((got[0] != '\0') != asks[i].logged)
            fail_msg("%s: %s", asks[i].query, got);
    }
}

static void the_location_that_answered_logs(void **state)
{
    const char *got =
        line_of(*state, "log_format s server; log_format l 'location $decided_by';",
                "access_log %1$s s; location /l/ { access_log %1$s l; return 200; } return 200;",
                "GET / HTTP/1.0\r\n\r\n");

    assert_string_equal(got, "server\n");
    got = line_of(
        *state, "log_format s server; log_format l 'location $decided_by';",
        "access_log %1$s s; location /l/ { access_log %1$s l; access_log %1$s s; return 200; }",
        "GET /l/ HTTP/1.0\r\n\r\n");
    assert_string_equal(
        got, "location server a at /etc/test.conf:2; location /l/ at /etc/test.conf:2; return at "
             "/etc/test.conf:2\nserver\n");
}

static void a_format_may_stand_behind_the_line_that_names_it(void **state)
{
    char text[300];
    struct stage *s = *state;

    snprintf(text, sizeof(text),
             "server { listen 80; access_log %s later; return 200; } log_format later L;", path);
    assert_string_equal(stage_load(s, text), "");
    stage_serve(s);
    stage_ask(s, "GET / HTTP/1.0\r\n\r\n");
    assert_string_equal(logged(), "L\n");
}

static void a_line_too_long_for_the_buffer_is_lost_alone(void **state)
{
    struct stage *s = *state;
    int error = 0;
    struct sink_spec spec = { .path = span_of(path) }, absent = { .path = SPAN("/nonexistent/x") };
    struct log_sink *sink = sink_open(&s->worker, &spec, &error);
    static char flood[1 << 20];

    memset(flood, 'x', sizeof(flood));
    assert_non_null(sink);
    buf_adds(sink_buffer(sink), "before\n");
    sink_line(sink);
    buf_add(sink_buffer(sink), (struct span){ flood, sizeof(flood) });
    buf_adds(sink_buffer(sink), "\n");
    sink_line(sink);
    buf_adds(sink_buffer(sink), "after\n");
    sink_line(sink);
    assert_ptr_equal(sink_open(&s->worker, &spec, &error), sink); /* one file, one sink */
    sinks_flush(&s->worker);
    assert_string_equal(logged(), "before\nafter\n");
    assert_null(sink_open(&s->worker, &absent, &error));
    assert_int_equal(error, -ENOENT);
}

static const struct {
    const char *text, *want;
} refused[] = {
    { "server { access_log l nosuch; }", "unknown log format \"nosuch\" in /etc/test.conf:1" },
    { "log_format f escape=xml x;", "unknown log format escaping \"xml\"" },
    { "log_format f $nosuch;", "unknown \"nosuch\" variable" },
    { "log_format f;", "invalid number of arguments in \"log_format\" directive" },
    { "log_format f a; log_format f b;",
      "duplicate \"log_format\" name \"f\" in /etc/test.conf:1" },
    { "log_format combined a;", "duplicate \"log_format\" name \"combined\"" },
    { "server { access_log off combined; }", "invalid parameter \"combined\"" },
    { "server { access_log l combined nonsense; }", "invalid parameter \"nonsense\"" },
    { "server { access_log l combined gzipped; }", "invalid parameter \"gzipped\"" },
    { "server { access_log l combined buffer=; }", "invalid buffer size \"\"" },
    { "server { access_log l combined buffer=0; }", "invalid buffer size \"0\"" },
    { "server { access_log l combined buffer=x; }", "invalid buffer size \"x\"" },
    { "server { access_log l combined buffer=1k flush=x; }", "invalid flush time \"x\"" },
    { "server { access_log l combined buffer=1k flush=0; }", "invalid flush time \"0\"" },
    { "server { access_log l combined gzip=0; }", "invalid compression level \"0\"" },
    { "server { access_log l combined gzip=10; }", "invalid compression level \"10\"" },
    { "server { access_log l combined flush=1s; }", "no buffer is defined for access_log \"l\"" },
    { "server { access_log l combined buffer=1k; access_log l combined buffer=2k; }",
      "access_log \"l\" already defined with conflicting parameters" },
    { "server { access_log l combined buffer=1k; access_log l combined gzip; }",
      "access_log \"l\" already defined with conflicting parameters" },
    { "server { access_log l/$host combined buffer=1k; }",
      "buffered logs cannot have variables in name" },
    { "server { access_log l/$nosuch; }", "unknown \"nosuch\" variable" },
    { "server { access_log syslog:server=127.0.0.1 combined buffer=1k; }",
      "logs to syslog cannot be buffered" },
    { "server { access_log syslog:; }", "unknown syslog parameter \"\"" },
    { "server { access_log syslog:tag=x; }", "no syslog server specified" },
    { "server { access_log syslog:server=host.example; }",
      "expected an address with an optional port, or unix:PATH, in syslog server \"host" },
    { "server { access_log syslog:server=unix:; }",
      "no or too long a path in syslog server \"unix:\"" },
    { "server { access_log syslog:server=[::1],server=[::1]; }", "duplicate syslog \"server\"" },
    { "server { access_log syslog:server=[::1],facility=x; }", "unknown syslog facility \"x\"" },
    { "server { access_log syslog:server=[::1],severity=x; }", "unknown syslog severity \"x\"" },
    { "server { access_log syslog:server=[::1],facility=ftp,facility=ftp; }",
      "duplicate syslog \"facility\"" },
    { "server { access_log syslog:server=[::1],severity=info,severity=warn; }",
      "duplicate syslog \"severity\"" },
    { "server { access_log syslog:server=[::1],tag=a,tag=b; }", "duplicate syslog \"tag\"" },
    { "server { access_log syslog:server=[::1],tag=a-b; }",
      "syslog \"tag\" only allows alphanumeric characters and underscore" },
    { "server { access_log syslog:server=[::1],tag=012345678901234567890123456789012; }",
      "syslog tag length exceeds 32" },
    { "server { access_log syslog:server=[::1],x; }", "unknown syslog parameter \"x\"" },
    { "server { access_log l combined if=$x; }", "unknown \"x\" variable" },
};

static void what_is_good_is_taken(void **state)
{
    static const char *const good[] = {
        "log_format f escape=none;",
        "server { access_log l combined gzip flush=1s; access_log l combined gzip flush=1s; }",
        "server { access_log l combined buffer=1k; } server { listen 81; access_log l; }",
        "server { access_log syslog:nohostname,server=[::1]:1514,facility=cron,severity=emerg; }",
        "server { access_log syslog:server=unix:/run/x,tag=01234567890123456789012345678901; }",
        "server { access_log l-$host-$server_port.log combined if=$arg_a; }",
        "log_format squid mine;",
    };

    for (size_t i = 0; i < COUNT(good); i++) {
        const char *said = stage_load(*state, good[i]);

        if (strstr(said, "emerg") != NULL && strstr(said, "open()") == NULL)
            fail_msg("%s: %s", good[i], said);
    }
}

static void what_cannot_be_logged_is_refused(void **state)
{
    for (size_t i = 0; i < COUNT(refused); i++)
        assert_has(stage_load(*state, refused[i].text), refused[i].want);
}

int main(void)
{
#define LOGGED(test) cmocka_unit_test_setup_teardown(test, open_log, close_log)
    const struct CMUnitTest tests[] = {
        LOGGED(combined_is_the_line_of_nginx),
        LOGGED(values_are_escaped_and_literals_are_not),
        LOGGED(a_peer_cannot_forge_a_line),
        LOGGED(json_escapes_what_json_forbids),
        LOGGED(no_form_lets_a_value_end_its_line),
        LOGGED(a_line_has_a_largest_size),
        LOGGED(off_cancels_all_lines_of_its_level),
        LOGGED(a_condition_decides),
        LOGGED(the_location_that_answered_logs),
        LOGGED(a_format_may_stand_behind_the_line_that_names_it),
        LOGGED(a_line_too_long_for_the_buffer_is_lost_alone),
        LOGGED(what_is_good_is_taken),
        LOGGED(what_cannot_be_logged_is_refused),
    };

    return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
