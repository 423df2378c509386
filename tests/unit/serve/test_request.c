/* serve/request: what a head asks for: target, host, path, fields (nginx-semantics 3.3, 4.2,
 * 4.3). */
#include "unit/support.h"

static const struct {
    const char *target, *host; /* NULL: no Host, and HTTP/1.0 */
    unsigned status;           /* 0: taken */
    const char *uri, *args, *request_uri, *name;
    unsigned port;
} asks[] = {
    { "/", "a", 0, "/", "", "/", "a", 0 },
    { "/x%20y?b=%20", "A.Example:81", 0, "/x y", "b=%20", "/x%20y?b=%20", "a.example", 81 },
    { "/a/../b//c/./d", "a", 0, "/b/c/d", "", "/a/../b//c/./d", "a", 0 },
    { "/?", "a.", 0, "/", "", "/?", "a", 0 },
    { "/", NULL, 0, "/", "", "/", "", 0 },
    { "http://b.example/x?y", "a", 0, "/x", "y", "/x?y", "b.example",
      0 }, /* the target's host wins */
    { "http://B:8080", "a", 0, "/", "", "/", "b", 8080 },
    { "HTTP://b/%41", "a", 0, "/A", "", "/%41", "b", 0 },
    { "/", "[::1]:80", 0, "/", "", "/", "[::1]", 80 },
    { "*", "a", 400, NULL, NULL, NULL, NULL, 0 },
    { "x", "a", 400, NULL, NULL, NULL, NULL, 0 },
    { "/../x", "a", 400, NULL, NULL, NULL, NULL, 0 },
    { "/%", "a", 400, NULL, NULL, NULL, NULL, 0 },
    { "/%00", "a", 400, NULL, NULL, NULL, NULL, 0 },
    { "/a#b", "a", 400, NULL, NULL, NULL, NULL, 0 },
    { "http://u@b/", "a", 400, NULL, NULL, NULL, NULL, 0 },
    { "ftp://b/", "a", 400, NULL, NULL, NULL, NULL, 0 },
    { "/", "a/b", 400, NULL, NULL, NULL, NULL, 0 },
    { "/", "", 400, NULL, NULL, NULL, NULL, 0 },
    { "/", "a..b", 400, NULL, NULL, NULL, NULL, 0 },
    { "/", "a:65536", 400, NULL, NULL, NULL, NULL, 0 },
    { "/", "[::1", 400, NULL, NULL, NULL, NULL, 0 },
    { "http://b/", "a b", 400, NULL, NULL, NULL, NULL, 0 }, /* Host is judged all the same */
};

static void every_target_keeps_its_promise(void **state)
{
    stage_server(*state, "");
    for (size_t i = 0; i < COUNT(asks); i++) {
        char head[300];

        if (asks[i].host != NULL)
            snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", asks[i].target,
                     asks[i].host);
        else
            snprintf(head, sizeof(head), "GET %s HTTP/1.0\r\n\r\n", asks[i].target);
        struct exchange *x = stage_exchange(*state, head);
        if (x->response.status != asks[i].status)
            fail_msg("%s, %s: %u", asks[i].target, asks[i].host, x->response.status);
        if (asks[i].status != 0)
            continue;
        assert_span(x->request.uri, asks[i].uri);
        assert_span(x->request.args, asks[i].args);
        assert_span(x->request.target, asks[i].request_uri);
        assert_span(x->request.host, asks[i].name);
        assert_int_equal(x->request.port, asks[i].port);
    }
}

static void slashes_are_merged_unless_the_server_says_no(void **state)
{
    stage_server(*state, "merge_slashes off;");
    assert_span(stage_get(*state, "//a///b")->request.uri, "//a///b");
    stage_server(*state, "");
    assert_span(stage_get(*state, "//a///b")->request.uri, "/a/b");
}

static void methods_that_are_not_served_are_refused(void **state)
{
    stage_server(*state, "");
    assert_int_equal(stage_exchange(*state, "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n")->response.status,
                     405);
    assert_int_equal(
        stage_exchange(*state, "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n")->response.status, 405);
    assert_int_equal(
        stage_exchange(*state, "BREW / HTTP/1.1\r\nHost: a\r\n\r\n")->request.method_id,
        METHOD_OTHER);
}

static const char odd[] = "GET / HTTP/1.1\r\nHost: a\r\nX_Under: 1\r\nX.Dot: 2\r\nX-Plain9: 3\r\n"
                          "Content_Length: 4\r\nTransfer_Encoding: chunked\r\n\r\n";

static const struct {
    const char *lines;
    const char *kept;
} settings[] = {
    { "", "Host X-Plain9 " },
    { "underscores_in_headers on;", "Host X_Under X-Plain9 " },
    { "ignore_invalid_headers off;", "Host X_Under X.Dot X-Plain9 " },
};

/* SMUG-48: framing in disguise is dropped whatever is set. */
static void odd_names_are_dropped_as_configured(void **state)
{
    for (size_t i = 0; i < COUNT(settings); i++) {
        char kept[200] = "";
        size_t len = 0;

        stage_server(*state, settings[i].lines);
        struct exchange *x = stage_exchange(*state, odd);
        for (unsigned n = 0; n < x->request.fields.count; n++) {
            struct span name = x->request.fields.at[n].name;

            len +=
                (size_t)snprintf(kept + len, sizeof(kept) - len, "%.*s ", (int)name.len, name.at);
        }
        assert_string_equal(kept, settings[i].kept);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(every_target_keeps_its_promise),
        STAGED(slashes_are_merged_unless_the_server_says_no),
        STAGED(methods_that_are_not_served_are_refused),
        STAGED(odd_names_are_dropped_as_configured),
    };

    return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
