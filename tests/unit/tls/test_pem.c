/* Certificates and keys from PEM to DER. */
#include "tls/pem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "tls/tls.h"
#include "unit/tls/certificates.h"

static char *join(char *a, char *b)
{
    char *both = malloc(strlen(a) + strlen(b) + 1);

    strcpy(both, a);
    strcat(both, b);
    free(a);
    free(b);
    return both;
}

static bool chain_of(const char *pem, struct buf *der, char reason[256])
{
    buf_init(der, 1 << 16, NULL);
    return tls_chain_of_pem(span_of(pem), der, reason);
}

static bool key_of(const char *pem, struct buf *der, char reason[256])
{
    buf_init(der, 1 << 16, NULL);
    return tls_key_of_pem(span_of(pem), der, reason);
}

static uint32_t size_at(const struct buf *der, size_t at)
{
    const unsigned char *b = (const unsigned char *)der->data + at;

    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void a_chain_keeps_its_order(void **state)
{
    struct made ca = make_certificate("ca", EVP_EC_gen("P-256"), NULL);
    struct made leaf = make_certificate("a.example", EVP_EC_gen("P-256"), &ca);
    char *pem = join(certificate_pem(&leaf), certificate_pem(&ca)), reason[256] = "";
    struct buf der;

    (void)state;
    assert_true(chain_of(pem, &der, reason));
    size_t first = size_at(&der, 0), second = size_at(&der, first + 4);
    assert_int_equal(first, i2d_X509(leaf.certificate, NULL));
    assert_int_equal(second, i2d_X509(ca.certificate, NULL));
    assert_int_equal(der.len, first + second + 8);

    int64_t begins = 0, ends = 0, now = clock_wall_ms() / 1000;
    assert_true(tls_chain_validity(buf_view(&der), &begins, &ends));
    assert_true(begins <= now);
    int64_t left = ends - now;
    assert_true(left > 86000 && left <= 86400);
    buf_done(&der);
    free(pem);
    made_done(&leaf);
    made_done(&ca);
}

/* The kinds of key, as `openssl genpkey` and its elders write them. */
static void a_key_of_each_kind_fits_its_certificate(void **state)
{
    static const char *const kinds[] = { "E", "R", "O" };

    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        EVP_PKEY *key = *kinds[i] == 'E'   ? EVP_EC_gen("P-256")
                        : *kinds[i] == 'R' ? EVP_RSA_gen(2048)
                                           : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        struct made m = make_certificate("a.example", key, NULL);
        char *chain_pem = certificate_pem(&m), *pem = key_pem(&m, NULL), reason[256] = "";
        struct buf chain, der;

        assert_true(chain_of(chain_pem, &chain, reason));
        assert_true(key_of(pem, &der, reason));
        assert_int_equal(der.data[0], *kinds[i]);
        assert_true(tls_pair_fits(buf_view(&chain), buf_view(&der), reason));
        buf_done(&chain);
        buf_done(&der);
        free(chain_pem);
        free(pem);
        made_done(&m);
    }
}

static void a_key_of_another_certificate_does_not_fit(void **state)
{
    struct made one = make_certificate("one", EVP_EC_gen("P-256"), NULL);
    struct made two = make_certificate("two", EVP_EC_gen("P-256"), NULL);
    char *chain_pem = certificate_pem(&one), *pem = key_pem(&two, NULL), reason[256] = "";
    struct buf chain, der;

    (void)state;
    assert_true(chain_of(chain_pem, &chain, reason));
    assert_true(key_of(pem, &der, reason));
    assert_false(tls_pair_fits(buf_view(&chain), buf_view(&der), reason));
    assert_string_equal(reason, "certificate and key do not belong together: key values mismatch");
    buf_done(&chain);
    buf_done(&der);
    free(chain_pem);
    free(pem);
    made_done(&one);
    made_done(&two);
}

static void one_file_may_hold_both(void **state)
{
    struct made m = make_certificate("a.example", EVP_EC_gen("P-256"), NULL);
    char *pem = join(key_pem(&m, NULL), certificate_pem(&m)), reason[256] = "";
    struct buf chain, der;

    (void)state;
    assert_true(chain_of(pem, &chain, reason));
    assert_true(key_of(pem, &der, reason));
    assert_true(tls_pair_fits(buf_view(&chain), buf_view(&der), reason));
    buf_done(&chain);
    buf_done(&der);
    free(pem);
    made_done(&m);
}

static void a_pass_phrase_is_not_asked_for(void **state)
{
    struct made m = make_certificate("a.example", EVP_EC_gen("P-256"), NULL);
    char *pem = key_pem(&m, "secret"), reason[256] = "";
    struct buf der;

    (void)state;
    assert_false(key_of(pem, &der, reason));
    assert_string_equal(reason, "the key is encrypted, and no pass phrase is asked for");
    assert_int_equal(der.len, 0);
    buf_done(&der);
    free(pem);
    made_done(&m);
}

static void what_is_no_pem_is_said_to_be_none(void **state)
{
    static const struct {
        const char *text, *chain, *key;
    } cases[] = {
        { "", "no certificate in it", "no private key in it" },
        { "hello\n", "no certificate in it", "no private key in it" },
        { "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
          "certificate not readable", "no private key in it" },
        { "-----BEGIN CERTIFICATE-----\nAA", "certificate not readable", "no private key in it" },
        { "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no certificate in it",
          "no private key in it" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char reason[256] = "";
        struct buf der;

        assert_false(chain_of(cases[i].text, &der, reason));
        assert_memory_equal(reason, cases[i].chain, strlen(cases[i].chain));
        buf_done(&der);
        assert_false(key_of(cases[i].text, &der, reason));
        assert_memory_equal(reason, cases[i].key, strlen(cases[i].key));
        buf_done(&der);
    }
}

static void a_broken_certificate_behind_a_good_one_is_refused(void **state)
{
    struct made m = make_certificate("a.example", EVP_EC_gen("P-256"), NULL);
    char *pem = join(certificate_pem(&m),
                     strdup("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
    char reason[256] = "";
    struct buf der;

    (void)state;
    assert_false(chain_of(pem, &der, reason));
    buf_done(&der);
    free(pem);
    made_done(&m);
}

static void cut_der_is_refused_everywhere(void **state)
{
    struct made m = make_certificate("a.example", EVP_EC_gen("P-256"), NULL);
    char *pem = certificate_pem(&m), reason[256] = "";
    struct buf der;
    int64_t second = 7;

    (void)state;
    assert_true(chain_of(pem, &der, reason));
    for (size_t n = 0; n < der.len; n += 13) {
        struct span cut = span_first(buf_view(&der), n);

        assert_false(tls_chain_validity(cut, &second, &second));
        assert_false(tls_pair_fits(cut, cut, reason));
    }
    assert_int_equal(second, 7);
    buf_done(&der);
    free(pem);
    made_done(&m);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_keeps_its_order),
        cmocka_unit_test(a_key_of_each_kind_fits_its_certificate),
        cmocka_unit_test(a_key_of_another_certificate_does_not_fit),
        cmocka_unit_test(one_file_may_hold_both),
        cmocka_unit_test(a_pass_phrase_is_not_asked_for),
        cmocka_unit_test(what_is_no_pem_is_said_to_be_none),
        cmocka_unit_test(a_broken_certificate_behind_a_good_one_is_refused),
        cmocka_unit_test(cut_der_is_refused_everywhere),
    };

    tls_process_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
