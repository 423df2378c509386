/* filter/anonymity: header by header, at each level (forward-semantics 6). */
#include "../decide/forward/room.h"

/* All fields, a line each. */
static const char *fields_after(struct room *r, const char *lines, const char *head)
{
    static char text[4096];
    size_t len = 0;

    if (lines != NULL)
        assert_string_equal(room_rules(r, lines), "");
    assert_int_equal(room_ask_from(r, "192.0.2.7", head), 0);
    text[0] = '\0';
    for (unsigned i = 0; i < r->x.request.fields.count; i++) {
        const struct field *f = &r->x.request.fields.at[i];

        len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s: %.*s\n", (int)f->name.len,
                                f->name.at, (int)f->value.len, f->value.at);
    }
    return text;
}

static const char *const tell_tales[] = {
    "X-Forwarded-For",
    "Forwarded",
    "X-Real-IP",
    "Client-IP",
    "X-Client-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "X-Cluster-Client-IP",
    "X-ProxyUser-IP",
    "X-Originating-IP",
    "X-Remote-IP",
    "X-Remote-Addr",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Anything",
    "X-Forwarded",
    "X-Host",
    "X-Proxy-ID",
    "X-BlueCoat-Via",
    "From",
    "X_Forwarded_For",
    "x_real_ip",
    "VIA",
};

static void what_tells_of_the_client_is_removed_unless_transparent(void **state)
{
    char head[512], want[128];

    for (size_t i = 0; i < COUNT(tell_tales); i++) {
        snprintf(head, sizeof(head),
                 "GET http://a/ HTTP/1.1\r\nHost: a\r\n%s: secret\r\nX-Other: 1\r\n\r\n",
                 tell_tales[i]);
        assert_string_equal(fields_after(*state, "rule allow;", head),
                            "Host: a\nX-Other: 1\nVia: 1.1 b-0a1b2c3d\n");
        assert_string_equal(fields_after(*state, "anonymity elite; rule allow;", head),
                            "Host: a\nX-Other: 1\n");
        snprintf(want, sizeof(want), "secret");
        const char *kept = fields_after(*state, "anonymity transparent; rule allow;", head);
        bool found = false;
        for (size_t k = 0; k + 6 <= strlen(kept); k++)
            found = found || memcmp(kept + k, want, 6) == 0;
        assert_true(found);
    }
}

static void the_rest_stays_in_its_order_and_spelling(void **state)
{
    static const char head[] =
        "GET http://a/ HTTP/1.1\r\nhost: a\r\nUser-Agent: x\r\naccept: */*\r\nDNT: 1\r\n"
        "Sec-Fetch-Mode: cors\r\nCookie: a=b\r\nX-Forward: 1\r\nFromage: 1\r\n"
        "Referer: http://b/x?y\r\n\r\n";

    assert_string_equal(
        fields_after(*state, "rule allow;", head),
        "host: a\nUser-Agent: x\naccept: */*\nDNT: 1\nSec-Fetch-Mode: cors\nCookie: a=b\n"
        "X-Forward: 1\nFromage: 1\nReferer: http://b/x?y\nVia: 1.1 b-0a1b2c3d\n");
}

static void fields_for_proxies_are_removed_at_every_level(void **state)
{
    static const char *const levels[] = { "transparent", "anonymous", "elite" };
    static const char head[] =
        "GET http://a/ HTTP/1.0\r\nProxy-Authorization: Basic x\r\nProxy: http://evil/\r\n"
        "Proxy-Connection: keep-alive\r\nproxy_authorization: x\r\nProxy-X: 1\r\n"
        "Bifrons-Hop: ffffffff 1\r\nProxyish: 1\r\n\r\n";
    char lines[128];

    for (size_t i = 0; i < COUNT(levels); i++) {
        snprintf(lines, sizeof(lines), "anonymity %s; via off; rule allow;", levels[i]);
        const char *got = fields_after(*state, lines, head);
        assert_true(span_starts(span_of(got), i == 0 ? "Proxyish: 1\nX-Forwarded-For: 192.0.2.7\n"
                                                     : "Proxyish: 1\n"));
        if (i > 0)
            assert_string_equal(got, "Proxyish: 1\n");
    }
}

