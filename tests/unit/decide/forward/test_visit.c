/* decide/forward/visit: the stages of one exchange: rules, ports, candidates. */
#include "room.h"

static void a_denial_is_a_403_that_names_its_rule(void **state)
{
    struct room *r = *state;

    assert_string_equal(room_rules(r, "rule deny if host .evil.example;\nrule allow;"), "");
    assert_int_equal(room_get(r, "http://EVIL.example./"), 403);
    assert_int_equal(r->x.fault, FAULT_HTTP_REQUEST_DENIED);
    assert_true(r->x.keep_alive);
    assert_string_equal(room_explanation(r),
                        "denied by office.conf:2: rule deny if host .evil.example");
    assert_int_equal(room_connect(r, "a.evil.example:443"), 403);
    assert_false(r->x.keep_alive); /* what follows may be TLS */
}

static void a_malformed_request_is_told_why(void **state)
{
    struct room *r = *state;

    assert_string_equal(room_rules(r, "rule allow;"), "");
    assert_int_equal(room_get(r, "https://a.example/"), 400);
    assert_string_equal(room_explanation(r), "https through a proxy: use CONNECT");
    assert_int_equal(r->x.fault, FAULT_HTTP_REQUEST_ERROR);
    assert_false(r->x.keep_alive);
    assert_null(r->x.asked);
}

static const struct {
    const char *authority; /* with a scheme: plain HTTP; else CONNECT */
    unsigned status;
} ports[] = {
    { "http://a/", 0 },      { "http://a:443/", 0 },  { "http://a:8080/", 0 },
    { "http://a:25/", 403 }, { "http://a:22/", 403 }, { "http://a:6667/", 403 },
    { "http://a:6379/", 0 }, { "a:443", 0 },          { "a:25", 403 },
    { "a:22", 403 },         { "a:6379", 403 },       { "a:11211", 403 },
    { "a:3306", 403 },       { "a:1", 403 },          { "a:8443", 403 },
    { "named:8443", 0 },     { "named:25", 403 },     { "named:443", 0 },
};

static void the_port_floor_holds_unless_the_rule_names_the_port(void **state)
{
    struct room *r = *state;

    assert_string_equal(
        room_rules(r, "rule allow if host named and port 8443;\nrule allow if not port 26;"), "");
    for (size_t i = 0; i < COUNT(ports); i++) {
        bool plain = span_starts(span_of(ports[i].authority), "http:");
        unsigned status =
            plain ? room_get(r, ports[i].authority) : room_connect(r, ports[i].authority);

        if (status != ports[i].status)
            fail_msg("%s: %u", ports[i].authority, status);
        if (status == 403)
            assert_string_equal(room_variable(r, "forward_rule"), "floor:port");
    }
    room_connect(r, "a:25");
    assert_string_equal(room_explanation(r),
                        "denied by the port floor: port 25 is not open for CONNECT");
}

static const struct {
    const char *candidate;
    bool may;
} candidates[] = {
    { "8.8.8.8", true },
    { "2606:4700::1", true },
    { "127.0.0.1", false },
    { "10.0.0.1", false },
    { "169.254.169.254", false },
    { "::1", false },
    { "::ffff:10.0.0.1", false },
    { "64:ff9b::7f00:1", false },
    { "10.1.0.5", false },
    { "203.0.114.7", false },
    { "203.0.114.8", true },
    { "198.41.0.9", false },
    { "::ffff:203.0.114.7", false },
};

