/* decide/forward/ports: the port floor, by default and as `ports` says. */
#include "room.h"

static void ranges_are_numbers_from_1_to_65535(void **state)
{
    static const char *const bad[] = { "",   "0",  "65536", "080",     "a",
                                       "1-", "-1", "5-4",   "1-65536", "1-2-3" };
    struct port_range r;

    (void)state;
    assert_true(port_range_parse(span_of("1024-65535"), &r));
    assert_int_equal(r.first, 1024);
    assert_int_equal(r.last, 65535);
    assert_true(port_range_parse(span_of("80"), &r));
    assert_int_equal(r.last, 80);
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(port_range_parse(span_of(bad[i]), &r));
}

static void without_a_line_the_defaults_hold(void **state)
{
    static const struct port_floors none;

    (void)state;
    assert_true(ports_allow(&none, PORT_FLOOR_HTTP, 80));
    assert_true(ports_allow(&none, PORT_FLOOR_HTTP, 443));
    assert_true(ports_allow(&none, PORT_FLOOR_HTTP, 8080));
    assert_false(ports_allow(&none, PORT_FLOOR_HTTP, 25));
    assert_false(ports_allow(&none, PORT_FLOOR_HTTP, 1023));
    assert_false(ports_allow(&none, PORT_FLOOR_HTTP, 6667));
    assert_true(ports_allow(&none, PORT_FLOOR_CONNECT, 443));
    assert_false(ports_allow(&none, PORT_FLOOR_CONNECT, 22));
    assert_false(ports_allow(&none, PORT_FLOOR_CONNECT, 8443));
    assert_true(ports_allow(&none, PORT_FLOOR_SOCKS, 22));
    assert_false(ports_allow(&none, PORT_FLOOR_SOCKS, 25));
}

static bool open_for(struct room *r, enum port_floor which, uint16_t port)
{
    struct listener *l = *(struct listener **)r->g.listeners.items;
    const struct forward_settings *s =
        settings_in(l->fallback, module_index(&r->g, &forward_module));

    return ports_allow(&s->ports, which, port);
}

static void a_line_says_what_one_protocol_reaches(void **state)
{
    struct room *r = *state;

    assert_string_equal(room_rules(r, "ports http none; ports connect 443 8000-8100 except 8050;\n"
                                      "ports socks any except 25 1-10; rule allow;"),
                        "");
    assert_false(open_for(r, PORT_FLOOR_HTTP, 80));
    assert_true(open_for(r, PORT_FLOOR_CONNECT, 8100));
    assert_false(open_for(r, PORT_FLOOR_CONNECT, 8050));
    assert_false(open_for(r, PORT_FLOOR_CONNECT, 8101));
    assert_true(open_for(r, PORT_FLOOR_SOCKS, 65535));
    assert_false(open_for(r, PORT_FLOOR_SOCKS, 10));
    assert_true(open_for(r, PORT_FLOOR_SOCKS, 11));
}

static const struct {
    const char *line, *said;
} bad[] = {
    { "ports ftp 21;", "2:7 invalid value \"ftp\", expected \"http\", \"connect\" or \"socks\"\n" },
    { "ports connect 0;", "2:15 invalid port \"0\", expected a number from 1 to 65535, or A-B\n" },
    { "ports connect except 25;", "2:7 ports are missing after \"connect\"\n" },
    { "ports connect any except;", "2:19 ports are missing after \"except\"\n" },
    { "ports connect any 25;", "2:19 expected \"except\"\n" },
    { "ports connect 1 except 2 except 3;", "2:26 \"except\" may stand once\n" },
    { "ports http 80; ports http 81;", "2:22 \"ports http\" is duplicate\n" },
};

static void nonsense_is_refused_at_its_word(void **state)
{
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_string_equal(room_rules(*state, bad[i].line), bad[i].said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_numbers_from_1_to_65535),
        cmocka_unit_test(without_a_line_the_defaults_hold),
        cmocka_unit_test(a_line_says_what_one_protocol_reaches),
        cmocka_unit_test(nonsense_is_refused_at_its_word),
    };

    return cmocka_run_group_tests(tests, room_open, room_close);
}
