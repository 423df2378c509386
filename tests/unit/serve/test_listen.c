/* serve/listen: the lines of all blocks become one listener for each address (nginx-semantics 3.1).
 */
#include "unit/support.h"

/* `ADDRESS socket=N [ssl] [forward] blocks=N fallback`, one line each. */
static const char *listeners_of(struct stage *s, const char *text)
{
    assert_string_equal(stage_load(s, text), "");
    struct listener **all = s->worker.generation->listeners.items;
    size_t len = 0;

    s->text[0] = '\0';
    for (uint32_t i = 0; i < s->worker.generation->listeners.len; i++)
        len += (size_t)snprintf(s->text + len, STAGE_TEXT - len, "%s %u%s%s %u %s\n",
                                all[i]->text.at, all[i]->socket, all[i]->ssl ? " ssl" : "",
                                all[i]->forward ? " forward" : "", all[i]->blocks.len,
                                all[i]->forward ? "-" : all[i]->fallback->label.at);
    return s->text;
}

static void an_address_has_many_forms(void **state)
{
    assert_string_equal(
        listeners_of(*state,
                     "server { listen 81; listen *:82; listen 127.0.0.1:83; listen localhost:84;\n"
                     "listen [::1]:85; listen [::]:86; listen 10.0.0.1; server_name a; }"),
        "0.0.0.0:81 0 1 a\n0.0.0.0:82 1 1 a\n127.0.0.1:83 2 1 a\n127.0.0.1:84 3 1 a\n"
        "[::1]:85 4 1 a\n[::]:86 5 1 a\n10.0.0.1:80 6 1 a\n");
}

static void without_a_line_the_port_is_that_of_the_user(void **state)
{
    assert_string_equal(listeners_of(*state, "server { server_name a; }"),
                        geteuid() == 0 ? "0.0.0.0:80 0 1 a\n" : "0.0.0.0:8000 0 1 a\n");
}

static void servers_of_one_address_form_a_group(void **state)
{
    assert_string_equal(
        listeners_of(*state,
                     "server { listen 80; server_name a; } server { listen *:80; server_name b; }\n"
                     "server { listen 0.0.0.0:80 default; listen 81; server_name c; }"),
        "0.0.0.0:80 0 3 c\n0.0.0.0:81 1 1 c\n");
}

static void an_address_without_options_shares_the_socket_of_all(void **state)
{
    struct stage *s = *state;

    assert_string_equal(
        listeners_of(
            s,
            "server { listen 127.0.0.1:80; server_name a; } server { listen 80; server_name b; }\n"
            "server { listen 127.0.0.2:80 bind; server_name c; }\n"
            "server { listen [::1]:80; server_name d; }"),
        "127.0.0.1:80 0 1 a\n0.0.0.0:80 0 1 b\n127.0.0.2:80 1 1 c\n[::1]:80 2 1 d\n");
    assert_ptr_equal(stage_listener(s, 0)->wildcard, stage_listener(s, 1));
    assert_null(stage_listener(s, 1)->wildcard);
    assert_null(stage_listener(s, 2)->wildcard);
    assert_null(stage_listener(s, 3)->wildcard); /* another family */
}

static void port_zero_is_one_port_for_servers_and_one_for_each_forward_block(void **state)
{
    assert_string_equal(
        listeners_of(*state,
                     "server { listen 127.0.0.1:0; server_name a; }\n"
                     "server { listen 127.0.0.1:0; listen *:0; server_name b; }\n"
                     "forward { listen 127.0.0.1:0; tunnel_peek off; rule allow if client ::1; }"),
        "127.0.0.1:0 0 2 a\n0.0.0.0:0 1 1 b\n127.0.0.1:0 2 forward 1 -\n");
}

static void options_are_read_and_hold_for_the_group(void **state)
{
    struct stage *s = *state;

    listeners_of(s, "server { listen 80 backlog=7 rcvbuf=8k sndbuf=16k; } server { listen 80; }\n"
                    "server { listen [::]:80 ipv6only=off; } server { listen [::]:81; }");
    assert_int_equal(stage_listener(s, 0)->backlog, 7);
    assert_int_equal(stage_listener(s, 0)->rcvbuf, 8192);
    assert_int_equal(stage_listener(s, 0)->sndbuf, 16384);
    assert_int_equal(stage_listener(s, 1)->ipv6only, 0);
    assert_int_equal(stage_listener(s, 1)->backlog, 511);
    assert_int_equal(stage_listener(s, 0)->tcp.keepalive, 0);
    assert_int_equal(stage_listener(s, 2)->ipv6only, 1);
}