static void the_address_floor_holds_after_resolution(void **state)
{
    struct room *r = *state;

    assert_string_equal(room_rules(r, "own_address 198.41.0.9; rule allow;"), "");
    for (size_t i = 0; i < COUNT(candidates); i++) {
        assert_int_equal(room_get(r, "http://a.example/"), 0);
        if (room_dial(r, candidates[i].candidate) != candidates[i].may)
            fail_msg("%s", candidates[i].candidate);
        assert_int_equal(r->x.fault,
                         candidates[i].may ? FAULT_NONE : FAULT_DESTINATION_IP_PROHIBITED);
    }
    assert_int_equal(room_get(r, "http://a.example/"), 0);
    assert_false(room_dial(r, "10.0.0.1"));
    assert_string_equal(room_explanation(r),
                        "denied by the address floor: the destination is of the kind \"private\"");
    assert_string_equal(room_variable(r, "forward_reason"), "private address 10.0.0.1");
}

static void an_exception_opens_one_address_in_all_its_forms(void **state)
{
    struct room *r = *state;

    assert_string_equal(room_rules(r, "rule allow if address 10.1.2.3;\nrule allow;"), "");
    assert_int_equal(room_get(r, "http://10.1.2.3/"), 0);
    assert_true(room_dial(r, "10.1.2.3"));
    assert_true(room_dial(r, "::ffff:10.1.2.3"));
    assert_int_equal(room_get(r, "http://10.1.2.4/"), 0);
    assert_false(room_dial(r, "10.1.2.4"));
}

static void of_two_addresses_only_the_public_one_may_be_dialled(void **state)
{
    struct room *r = *state;

    assert_string_equal(room_rules(r, "rule allow;"), "");
    assert_int_equal(room_get(r, "http://a.example/"), 0);
    assert_false(room_dial(r, "127.0.0.1"));
    assert_true(room_dial(r, "8.8.8.8"));
    assert_int_equal(r->x.fault, FAULT_NONE);
    assert_string_equal(room_variable(r, "forward_verdict"), "allow");
    assert_int_equal(room_get(r, "http://a.example/"), 0);
    assert_true(room_dial(r, "8.8.8.8"));
    assert_false(room_dial(r, "127.0.0.1"));
    assert_int_equal(r->x.fault, FAULT_NONE); /* that the public one is down is for others to say */
    assert_string_equal(room_variable(r, "forward_verdict"), "allow");
}

static void no_rule_leads_back_to_a_forward_face(void **state)
{
    struct room *r = *state;

    assert_string_equal(
        room_rules(r, "listen 10.1.0.5:4000; deny_special off;\n"
                      "rule allow if address own loopback and port 1-65535 and "
                      "client 127.0.0.0/8;"),
        "warn 2:36 with \"deny_special off\" clients reach private, loopback and metadata "
        "addresses\n");
    assert_int_equal(room_connect(r, "a:3128"), 0);
    assert_false(room_dial(r, "127.0.0.1"));
    assert_false(room_dial(r, "127.0.0.9"));
    assert_false(room_dial(r, "10.1.0.5"));
    assert_int_equal(room_connect(r, "a:4000"), 0);
    assert_false(room_dial(r, "10.1.0.5"));
    assert_string_equal(room_explanation(r),
                        "denied by the address floor: the destination is this proxy itself");
    assert_int_equal(room_connect(r, "a:443"), 0);
    assert_true(room_dial(r, "10.1.0.5")); /* the reverse face, named */
}

static void with_deny_special_off_private_addresses_are_reached(void **state)
{
    struct room *r = *state;

    room_rules(r, "deny_special off; rule allow;");
    assert_int_equal(room_get(r, "http://a.example/"), 0);
    assert_true(room_dial(r, "10.0.0.1"));
}

