/* decide/location: exact, then the longest prefix, then the slash redirect (nginx-semantics 5). */
#include "base/random.h"
#include "unit/support.h"

static const char *found(struct stage *s, const char *path)
{
    struct exchange *x = stage_get(s, path);

    stage_phases(x, PHASE_FIND);
    if (x->response.status != 0)
        return arena_cstr(&x->arena, span_of(stage_answer(x, "Location")));
    return x->block == x->server ? "server" : x->block->label.at;
}

struct ask {
    const char *path, *want;
};

static void all_are_found(struct stage *s, const struct ask *asks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *got = found(s, asks[i].path);

        if (strcmp(got, asks[i].want) != 0)
            fail_msg("%s: %s, want %s", asks[i].path, got, asks[i].want);
    }
}

static void the_longest_prefix_wins_and_equality_before_it(void **state)
{
    static const struct ask asks[] = {
        { "/", "/" },
        { "/x", "/" },
        { "/ap", "/" },
        { "/api", "/api" },
        { "/apix", "/api" },
        { "/api/", "/api/" },
        { "/api/v", "/api/" },
        { "/api/v1", "/api/v1" },
        { "/api/v10", "/api/v1" },
        { "/api/v2", "/api/" },
        { "/img", "/img" },
        { "/img/", "/" },
        { "/static/a", "/static/" },
        { "/API", "/" },
        { "/%61pi", "/api" },
        { "/api//v1", "/api/v1" },
        { "/x/../api/v1?/img", "/api/v1" },
        { "/api/./x", "/api/" },
    };

    stage_server(
        *state,
        "location /api/v1 { return 200 a; } location / { } location = /img { } location /api { }\n"
        "location ^~ /static/ { } location /api/ { }");
    all_are_found(*state, asks, COUNT(asks));
}

static void without_any_that_fits_the_server_answers(void **state)
{
    static const struct ask asks[] = {
        { "/", "server" }, { "/a", "server" }, { "/b", "/b" }, { "/c", "server" }
    };

    stage_server(*state, "location /b { }");
    all_are_found(*state, asks, COUNT(asks));
}

static void order_in_the_file_does_not_count(void **state)
{
    static const struct ask asks[] = {
        { "/a/b/c/d", "/a/b/c" }, { "/a/b/d", "/a/b" }, { "/a/c", "/a" }, { "/a.", "/a" }
    };

    stage_server(*state, "location /a/b/c { } location /a { } location /a/b { }");
    all_are_found(*state, asks, COUNT(asks));
    stage_server(*state, "location /a/b { } location /a/b/c { } location /a { }");
    all_are_found(*state, asks, COUNT(asks));
}

static void a_proxied_folder_redirects_to_its_slash(void **state)
{
    static const struct ask asks[] = {
        { "/api", "http://a.example/api/" },
        { "/api?x=1&y", "http://a.example/api/?x=1&y" },
        { "/a%20b", "http://a.example/a%20b/" },
        { "/doc", "/" },      /* not proxied */
        { "/both", "/both" }, /* it has a location of its own */
        { "/one", "/one" },
        { "/apix", "/" },
        { "/eq", "http://a.example/eq/" }, /* an exact location does so too */
    };

    stage_server(*state,
                 "location / { } location /api/ { proxy_pass http://127.0.0.1:1; }\n"
                 "location \"/a b/\" { proxy_pass http://127.0.0.1:1; } location /doc/ { }\n"
                 "location /both/ { proxy_pass http://127.0.0.1:1; } location /both { }\n"
                 "location /one/ { proxy_pass http://127.0.0.1:1; } location = /one { }\n"
                 "location = /eq/ { proxy_pass http://127.0.0.1:1; }");
    all_are_found(*state, asks, COUNT(asks));
}

/* `-` and `.` sort before `/`: neighbours in the table must not hide the folder. */
static void a_neighbour_does_not_hide_the_redirect(void **state)
{
    static const struct ask asks[] = { { "/api", "http://a.example/api/" },
                                       { "/api-x", "http://a.example/api-x/" } };

    stage_server(*state,
                 "location / { } location /api/ { proxy_pass http://127.0.0.1:1; }\n"
                 "location /api-x/ { proxy_pass http://127.0.0.1:1; } location /api.v2/ { }\n"
                 "location /api+ { } location /api0/ { }");
    all_are_found(*state, asks, COUNT(asks));
}

