/* decide/forward/forward: the block's directives, and what stops the start. */
#include "room.h"

static const struct {
    const char *text, *said;
} cases[] = {
    /* closed to all, open to all */
    { "forward { listen 127.0.0.1:3128; tunnel_peek off; }",
      "1:1 this forward block is closed to all: it has no \"rule allow\"\n" },
    { "forward { listen 127.0.0.1:3128; tunnel_peek off; rule deny; }",
      "1:1 this forward block is closed to all: it has no \"rule allow\"\n" },
    { "forward { tunnel_peek off; rule allow; }", "1:1 no \"listen\" is in this forward block\n" },
    { "forward { listen 127.0.0.1:3128; tunnel_peek off; rule allow; }", "" },
    { "forward { listen [::1]:3128; tunnel_peek off; rule allow; }", "" },
    { "forward { listen 0.0.0.0:3128; tunnel_peek off; rule allow; }",
      "1:49 this rule lets in everybody who reaches 0.0.0.0:3128: add \"if client ...\", or say "
      "\"open_proxy on\"\n" },
    { "forward { listen 127.0.0.1:1; listen 192.0.2.1:1; tunnel_peek off; rule allow if "
      "host a.b.c; }",
      "1:68 this rule lets in everybody who reaches 192.0.2.1:1: add \"if client ...\", or say "
      "\"open_proxy on\"\n" },
    { "forward { listen 0.0.0.0:3128; tunnel_peek off; open_proxy on; rule allow; }", "" },
    { "forward { listen 0.0.0.0:3128; tunnel_peek off; rule allow if client 192.168.0.0/16; }",
      "" },
    { "forward { listen 0.0.0.0:3128; tunnel_peek off;\nrule allow if client 0.0.0.0/0; }",
      "2:1 this rule lets in everybody who reaches 0.0.0.0:3128: add \"if client ...\", or say "
      "\"open_proxy on\"\n" },
    { "forward { listen 0.0.0.0:3128; tunnel_peek off;\nrule allow if client 0.0.0.0/1 "
      "128.0.0.0/1; }",
      "2:1 this rule lets in everybody who reaches 0.0.0.0:3128: add \"if client ...\", or say "
      "\"open_proxy on\"\n" },
    { "forward { listen 0.0.0.0:3128; tunnel_peek off;\nrule allow if not client 10.0.0.1; }",
      "2:1 this rule lets in everybody who reaches 0.0.0.0:3128: add \"if client ...\", or say "
      "\"open_proxy on\"\n" },
    { "forward { listen 0.0.0.0:3128; tunnel_peek off; list all { ::/0; }\nrule allow if "
      "client @all; }",
      "2:1 this rule lets in everybody who reaches 0.0.0.0:3128: add \"if client ...\", or say "
      "\"open_proxy on\"\n" },
    { "forward { listen 0.0.0.0:1; tunnel_peek off; when client 10.0.0.0/8 { rule allow; } }", "" },

    /* several blocks */
    { "forward a { listen 127.0.0.1:1; tunnel_peek off; rule allow; }\n"
      "http { forward b { listen 127.0.0.1:2; tunnel_peek off; rule allow; } }",
      "" },
    { "forward a { listen 127.0.0.1:1; tunnel_peek off; rule allow; }\n"
      "http { forward a { listen 127.0.0.1:2; tunnel_peek off; rule allow; } }",
      "2:16 duplicate forward block \"a\"\n" },
    { "forward { listen 127.0.0.1:1; tunnel_peek off; rule allow; }\nforward { tunnel_peek off; }",
      "2:1 no \"listen\" is in this forward block\n"
      "2:1 this forward block is closed to all: it has no \"rule allow\"\n" },

    /* what is said at -t */
    { "forward {\nlisten 127.0.0.1:1; rule allow; }",
      "warn 1:1 \"tunnel_peek\" counts as \"off\" in this version: tunnels are not "
      "looked into; say "
      "\"tunnel_peek off\" to agree\n" },
    { "forward { listen 127.0.0.1:1; tunnel_peek off; rule allow; deny_special off; }",
      "warn 1:73 with \"deny_special off\" clients reach private, loopback and metadata "
      "addresses\n" },

    /* values */
    { "forward { own_address 1.2.3.4 x; }", "1:31 \"x\" is no address\n" },
    { "forward { forward_max_hops 0; }", "1:28 " },
    { "forward { tunnel_peek maybe; }", "1:23 " },
    { "rule allow;", "1:1 \"rule\" directive is not allowed here\n" },

    /* servers' directives, with their replacement */
    { "forward { server_name a; }",
      "1:11 \"server_name\" has no meaning in a forward block: a rule asks for "
      "the host, \"rule allow if host ...\"\n" },
    { "forward { location / { } }",
      "1:11 \"location\" has no meaning in a forward block: \"rule ... if host "
      "...\" decides\n" },
    { "forward { proxy_pass http://a; }",
      "1:11 \"proxy_pass\" has no meaning in a forward block: the client "
      "names the destination; \"rule allow to=HOST:PORT\" leads elsewhere\n" },
    { "forward { if ($x) { } }",
      "1:11 \"if\" has no meaning in a forward block: \"rule ... if ...\" or \"when "
      "... { }\" has conditions\n" },
};

static void each_block_is_read_or_refused_at_its_word(void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *said = room_read(*state, cases[i].text);
        bool prefix = !span_ends(span_of(cases[i].said), "\n") && cases[i].said[0] != '\0';

        if (prefix ? !span_starts(span_of(said), cases[i].said)
                   : !span_is(span_of(said), cases[i].said))
            fail_msg("%s\n said: %swant: %s", cases[i].text, said, cases[i].said);
    }
}

static void a_block_judges_by_its_own_rules(void **state)
{
    struct room *r = *state;

    assert_string_equal(
        room_read(r, "forward a { listen 127.0.0.1:1; tunnel_peek off; rule allow if port 80; }\n"
                     "forward b { listen 127.0.0.1:2; tunnel_peek off; rule allow if port 81; }"),
        "");
    assert_int_equal(room_get(r, "http://a.example/"), 0);
    struct listener **all = r->g.listeners.items;
    all[0] = all[1];
    assert_int_equal(room_get(r, "http://a.example/"), 403);
    assert_int_equal(room_get(r, "http://a.example:81/"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_block_is_read_or_refused_at_its_word),
        cmocka_unit_test(a_block_judges_by_its_own_rules),
    };

    return cmocka_run_group_tests(tests, room_open, room_close);
}