static void to_leads_elsewhere_and_the_floors_judge_that(void **state)
{
    struct room *r = *state;

    assert_string_equal(
        room_rules(r, "rule allow to=127.0.0.1:8443 if host a.example and port 443 8443 and "
                      "address 127.0.0.1;\n"
                      "rule allow to=b.example:25 if host c.example;\n"
                      "rule allow to=safe.example if host d.example;\n"
                      "rule allow to=localhost if host e.example;"),
        "");
    assert_int_equal(room_connect(r, "a.example:443"), 0);
    assert_true(span_is(r->x.asked->host, "a.example"));
    assert_true(span_is(r->x.goal->host, "127.0.0.1"));
    assert_int_equal(r->x.goal->port, 8443);
    assert_int_equal(r->x.goal->literal.family, AF_INET);
    assert_int_equal(r->x.goal->literal.port, 8443);
    assert_string_equal(room_variable(r, "forward_to"), "127.0.0.1:8443");
    assert_true(room_dial(r, "127.0.0.1"));
    assert_false(room_dial(r, "127.0.0.2"));
    assert_int_equal(room_connect(r, "c.example:443"), 403);
    assert_string_equal(room_variable(r, "forward_rule"), "floor:port");
    assert_int_equal(room_get(r, "http://d.example:8080/"), 0);
    assert_true(span_is(r->x.goal->host, "safe.example"));
    assert_int_equal(r->x.goal->port, 8080);
    assert_int_equal(room_get(r, "http://e.example/"), 0);
    assert_int_equal(r->x.goal->literal.family, AF_INET);
    assert_false(room_dial(r, "127.0.0.1"));
}

static void an_address_that_another_rule_leads_elsewhere_is_not_dialled(void **state)
{
    struct room *r = *state;

    assert_string_equal(room_rules(r, "rule allow if address 8.0.0.0/8;\nrule allow to=b.example;"),
                        "");
    assert_int_equal(room_get(r, "http://a.example/"), 0);
    assert_true(span_is(r->x.goal->host, "a.example"));
    assert_true(room_dial(r, "8.8.8.8"));
    assert_int_equal(room_get(r, "http://a.example/"), 0);
    assert_false(room_dial(r, "9.9.9.9"));
}

static bool was_decided(const struct exchange *x, enum decided what, enum verdict verdict,
                        const char *detail)
{
    for (uint32_t i = 0; i < x->decisions.count && i < DECISIONS_KEPT; i++) {
        const struct decision *d = &x->decisions.at[i];

        if (d->what == what && d->verdict == verdict && span_is(span_of(d->detail), detail))
            return true;
    }
    return false;
}

static void every_decision_leaves_a_trace(void **state)
{
    struct room *r = *state;

    assert_string_equal(room_rules(r, "rule deny if host b;\nrule allow if host a;"), "");
    room_get(r, "http://a/");
    assert_true(was_decided(&r->x, DECIDED_RULE, PASS, "rule allow if host a"));
    assert_int_equal(r->x.decisions.at[0].line, 3);
    room_dial(r, "10.0.0.1");
    assert_true(was_decided(&r->x, DECIDED_FLOOR, REFUSE, "private"));
    room_get(r, "http://b/");
    assert_true(was_decided(&r->x, DECIDED_RULE, REFUSE, "rule deny if host b"));
    room_get(r, "http://c/");
    assert_true(was_decided(&r->x, DECIDED_RULE, REFUSE, "default"));
    room_get(r, "http://a:25/");
    assert_true(was_decided(&r->x, DECIDED_FLOOR, REFUSE, "port floor"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_denial_is_a_403_that_names_its_rule),
        cmocka_unit_test(a_malformed_request_is_told_why),
        cmocka_unit_test(the_port_floor_holds_unless_the_rule_names_the_port),
        cmocka_unit_test(the_address_floor_holds_after_resolution),
        cmocka_unit_test(an_exception_opens_one_address_in_all_its_forms),
        cmocka_unit_test(of_two_addresses_only_the_public_one_may_be_dialled),
        cmocka_unit_test(no_rule_leads_back_to_a_forward_face),
        cmocka_unit_test(with_deny_special_off_private_addresses_are_reached),
        cmocka_unit_test(to_leads_elsewhere_and_the_floors_judge_that),
        cmocka_unit_test(an_address_that_another_rule_leads_elsewhere_is_not_dialled),
        cmocka_unit_test(every_decision_leaves_a_trace),
    };

    return cmocka_run_group_tests(tests, room_open, room_close);
}