static const struct {
    const char *text, *want;
} refused[] = {
    { "server { listen 80; listen 80; }", "a duplicate listen 0.0.0.0:80" },
    { "server { listen 80 default_server; }\nserver { listen 80 default_server; }",
      "a duplicate default server for 0.0.0.0:80 in /etc/test.conf:2" },
    { "server { listen 80 backlog=1; }\nserver { listen 80 backlog=1; }",
      "duplicate listen options for 0.0.0.0:80 in /etc/test.conf:2" },
    { "server { listen 3128; }\nforward { listen 3128; tunnel_peek off; rule allow if "
      "client 10.0.0.0/8; }",
      "0.0.0.0:3128 belongs to another block already in /etc/test.conf:2" },
    { "server { listen 80 nosuch; }", "invalid parameter \"nosuch\"" },
    { "server { listen 80 ssl=on; }", "invalid parameter \"ssl=on\"" },
    { "server { listen 80 backlog=; }", "invalid parameter \"backlog=\"" },
    { "server { listen 80 backlog=0; }", "invalid parameter \"backlog=0\"" },
    { "server { listen 80 ipv6only=maybe; }", "invalid ipv6only flags \"maybe\"" },
    { "server { listen 80 http; }", "invalid parameter \"http\": it belongs to a forward block" },
    { "server { listen 80 proxy_protocol; }", "\"proxy_protocol\" is known, not supported yet" },
    { "server { listen 80 setfib=5; }", "\"setfib=5\" is known, not supported yet" },
    { "server { listen 80 fastopen=0; }", "invalid parameter \"fastopen=0\"" },
    { "server { listen 80 deferred=1; }", "invalid parameter \"deferred=1\"" },
    { "server { listen 80 so_keepalive=yes; }", "invalid so_keepalive value: \"yes\"" },
    { "server { listen 80 so_keepalive=::; }", "invalid so_keepalive value: \"::\"" },
    { "server { listen 80 so_keepalive=1:2:3:4; }", "invalid so_keepalive value: \"1:2:3:4\"" },
    { "server { listen 80 so_keepalive=::128; }", "invalid so_keepalive value: \"::128\"" },
    { "server { listen 80 so_keepalive=40000::; }", "invalid so_keepalive value: \"40000::\"" },
    { "server { listen 80 deferred; } server { listen 80 fastopen=1; }",
      "duplicate listen options for 0.0.0.0:80" },
    { "server { listen unix:/x; }", "\"unix:\" is known, not supported yet" },
    { "server { listen 65536; }", "invalid host or port in \"65536\" of the \"listen\" directive" },
    { "server { listen a.example:80; }",
      "a name in \"listen\" (\"a.example:80\") is known, not supported yet: write its address" },
    { "server { listen a.example:x; }", "invalid host or port in \"a.example:x\"" },
    { "server { listen 8000-8010; }",
      "a range of ports (\"8000-8010\") is known, not supported yet" },
    { "server { listen 8000-x; }", "invalid host or port in \"8000-x\"" },
    { "server { listen 127.0.0.1:; }", "invalid host or port in \"127.0.0.1:\"" },
    { "server { listen ::1; }", "invalid host or port in \"::1\"" },
    { "server { listen [::1; }", "invalid host or port in \"[::1\"" },
    { "server { listen 443 ssl; }",
      "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive" },
    { "forward { listen 3128 default_server; }", "a forward block has no default server" },
};

static void what_cannot_be_listened_on_is_refused(void **state)
{
    for (size_t i = 0; i < COUNT(refused); i++)
        assert_has(stage_load(*state, refused[i].text), refused[i].want);
}

static void http2_is_served_as_http1_and_said(void **state)
{
    assert_has(stage_load(*state, "server { listen 80 http2; }"),
               "[warn] \"http2\" is not supported yet: HTTP/1.1 is served in /etc/test.conf:1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(an_address_has_many_forms),
        STAGED(without_a_line_the_port_is_that_of_the_user),
        STAGED(servers_of_one_address_form_a_group),
        STAGED(an_address_without_options_shares_the_socket_of_all),
        STAGED(port_zero_is_one_port_for_servers_and_one_for_each_forward_block),
        STAGED(options_are_read_and_hold_for_the_group),
        STAGED(what_cannot_be_listened_on_is_refused),
        STAGED(http2_is_served_as_http1_and_said),
    };

    return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
