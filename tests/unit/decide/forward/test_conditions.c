/* decide/forward/conditions: what each condition holds for. */
#include "room.h"

/* The only rule allows under the condition; the request comes from 10.0.0.7. */
static const struct {
    const char *condition, *head;
    bool holds;
} cases[] = {
    { "client 10.0.0.0/8", "GET http://a.example/ HTTP/1.0\r\n\r\n", true },
    { "client 10.0.0.1-10.0.0.9", "GET http://a.example/ HTTP/1.0\r\n\r\n", true },
    { "client 10.0.0.8", "GET http://a.example/ HTTP/1.0\r\n\r\n", false },
    { "not client 10.0.0.8", "GET http://a.example/ HTTP/1.0\r\n\r\n", true },
    { "client @l", "GET http://a.example/ HTTP/1.0\r\n\r\n", true },
    { "client @but", "GET http://a.example/ HTTP/1.0\r\n\r\n", false },
    { "client ::ffff:10.0.0.7", "GET http://a.example/ HTTP/1.0\r\n\r\n", true },

    { "protocol http", "GET http://a.example/ HTTP/1.0\r\n\r\n", true },
    { "protocol connect", "GET http://a.example/ HTTP/1.0\r\n\r\n", false },
    { "protocol connect", "CONNECT a.example:443 HTTP/1.0\r\n\r\n", true },
    { "not protocol http connect", "CONNECT a.example:443 HTTP/1.0\r\n\r\n", false },

    { "method GET HEAD", "HEAD http://a.example/ HTTP/1.0\r\n\r\n", true },
    { "method get", "GET http://a.example/ HTTP/1.0\r\n\r\n", false },
    { "method CONNECT", "CONNECT a.example:443 HTTP/1.0\r\n\r\n", true },
    { "not method POST", "GET http://a.example/ HTTP/1.0\r\n\r\n", true },

    { "port 80", "GET http://a.example/ HTTP/1.0\r\n\r\n", true },
    { "port 80", "GET http://a.example:8080/ HTTP/1.0\r\n\r\n", false },
    { "port 1 8000-9000", "GET http://a.example:8080/ HTTP/1.0\r\n\r\n", true },

    { "host a.example", "GET http://a.example/ HTTP/1.0\r\n\r\n", true },
    { "host a.example", "GET http://A.EXAMPLE./ HTTP/1.0\r\n\r\n", true },
    { "host a.example", "GET http://A.Example:80/ HTTP/1.0\r\n\r\n", true },
    { "host a.example", "GET http://b.a.example/ HTTP/1.0\r\n\r\n", false },
    { "host x.example .a.example", "GET http://b.a.example/ HTTP/1.0\r\n\r\n", true },
    { "host *.a.example", "GET http://a.example/ HTTP/1.0\r\n\r\n", false },
    { "not host *.a.example", "GET http://a.example/ HTTP/1.0\r\n\r\n", true },
    { "host .example.com", "GET http://evilexample.com/ HTTP/1.0\r\n\r\n", false },
    { "host plain", "GET http://intranet/ HTTP/1.0\r\n\r\n", true },
    { "host plain", "GET http://a.example/ HTTP/1.0\r\n\r\n", false },
    { "host plain", "GET http://[::1]/ HTTP/1.0\r\n\r\n", false },
    { "host literal", "GET http://1.2.3.4/ HTTP/1.0\r\n\r\n", true },
    { "host literal", "GET http://[2001:db8::1]/ HTTP/1.0\r\n\r\n", true },
    { "host literal", "GET http://localhost/ HTTP/1.0\r\n\r\n", false },
    { "host \"plain\"", "GET http://plain/ HTTP/1.0\r\n\r\n", true },
    { "host \"plain\"", "GET http://intranet/ HTTP/1.0\r\n\r\n", false },
    { "host 1.2.3.4", "GET http://1.2.3.4/ HTTP/1.0\r\n\r\n", true },
    { "host 1.2.772", "GET http://1.2.3.4/ HTTP/1.0\r\n\r\n", true },
    { "host 1.2.3.4", "GET http://[::ffff:1.2.3.4]/ HTTP/1.0\r\n\r\n", true },
    { "host [2001:db8::1]", "GET http://[2001:DB8:0::1]/ HTTP/1.0\r\n\r\n", true },
    { "host @l", "GET http://l.example/ HTTP/1.0\r\n\r\n", true },
    { "host @l", "GET http://10.1.1.1/ HTTP/1.0\r\n\r\n", true },
    { "host @l", "GET http://a.example/ HTTP/1.0\r\n\r\n", false },

    { "category l", "GET http://l.example/ HTTP/1.0\r\n\r\n", true },
    { "category names", "GET http://a.example/ HTTP/1.0\r\n\r\n", false },
    { "category names", "GET http://x.names.example/ HTTP/1.0\r\n\r\n", true },

    { "host .a.example and port 80 and not method POST", "GET http://a.example/ HTTP/1.0\r\n\r\n",
      true },
    { "host .a.example and port 81 and not method POST", "GET http://a.example/ HTTP/1.0\r\n\r\n",
      false },
};

static void each_condition_holds_for_what_it_names(void **state)
{
    char rules[512];

    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(rules, sizeof(rules),
                 "list l { l.example; 10.0.0.0/8; } list but { 10.0.0.0/8; except 10.0.0.7; }\n"
                 "list names { .names.example; }\nrule allow if %s;",
                 cases[i].condition);
        assert_string_equal(room_rules(*state, rules), "");
        unsigned status = room_ask_from(*state, "10.0.0.7", cases[i].head);
        if (status != (cases[i].holds ? 0 : 403))
            fail_msg("%s: %s: %u", cases[i].condition, cases[i].head, status);
    }
}

static const struct {
    const char *condition, *candidate;
    bool may;
} addresses[] = {
    { "address 8.0.0.0/8", "8.8.8.8", true },
    { "address 8.0.0.0/8", "9.9.9.9", false },
    { "not address 8.0.0.0/8", "9.9.9.9", true },
    { "address 8.0.0.0/8", "::ffff:8.8.8.8", true },
    { "address @l", "10.2.3.4", true },
    { "address @l", "10.9.9.9", false },
    { "address private", "10.2.3.4", true },
    { "address private", "8.8.8.8", false },
    { "address own", "10.1.0.5", true },
    { "address private", "10.1.0.5", false }, /* ours: opens by its own word only */
    { "address special", "192.168.1.1", true },
    { "not address special", "8.8.8.8", true },
    { "not address special", "192.168.1.1", false },
    { "not address own", "192.168.1.1", false }, /* what is not named stays shut */
};

static void address_is_told_of_each_candidate(void **state)
{
    char rules[512];

    for (size_t i = 0; i < COUNT(addresses); i++) {
        snprintf(rules, sizeof(rules), "list l { 10.0.0.0/8; except 10.9.9.9; }\nrule allow if %s;",
                 addresses[i].condition);
        assert_string_equal(room_rules(*state, rules), "");
        assert_int_equal(room_get(*state, "http://a.example/"), 0);
        if (room_dial(*state, addresses[i].candidate) != addresses[i].may)
            fail_msg("%s: %s", addresses[i].condition, addresses[i].candidate);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_condition_holds_for_what_it_names),
        cmocka_unit_test(address_is_told_of_each_candidate),
    };

    return cmocka_run_group_tests(tests, room_open, room_close);
}
