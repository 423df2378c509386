/* serve: what a TLS session stays with (TLS-20): one that was made under other settings is no
 * session of these, over a reload too. */
#include "exchange/generation.h"
#include "serve/ssl_settings.h"
#include "unit/support.h"

static const struct tls_command command = { SPAN("Options"), SPAN("-SessionTicket") };

static const struct {
    const char *what, *chain, *ciphers;
    unsigned versions;
    uint32_t commands;
} others[] = {
    { "another certificate", "other", "A:B", 4, 0 }, { "fewer ciphers", "pem", "A", 4, 0 },
    { "other versions", "pem", "A:B", 8, 0 },        { "a command", "pem", "A:B", 4, 1 },
    { "bytes that moved", "pemA", ":B", 4, 0 },
};

static struct tls_binding bound(struct generation *g, const char *chain, const char *ciphers,
                                unsigned versions, uint32_t commands)
{
    struct tls_command copy = command;
    struct ssl_settings s = { .chain.data = span_of(chain),
                              .ciphers.text = span_of(ciphers),
                              .protocols.versions = versions,
                              .commands.list = { .items = &copy, .len = commands } };

    return ssl_binding(g, &s);
}

static void sessions_stay_with_the_settings_that_they_were_made_under(void **state)
{
    struct generation g = {};

    (void)state;
    arena_init(&g.arena, 4096, NULL);
    struct tls_binding own = bound(&g, "pem", "A:B", 4, 0), same = bound(&g, "pem", "A:B", 4, 0);
    assert_memory_equal(&own, &same, sizeof(own));
    for (size_t i = 0; i < COUNT(others); i++) {
        struct tls_binding other =
            bound(&g, others[i].chain, others[i].ciphers, others[i].versions, others[i].commands);

        if (memcmp(&own, &other, sizeof(own)) == 0)
            fail_msg("%s: the same binding", others[i].what);
    }
    arena_done(&g.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_stay_with_the_settings_that_they_were_made_under),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