static void transparent_appends_the_client_and_a_name(void **state)
{
    struct room *r = *state;
    static const char head[] =
        "GET http://a/ HTTP/1.0\r\nVia: 1.1 x\r\nX-Forwarded-For: 10.9.9.9\r\n"
        "Forwarded: for=10.9.9.9\r\nVia: 1.0 y\r\n\r\n";

    assert_string_equal(
        fields_after(r, "anonymity transparent; via proxy.example; rule allow;", head),
        "X-Forwarded-For: 10.9.9.9, 192.0.2.7\nForwarded: for=10.9.9.9, for=192.0.2.7\n"
        "Via: 1.1 x, 1.0 y, 1.0 proxy.example\n");
    for (unsigned i = 0; i < r->x.request.fields.count; i++)
        assert_int_equal(r->x.request.fields.at[i].origin, FROM_US);
    assert_int_equal(
        room_ask_from(r, "[2001:db8::7]:1", "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
    assert_true(span_is(fields_find(&r->x.request.fields, FIELD_FORWARDED)->value,
                        "for=\"[2001:db8::7]\""));
    assert_true(
        span_is(fields_find(&r->x.request.fields, FIELD_X_FORWARDED_FOR)->value, "2001:db8::7"));
    assert_true(span_is(fields_find(&r->x.request.fields, FIELD_VIA)->value, "1.1 proxy.example"));
}

static void via_has_the_version_received(void **state)
{
    assert_string_equal(
        fields_after(*state, "rule allow;", "GET http://a/ HTTP/1.0\r\nVia: 1.1 x\r\n\r\n"),
        "Via: 1.0 b-0a1b2c3d\n");
}

static const struct {
    const char *referer, *sent; /* NULL: none */
} referers[] = {
    { "http://a.example/x?y", "http://a.example/x?y" },
    { "https://A.example:8443/x", "https://A.example:8443/x" },
    { "https://b.example:8443/x?secret", "https://b.example:8443/" },
    { "http://b.example", "http://b.example/" },
    { "http://u:p@b.example/", NULL },
    { "about:blank", NULL },
    { "/x", NULL },
};

static void elite_cuts_the_referer_of_another_site_to_its_origin(void **state)
{
    struct room *r = *state;
    char head[512];

    assert_string_equal(room_rules(r, "anonymity elite; rule allow;"), "");
    for (size_t i = 0; i < COUNT(referers); i++) {
        snprintf(head, sizeof(head), "GET http://a.example:8080/ HTTP/1.0\r\nReferer: %s\r\n\r\n",
                 referers[i].referer);
        assert_int_equal(room_ask(r, head), 0);
        const struct field *f = fields_find(&r->x.request.fields, FIELD_REFERER);
        if (f == NULL ? referers[i].sent != NULL : !span_same(f->value, span_of(referers[i].sent)))
            fail_msg("%s", referers[i].referer);
    }
}

static void a_tunnel_is_not_touched(void **state)
{
    assert_string_equal(fields_after(*state, "rule allow;",
                                     "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nVia: 1.1 x\r\n\r\n"),
                        "Host: a\nVia: 1.1 x\n");
}

static void answers_get_via_only_at_transparent(void **state)
{
    static const char *const levels[] = { "transparent", "anonymous", "elite" };
    struct room *r = *state;
    char lines[128];

    for (size_t i = 0; i < COUNT(levels); i++) {
        snprintf(lines, sizeof(lines), "anonymity %s; rule allow;", levels[i]);
        room_rules(r, lines);
        for (unsigned from_upstream = 0; from_upstream < 2; from_upstream++) {
            assert_int_equal(room_get(r, "http://a/"), 0);
            fields_add(&r->x.response.fields, span_of("ETag"), span_of("x"),
                       from_upstream ? FROM_UPSTREAM : FROM_US);
            for (unsigned h = 0; h < r->g.index.hook_count[PHASE_RESPONSE]; h++) {
                const struct hook_entry *e = &r->g.index.hooks[PHASE_RESPONSE][h];
                e->hook->run(&r->x, settings_in(r->x.block, e->module));
            }
            assert_int_equal(fields_count(&r->x.response.fields, FIELD_VIA),
                             i == 0 && from_upstream);
        }
    }
}

static const struct {
    const char *lines, *said;
} bad[] = {
    { "anonymity elit; rule allow;",
      "2:11 unknown level \"elit\", expected \"transparent\", \"anonymous\" or "
      "\"elite\"; levels of your own "
      "are known, not supported yet [did you mean \"elite\"?]\n" },
    { "via \"a b\"; rule allow;", "2:5 \"a b\" is no name for Via\n" },
    { "via a.example; rule allow;",
      "warn 1:1 \"via a.example\" has no effect: at \"anonymous\" no name is told\n" },
    { "via off; rule allow;", "" },
};

static void nonsense_is_refused_at_its_word(void **state)
{
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_string_equal(room_rules(*state, bad[i].lines), bad[i].said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_tells_of_the_client_is_removed_unless_transparent),
        cmocka_unit_test(the_rest_stays_in_its_order_and_spelling),
        cmocka_unit_test(fields_for_proxies_are_removed_at_every_level),
        cmocka_unit_test(transparent_appends_the_client_and_a_name),
        cmocka_unit_test(via_has_the_version_received),
        cmocka_unit_test(elite_cuts_the_referer_of_another_site_to_its_origin),
        cmocka_unit_test(a_tunnel_is_not_touched),
        cmocka_unit_test(answers_get_via_only_at_transparent),
        cmocka_unit_test(nonsense_is_refused_at_its_word),
    };

    return cmocka_run_group_tests(tests, room_open, room_close);
}
