/* decide/forward/asked: which heads are for a proxy, where they lead, and loops. */
#include "room.h"

static const struct {
    const char *head;
    unsigned status; /* 0: goes on */
    const char *host;
    uint16_t port;
} cases[] = {
    { "GET http://a.example/ HTTP/1.1\r\nHost: b\r\n\r\n", 0, "a.example", 80 },
    { "GET http://A.Example.:8080/x HTTP/1.1\r\nHost: b\r\n\r\n", 0, "a.example", 8080 },
    { "GET HTTP://a.example HTTP/1.0\r\n\r\n", 0, "a.example", 80 },
    { "GET http://1.2.3.4/ HTTP/1.0\r\n\r\n", 0, "1.2.3.4", 80 },
    { "GET http://127.0.0.1./ HTTP/1.0\r\n\r\n", 0, "127.0.0.1", 80 },
    { "GET http://[2001:DB8:0:0::1]:81/ HTTP/1.0\r\n\r\n", 0, "2001:db8::1", 81 },
    { "CONNECT a.example:443 HTTP/1.1\r\nHost: b\r\n\r\n", 0, "a.example", 443 },
    { "CONNECT [::1]:443 HTTP/1.1\r\nHost: b\r\n\r\n", 0, "::1", 443 },
    { "CONNECT a.example:443 HTTP/1.1\r\nHost: b\r\nContent-Length: 0\r\n\r\n", 0, "a.example",
      443 },

    { "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "GET https://a.example/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "GET ftp://a.example/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "GET gopher://a.example/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "GET http://u:p@a.example/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "GET http://a..example/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "GET http://a.example../ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "GET http://.a.example/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "GET http://evil%2eexample/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "GET http://b\xc3\xbc.example/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "GET http://127.1/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "GET http://2130706433/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "GET http://0x7f000001/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "GET http://0177.0.0.1/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "GET http://0x7f.1/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "GET http://000127.0.0.1/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "GET http://1.1/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "GET http://[fe80::1%25eth0]/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "GET http://[::1%lo]/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "GET http://[::g]/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "GET http://a:0/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "GET http://a:65536/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },

    { "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "CONNECT a: HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "CONNECT a:0 HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "CONNECT :443 HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "CONNECT a:65536 HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "CONNECT a:443x HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "CONNECT a:+443 HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "CONNECT /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "CONNECT http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "CONNECT u@a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "CONNECT [::1:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, 0 },
    { "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", 400, NULL, 0 },
    { "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400, NULL, 0 },

    { "TRACE http://a.example/ HTTP/1.1\r\nHost: a\r\n\r\n", 405, NULL, 0 },
};

static void each_head_leads_somewhere_or_is_refused(void **state)
{
    struct room *r = *state;

    assert_string_equal(room_rules(r, "rule allow if port 1-65535;"), "");
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned status = room_ask(r, cases[i].head);

        if (status != cases[i].status)
            fail_msg("%s: %u", cases[i].head, status);
        if (status != 0)
            continue;
        if (!span_is(r->x.asked->host, cases[i].host) || r->x.asked->port != cases[i].port)
            fail_msg("%s: %.*s %u", cases[i].head, (int)r->x.asked->host.len, r->x.asked->host.at,
                     r->x.asked->port);
    }
}

static void an_address_is_a_literal_and_a_name_is_none(void **state)
{
    struct room *r = *state;

    assert_string_equal(room_rules(r, "rule allow;"), "");
    room_get(r, "http://[::ffff:1.2.3.4]:8080/");
    assert_int_equal(r->x.asked->literal.family, AF_INET6);
    assert_int_equal(r->x.asked->literal.port, 8080);
    room_get(r, "http://a.example/");
    assert_int_equal(r->x.asked->literal.family, AF_UNSPEC);
}

static void localhost_is_loopback_without_any_name_server(void **state)
{
    static const char *const urls[] = { "http://localhost/", "http://LOCALHOST./",
                                        "http://x.localhost:8080/" };
    struct room *r = *state;

    assert_string_equal(room_rules(r, "rule allow;"), "");
    for (size_t i = 0; i < COUNT(urls); i++) {
        room_get(r, urls[i]);
        assert_int_equal(r->x.asked->literal.family, AF_UNSPEC);
        assert_int_equal(r->x.goal->literal.family, AF_INET);
        assert_memory_equal(r->x.goal->literal.ip, "\x7f\0\0\1", 4);
    }
    room_get(r, "http://notlocalhost/");
    assert_int_equal(r->x.goal->literal.family, AF_UNSPEC);
}

static const struct {
    const char *fields;
    bool loop;
} hops[] = {
    { "", false },
    { "Via: 1.1 a, 1.0 b (x)\r\n", false },
    { "Via: 1.1 b-0a1b2c3d\r\n", true },
    { "Via: 1.1 a, 1.0 B-0A1B2C3D (ours)\r\n", true },
    { "Via: 1.1 a\r\nVia: HTTP/1.1   b-0a1b2c3d\r\n", true },
    { "Via: 1.1 b-0a1b2c3e\r\n", false },
    { "Via: b-0a1b2c3d\r\n", false },
    { "Via: 1 a, 1 b, 1 c, 1 d\r\n", false },
    { "Via: 1 a, 1 b, 1 c\r\nVia: 1 d, 1 e\r\n", true },
    { "Bifrons-Hop: ffffffff 3\r\n", false },
    { "Bifrons-Hop: ffffffff 4\r\n", true },
    { "Bifrons-Hop: 0a1b2c3d 1\r\n", true },
    { "Bifrons-Hop: x y\r\n", false },
};

static void a_loop_is_seen_by_our_token_and_by_the_number_of_hops(void **state)
{
    struct room *r = *state;
    char head[512];

    assert_string_equal(room_rules(r, "forward_max_hops 4; rule allow;"), "");
    for (size_t i = 0; i < COUNT(hops); i++) {
        snprintf(head, sizeof(head), "GET http://a/ HTTP/1.1\r\nHost: a\r\n%s\r\n", hops[i].fields);
        unsigned status = room_ask(r, head);
        if (status != (hops[i].loop ? 508 : 0))
            fail_msg("%s: %u", hops[i].fields, status);
        assert_int_equal(r->x.fault, hops[i].loop ? FAULT_PROXY_LOOP_DETECTED : FAULT_NONE);
    }
}

static void options_ends_here_when_no_forwards_are_left(void **state)
{
    struct room *r = *state;

    assert_string_equal(room_rules(r, "rule allow if host a;"), "");
    assert_int_equal(
        room_ask(r, "OPTIONS http://a/ HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n"), 200);
    assert_int_equal(
        room_ask(r, "OPTIONS http://b/ HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n"), 403);
    assert_int_equal(room_ask(r, "GET http://a/ HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n"),
                     0);
    assert_int_equal(
        room_ask(r, "OPTIONS http://a/ HTTP/1.1\r\nHost: a\r\nMax-Forwards: x\r\n\r\n"), 0);
    assert_int_equal(
        room_ask(r, "OPTIONS http://a/ HTTP/1.1\r\nHost: a\r\nMax-Forwards: 3\r\n\r\n"), 0);
    assert_true(span_is(fields_find(&r->x.request.fields, FIELD_MAX_FORWARDS)->value, "2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_head_leads_somewhere_or_is_refused),
        cmocka_unit_test(an_address_is_a_literal_and_a_name_is_none),
        cmocka_unit_test(localhost_is_loopback_without_any_name_server),
        cmocka_unit_test(a_loop_is_seen_by_our_token_and_by_the_number_of_hops),
        cmocka_unit_test(options_ends_here_when_no_forwards_are_left),
    };

    return cmocka_run_group_tests(tests, room_open, room_close);
}