/* What the definition says, in the plainest way. */
static const char *naive(char (*paths)[32], size_t count, const char *path)
{
    const char *best = "server";
    size_t longest = 0;

    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(paths[i]);

        if (len > longest && strncmp(paths[i], path, len) == 0) {
            best = paths[i];
            longest = len;
        }
    }
    return best;
}

static void random_path(char out[32])
{
    static const char alphabet[] = "abc-";
    unsigned char r[20];
    size_t n = 0;

    random_bytes(r, sizeof(r));
    out[n++] = '/';
    for (size_t i = 1; i <= 1 + r[0] % 14u; i++, n++)
        out[n] = r[i] % 5u == 4 && out[n - 1] != '/' ? '/' : alphabet[r[i] % 4u];
    out[n] = '\0';
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void ten_thousand_locations_agree_with_the_definition(void **state)
{
    enum { MOST = 10000 };
    char(*paths)[32] = calloc(MOST, sizeof(*paths)), path[32];
    char *text = malloc(MOST * 64);
    size_t len = 0, count = 0;

    for (size_t i = 0; i < MOST; i++)
        random_path(paths[i]);
    qsort(paths, MOST, sizeof(*paths), compare_paths);
    for (size_t i = 0; i < MOST; i++)
        if (i == 0 || strcmp(paths[i], paths[count - 1]) != 0)
            memmove(paths[count++], paths[i], sizeof(*paths));
    assert_true(count > MOST / 2);
    for (size_t i = 0; i < count; i++) /* scattered over the file */
        len += (size_t)snprintf(text + len, 64, "location %s { }\n", paths[(i * 7919) % count]);
    stage_server(*state, text);
    for (int i = 0; i < 3000; i++) {
        random_path(path);
        assert_string_equal(found(*state, path), naive(paths, count, path));
    }
    free(text);
    free(paths);
}

static void the_same_location_twice_is_an_error_at_the_second(void **state)
{
    const char *said = stage_load(
        *state, "server {\n  location /a { }\n  location = /a { }\n  location ^~ /a { }\n}\n");

    assert_has(said, "duplicate location \"/a\" in /etc/test.conf:4\n/etc/test.conf:4:3\n");
    assert_has_not(said, "test.conf:3");
    assert_has(stage_load(*state, "server { location = /a { } location =/a { } }"),
               "duplicate location \"/a\"");
}

static const struct {
    const char *line, *want;
} refused[] = {
    { "location ~ (a { }", "pcre2_compile() failed: missing closing parenthesis in \"(a\"" },
    { "location ~*(a { }", "pcre2_compile() failed: missing closing parenthesis in \"(a\"" },
    { "location /a { location /b { } }", "location \"/b\" is outside location \"/a\"" },
    { "location ~ ^/a { location /a/b { } }", "location \"/a/b\" is outside location \"^/a\"" },
    { "location = /q { location /q/ { } }",
      "location \"/q/\" cannot be inside the exact location \"/q\"" },
    { "location @x { location /a { } }",
      "location \"/a\" cannot be inside the named location \"@x\"" },
    { "location /a { location @b { } }", "named location \"@b\" can be on the server level only" },
    { "location /a { location /a/b { location /a/c { } } }",
      "location \"/a/c\" is outside location \"/a/b\"" },
    { "location /a { location /a/b { } location = /a/b { } location /a/b { } }",
      "duplicate location \"/a/b\"" },
    { "location / { internal; internal; }", "\"internal\" directive is duplicate" },
    { "location / { internal on; }", "invalid number of arguments in \"internal\"" },
    { "location ~ a { proxy_pass http://127.0.0.1/; }",
      "cannot have URI part in location given by regular expression" },
    { "location @a { proxy_pass http://127.0.0.1/x; }",
      "cannot have URI part in location given by regular expression" },
    { "location == /a { }", "invalid location modifier \"==\"" },
    { "location { }", "invalid number of arguments" },
};

static void what_is_no_location_is_refused(void **state)
{
    for (size_t i = 0; i < COUNT(refused); i++) {
        char text[200];

        snprintf(text, sizeof(text), "server { %s }", refused[i].line);
        assert_has(stage_load(*state, text), refused[i].want);
    }
}

static void expressions_stand_behind_prefixes(void **state)
{
    static const struct ask asks[] = {
        { "/", "/" },
        { "/x.php", "~ \\.php$" },
        { "/x.PHP", "/" },
        { "/x.JPG", "~* \\.jpg$" },
        { "/exact.php", "/exact.php" }, /* `=` asks none */
        { "/caret/x.php", "/caret/" },  /* nor does `^~` */
        { "/plain/x.php", "~ \\.php$" },
        { "/x.php.jpg", "~* \\.jpg$" },
        { "/both.first", "~ first" },     /* in the order of the file */
        { "/a.php?x=.jpg", "~ \\.php$" }, /* the path alone */
        { "/%61.%70hp", "~ \\.php$" },    /* decoded */
    };

    stage_server(*state, "location ~ first { } location ~ both { } location / { }\n"
                         "location ~ \\.php$ { } location ~* \\.jpg$ { } location /plain/ { }\n"
                         "location = /exact.php { } location ^~ /caret/ { }");
    all_are_found(*state, asks, COUNT(asks));
    stage_server(*state, "location ~\\.php$ { } location ~*\\.jpg$ { }"); /* no blank needed */
    assert_string_equal(found(*state, "/x.php"), "~ \\.php$");
    assert_string_equal(found(*state, "/x.JPG"), "~* \\.jpg$");
    assert_string_equal(found(*state, "/x"), "server");
}

static void nested_locations_are_sought_in_theirs(void **state)
{
    static const struct ask asks[] = {
        { "/a", "/a" },
        { "/a/x", "/a" },
        { "/a/b", "/a/b" },
        { "/a/b/c", "/a/b/c" },
        { "/a/eq", "/a/eq" },
        { "/a/eqx", "/a" },
        { "/a/x.in", "~ \\.in$" },
        { "/a/b/x.in", "~ \\.in$" }, /* the deepest prefix asks the level above it, too */
        { "/a/x.out", "~ \\.out$" }, /* and the server's */
        { "/a/b/x.deep", "~ \\.deep$" },
        { "/c/x.out", "/c" }, /* `^~` holds for its own level */
        { "/c/d/x.out", "/c/d" },
        { "/c/x.in", "~ ^/c/.*in$" },
        { "/x.out", "~ \\.out$" },
        { "/y.outer", "~ outer" },
        { "/inner.outer", "~ inner" },
        { "/a/p", "http://a.example/a/p/" },
    };

    stage_server(*state,
                 "location ~ \\.out$ { } location ~ outer { location ~ inner { } }\n"
                 "location /a { location /a/b { location /a/b/c { } location ~ \\.deep$ { } }\n"
                 "  location = /a/eq { } location ~ \\.in$ { }\n"
                 "  location /a/p/ { proxy_pass http://127.0.0.1:1; } }\n"
                 "location ^~ /c { location /c/d { } location ~ ^/c/.*in$ { } }");
    all_are_found(*state, asks, COUNT(asks));
}

static void groups_of_the_location_are_variables(void **state)
{
    struct exchange *x;

    stage_server(*state, "location ~ ^/u/(?<who>[^/]+)/(.*)$ { add_header A $1-$2; }\n"
                         "location / { }");
    x = stage_get(*state, "/u/an%20n/b/c");
    stage_phases(x, PHASE_FIND);
    assert_string_equal(stage_variable(x, "who"), "an n");
    x = stage_get(*state, "/x");
    stage_phases(x, PHASE_FIND);
    assert_string_equal(stage_variable(x, "who"), "-");
}

/* TARG-36 */
static void an_expression_at_its_limit_is_an_error_of_ours(void **state)
{
    char path[5003];

    stage_server(*state, "location ~ ^/(a+)+$ { } location / { }");
    memset(path, 'a', sizeof(path));
    path[0] = '/';
    memcpy(path + sizeof(path) - 2, "b", 2);
    struct exchange *x = stage_get(*state, path);
    assert_int_equal(stage_phases(x, PHASE_FIND), REFUSE);
    assert_int_equal(x->response.status, 500);
    assert_has(stage_log(*state), "\"^/(a+)+$\" was given up");
}

static void internal_locations_are_not_there_for_clients(void **state)
{
    struct exchange *x;

    stage_server(*state, "location /in/ { internal; location /in/deeper/ { } }\n"
                         "location /out/ { }");
    x = stage_get(*state, "/in/x");
    assert_int_equal(stage_phases(x, PHASE_FIND), REFUSE);
    assert_int_equal(x->response.status, 404);
    x = stage_exchange(*state, "GET http://a.example/in/x HTTP/1.1\r\nHost: a.example\r\n\r\n");
    assert_int_equal(stage_phases(x, PHASE_FIND), REFUSE);
    x = stage_get(*state, "/in/deeper/x"); /* nested ones inherit it */
    assert_int_equal(stage_phases(x, PHASE_FIND), REFUSE);
    x = stage_get(*state, "/out/x");
    assert_int_equal(stage_phases(x, PHASE_FIND), NEXT);
    exchange_restart(x, span_of("/in/x"), span_of(""));
    x->redirected = RESTART_NOT;
    assert_int_equal(stage_phases(x, PHASE_FIND), NEXT);
    assert_string_equal(x->block->label.at, "/in/");
}

static void a_named_location_is_reached_by_name_alone(void **state)
{
    struct exchange *x;

    stage_server(*state, "location @a { } location / { }");
    assert_string_equal(found(*state, "/@a"), "/");
    x = stage_get(*state, "/p?q");
    assert_false(exchange_restart_named(x, span_of("@b")));
    assert_int_equal(x->redirected, RESTART_NOT);
    assert_true(exchange_restart_named(x, span_of("@a")));
    assert_int_equal(x->redirected, RESTART_NAMED);
    assert_string_equal(x->block->label.at, "@a");
    assert_true(span_is(x->request.uri, "/p"));
    assert_true(span_is(x->request.args, "q"));
    assert_true(span_is(x->request.raw_path, "/p")); /* as it came: nobody has changed it */
}

static void a_length_is_judged_by_the_location(void **state)
{
    struct exchange *x;

    stage_server(
        *state,
        "client_max_body_size 10; location /big/ { client_max_body_size 11; } location /free/ {\n"
        "client_max_body_size 0; }");
    x = stage_exchange(*state, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n");
    assert_int_equal(stage_phases(x, PHASE_FIND), REFUSE);
    assert_int_equal(x->response.status, 413);
    assert_false(x->keep_alive);
    x = stage_exchange(*state, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
    assert_int_equal(stage_phases(x, PHASE_FIND), NEXT);
    x = stage_exchange(*state, "POST /big/ HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n");
    assert_int_equal(stage_phases(x, PHASE_FIND), NEXT);
    x = stage_exchange(
        *state, "POST /free/ HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\n");
    assert_int_equal(stage_phases(x, PHASE_FIND), NEXT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(the_longest_prefix_wins_and_equality_before_it),
        STAGED(without_any_that_fits_the_server_answers),
        STAGED(order_in_the_file_does_not_count),
        STAGED(a_proxied_folder_redirects_to_its_slash),
        STAGED(a_neighbour_does_not_hide_the_redirect),
        STAGED(ten_thousand_locations_agree_with_the_definition),
        STAGED(the_same_location_twice_is_an_error_at_the_second),
        STAGED(what_is_no_location_is_refused),
        STAGED(expressions_stand_behind_prefixes),
        STAGED(nested_locations_are_sought_in_theirs),
        STAGED(groups_of_the_location_are_variables),
        STAGED(an_expression_at_its_limit_is_an_error_of_ours),
        STAGED(internal_locations_are_not_there_for_clients),
        STAGED(a_named_location_is_reached_by_name_alone),
        STAGED(a_length_is_judged_by_the_location),
    };

    return cmocka_run_group_tests_name("location", tests, NULL, NULL);
}
