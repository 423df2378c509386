/* decide/access: allow and deny, the first match decides (nginx-semantics 9). */
#include "unit/support.h"

static unsigned asked(struct stage *s, const char *client, const char *path)
{
    struct exchange *x = stage_get(s, path);

    assert_true(address_parse_ip(span_of(client), &x->client_address));
    stage_phases(x, PHASE_ACCESS);
    return x->response.status;
}

static void the_first_match_decides_and_none_lets_pass(void **state)
{
    stage_server(*state,
                 "deny 192.0.2.1; allow 192.0.2.0/24; allow 2001:db8::/32; deny all;\n"
                 "location /open/ { allow 192.0.2.1; } location /half/ { deny 192.0.2.0/25; }");
    assert_int_equal(asked(*state, "192.0.2.1", "/"), 403);
    assert_int_equal(asked(*state, "192.0.2.2", "/"), 0);
    assert_int_equal(asked(*state, "::ffff:192.0.2.2", "/"), 0);
    assert_int_equal(asked(*state, "2001:db8::1", "/"), 0);
    assert_int_equal(asked(*state, "10.0.0.1", "/"), 403);
    assert_int_equal(asked(*state, "::1", "/"), 403);
    /* rules of its own: none from outside */
    assert_int_equal(asked(*state, "10.0.0.1", "/open/"), 0);
    assert_int_equal(asked(*state, "192.0.2.1", "/open/"), 0);
    assert_int_equal(asked(*state, "192.0.2.127", "/half/"), 403);
    assert_int_equal(asked(*state, "192.0.2.128", "/half/"), 0);
    assert_has(stage_log(*state), "access forbidden by rule, client: 192.0.2.1");
}

static void the_rule_is_noted_with_its_place(void **state)
{
    stage_server(*state, "allow 192.0.2.9;\ndeny all;");
    asked(*state, "10.0.0.1", "/");
    assert_has(stage_variable(((struct stage *)*state)->x, "decided_by"),
               "; rule deny at /etc/test.conf:6");
}

/* A known trap of NGINX: `return` answers before anybody was asked. */
static void return_comes_before_access(void **state)
{
    stage_server(*state, "location / { deny all; return 201; }");
    assert_int_equal(asked(*state, "10.0.0.1", "/"), 201);
}

static void what_is_no_network_is_refused(void **state)
{
    assert_has(stage_load(*state, "server { deny 10.0.0.0/33; }"),
               "invalid parameter \"10.0.0.0/33\"");
    assert_has(stage_load(*state, "server { allow everybody; }"),
               "invalid parameter \"everybody\"");
    assert_has(stage_load(*state, "server { allow unix:; }"),
               "\"unix:\" is known, not supported yet");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(the_first_match_decides_and_none_lets_pass),
        STAGED(the_rule_is_noted_with_its_place),
        STAGED(return_comes_before_access),
        STAGED(what_is_no_network_is_refused),
    };

    return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
