/* The keys of session tickets over time. */
#include "tls/tickets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { HOUR = 3600 * 1000 };

/* A ticket as a client keeps it: the key's name and what OpenSSL would have sealed. */
struct ticket {
    unsigned char name[TICKET_NAME], iv[TICKET_IV], sealed[32];
};

struct tools {
    struct ticket_ring ring;
    EVP_CIPHER_CTX *cipher;
    EVP_MAC_CTX *mac;
};

static const unsigned char text[16] = "session";

static struct ticket_parts parts_of(struct tools *t, struct ticket *ticket)
{
    return (struct ticket_parts){ ticket->name, ticket->iv, t->cipher, t->mac };
}

static int seal(struct tools *t, uint64_t now, struct ticket *ret)
{
    struct ticket_parts parts = parts_of(t, ret);
    int n = 0, said = ticket_ring_seal(&t->ring, now, &parts);

    if (said == 1)
        assert_int_equal(EVP_EncryptUpdate(t->cipher, ret->sealed, &n, text, sizeof(text)), 1);
    assert_int_equal(n, said == 1 ? 16 : 0);
    return said;
}

/* What OpenSSL is told; and the ticket really opens. */
static int open_it(struct tools *t, uint64_t now, struct ticket *ticket, bool is_1_3)
{
    struct ticket_parts parts = parts_of(t, ticket);
    unsigned char opened[48] = { 0 };
    int n = 0, said = ticket_ring_open(&t->ring, now, &parts, is_1_3);

    if (said > 0) {
        EVP_CIPHER_CTX_set_padding(t->cipher, 0);
        assert_int_equal(EVP_DecryptUpdate(t->cipher, opened, &n, ticket->sealed, 16), 1);
        assert_memory_equal(opened, text, sizeof(text));
    }
    return said;
}

static int set_up(void **state)
{
    static struct tools tools;
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

    assert_true(ticket_ring_init(&tools.ring, 300000));
    tools.cipher = EVP_CIPHER_CTX_new();
    tools.mac = EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac);
    *state = &tools;
    return 0;
}

static int tear_down(void **state)
{
    struct tools *t = *state;

    ticket_ring_done(&t->ring);
    EVP_CIPHER_CTX_free(t->cipher);
    EVP_MAC_CTX_free(t->mac);
    return 0;
}

static void a_ticket_opens_and_is_renewed_in_1_3_alone(void **state)
{
    struct ticket ticket;

    assert_int_equal(seal(*state, 1000, &ticket), 1);
    assert_int_equal(open_it(*state, 1000, &ticket, false), 1);
    assert_int_equal(open_it(*state, 1000, &ticket, true), 2);
}

static void an_old_key_opens_for_one_more_period_and_asks_for_renewal(void **state)
{
    struct ticket old, fresh;

    assert_int_equal(seal(*state, 1000, &old), 1);
    assert_int_equal(open_it(*state, 1000 + HOUR - 1, &old, false), 1);
    assert_int_equal(seal(*state, 1000 + HOUR, &fresh), 1);
    assert_memory_not_equal(old.name, fresh.name, TICKET_NAME);
    assert_int_equal(open_it(*state, 1000 + HOUR, &old, false), 2);
    assert_int_equal(open_it(*state, 1000 + HOUR, &fresh, false), 1);
    assert_int_equal(open_it(*state, 1000 + 2 * HOUR - 1, &old, true), 2);
    assert_int_equal(open_it(*state, 1000 + 2 * HOUR, &old, false), 0);
    assert_int_equal(open_it(*state, 1000 + 2 * HOUR, &fresh, false), 2);
}

/* Nothing was sealed meanwhile: the key is too old all the same, or the client would keep it. */
static void a_quiet_hour_ends_a_key_too(void **state)
{
    struct ticket ticket;

    assert_int_equal(seal(*state, 1000, &ticket), 1);
    assert_int_equal(open_it(*state, 1000 + HOUR, &ticket, false), 2);
}

static void a_long_session_has_a_long_period(void **state)
{
    struct tools *t = *state;
    struct ticket ticket;

    ticket_ring_done(&t->ring);
    assert_true(ticket_ring_init(&t->ring, (uint64_t)24 * HOUR));
    assert_int_equal(seal(t, 1000, &ticket), 1);
    assert_int_equal(open_it(t, 1000 + (uint64_t)12 * HOUR - 1, &ticket, false), 1);
    assert_int_equal(open_it(t, 1000 + (uint64_t)24 * HOUR - 1, &ticket, false), 2);
    assert_int_equal(open_it(t, 1000 + (uint64_t)24 * HOUR, &ticket, false), 0);
}

static void unknown_names_open_nothing(void **state)
{
    struct ticket ticket = { .name = "" };

    assert_int_equal(open_it(*state, 1000, &ticket, true), 0);
    assert_int_equal(seal(*state, 1000, &ticket), 1);
    ticket.name[15] ^= 1;
    assert_int_equal(open_it(*state, 1000, &ticket, true), 0);
}

#define WITH_RING(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Two workers, of which one has just come. */
static void rings_of_one_seed_open_each_others_tickets(void **state)
{
    struct tools *t = *state;
    struct ticket_ring first = t->ring, second, stranger;
    struct ticket ticket;
    uint64_t now = 100 * (uint64_t)HOUR + 59 * 60 * 1000;

    assert_true(ticket_ring_seed(&first, (struct span){ "one seed for both", 17 }));
    assert_true(ticket_ring_init(&second, 300000));
    assert_true(ticket_ring_seed(&second, (struct span){ "one seed for both", 17 }));
    assert_true(ticket_ring_init(&stranger, 300000));
    assert_true(ticket_ring_seed(&stranger, (struct span){ "a seed of others'", 17 }));
    t->ring = first;
    assert_int_equal(seal(t, now, &ticket), 1);
    first = t->ring;
    t->ring = second;
    assert_int_equal(open_it(t, now, &ticket, false), 1);
    assert_int_equal(open_it(t, now + HOUR, &ticket, false), 2); /* the key of the hour before */
    assert_int_equal(open_it(t, now + 2 * HOUR, &ticket, false), 0);
    second = t->ring;
    t->ring = stranger;
    assert_int_equal(open_it(t, now, &ticket, false), 0);
    ticket_ring_done(&t->ring);
    ticket_ring_done(&second);
    t->ring = first;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WITH_RING(a_ticket_opens_and_is_renewed_in_1_3_alone),
        WITH_RING(an_old_key_opens_for_one_more_period_and_asks_for_renewal),
        WITH_RING(a_quiet_hour_ends_a_key_too),
        WITH_RING(a_long_session_has_a_long_period),
        WITH_RING(unknown_names_open_nothing),
        WITH_RING(rings_of_one_seed_open_each_others_tickets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
