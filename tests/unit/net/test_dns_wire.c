/* DNS messages, byte by byte: what is believed, and what is not. */
#include "net/dns_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/net/dns_message.h"

enum { ID = 0x1234, REPLY = 0x8180, MX = 15 };

static struct dns_answer answer;

static enum dns_reply read_for(struct buf *m, const char *name, enum dns_type type)
{
    struct dns_name asked;
    struct dns_question q = { &asked, type, ID, DNS_MOST_ALIASES };

    assert_true(dns_name_read(span_of(name), &asked));
    assert_true(buf_ok(m));
    char *exact = malloc(m->len > 0 ? m->len : 1); /* a read beyond it is seen */
    assert_non_null(exact);
    for (size_t i = 0; i < m->len; i++)
        exact[i] = m->data[i];
    enum dns_reply reply = dns_answer_read((struct span){ exact, m->len }, &q, &answer);
    free(exact);
    return reply;
}

static enum dns_reply read_a(struct buf *m)
{
    enum dns_reply reply = read_for(m, "a.example", DNS_A);

    buf_done(m);
    return reply;
}

/* A reply to "a.example A" with so many records to come. */
static struct buf reply_with(unsigned answers)
{
    struct buf m;

    buf_init(&m, 128 << 10, NULL);
    put_head(&m, ID, REPLY, answers);
    put_question(&m, "a.example", DNS_A);
    return m;
}

static void a_name_is_letters_digits_hyphens_in_labels(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "Example.COM", "example.com" },
        { "example.com.", "example.com" },
        { "_sip._tcp.a-1.example", "_sip._tcp.a-1.example" },
        { "db", "db" },
        { "", NULL },
        { ".", NULL },
        { ".example", NULL },
        { "a..b", NULL },
        { "a.b..", NULL },
        { "a b", NULL },
        { "a/b", NULL },
        { "a\r\nb", NULL },
        { "b\xc3\xbc.example", NULL },
        { "0123456789012345678901234567890123456789012345678901234567890123.example", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct dns_name name = { .len = 0 };
        bool good = dns_name_read(span_of(cases[i].text), &name);

        if (good != (cases[i].want != NULL) ||
            (good && !span_is(dns_name_span(&name), cases[i].want)))
            fail_msg("%s", cases[i].text);
    }
    struct dns_name name;
    assert_false(dns_name_read((struct span)SPAN("a\0b.example"), &name));
}

static void a_name_of_253_bytes_is_the_longest(void **state)
{
    char text[256];
    struct dns_name name;

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = i % 50 == 49 ? '.' : 'x';
    assert_true(dns_name_read((struct span){ text, 253 }, &name));
    assert_int_equal(name.len, 253);
    assert_false(dns_name_read((struct span){ text, 254 }, &name));
}

static void a_question_is_written_as_the_rfc_shows_it(void **state)
{
    struct dns_name name;
    struct dns_question q = { &name, DNS_AAAA, 0xbeef, 0 };
    struct span want = SPAN("\xbe\xef\1\0\0\1\0\0\0\0\0\0\1a\7example\0\0\x1c\0\1");
    struct buf m;

    (void)state;
    assert_true(dns_name_read(span_of("a.example"), &name));
    buf_init(&m, 512, NULL);
    dns_question_write(&q, &m);
    assert_int_equal(m.len, want.len);
    assert_memory_equal(m.data, want.at, want.len);
    buf_done(&m);
}

static void an_address_is_read_with_its_time(void **state)
{
    struct buf m = reply_with(2);

    (void)state;
    put_pointer(&m, QUESTION_AT);
    put_record(&m, DNS_A, 300, 4);
    put_u32(&m, 0xc0000201);
    put_a(&m, "A.Example", 60, 0xc0000202);
    assert_int_equal(read_a(&m), DNS_ADDRESSES);
    assert_int_equal(answer.count, 2);
    assert_int_equal(answer.seconds, 60);
    assert_int_equal(answer.addresses[0].family, AF_INET);
    assert_memory_equal(answer.addresses[0].ip, "\xc0\0\2\1", 4);
    assert_memory_equal(answer.addresses[1].ip, "\xc0\0\2\2", 4);
}

static void an_ipv6_address_is_read(void **state)
{
    struct buf m;

    (void)state;
    buf_init(&m, LONGEST_MESSAGE, NULL);
    put_head(&m, ID, REPLY, 1);
    put_question(&m, "a.example", DNS_AAAA);
    put_pointer(&m, QUESTION_AT);
    put_record(&m, DNS_AAAA, 5, 16);
    for (unsigned i = 0; i < 16; i++)
        buf_add_byte(&m, (char)i);
    assert_int_equal(read_for(&m, "a.example", DNS_AAAA), DNS_ADDRESSES);
    assert_int_equal(answer.addresses[0].family, AF_INET6);
    assert_int_equal(answer.addresses[0].ip[15], 15);
    buf_done(&m);
}

static void what_does_not_answer_our_question_is_foreign(void **state)
{
    struct buf m = reply_with(1);

    (void)state;
    put_a(&m, "a.example", 60, 1);
    assert_int_equal(read_for(&m, "b.example", DNS_A), DNS_FOREIGN);
    assert_int_equal(read_for(&m, "a.exampl", DNS_A), DNS_FOREIGN);
    assert_int_equal(read_for(&m, "a.example", DNS_AAAA), DNS_FOREIGN);
    assert_int_equal(read_for(&m, "a.example", DNS_A), DNS_ADDRESSES);

    set_head(&m, 0, ID ^ 1);
    assert_int_equal(read_for(&m, "a.example", DNS_A), DNS_FOREIGN);
    set_head(&m, 0, ID);
    set_head(&m, 1, REPLY & 0x7fff); /* a query */
    assert_int_equal(read_for(&m, "a.example", DNS_A), DNS_FOREIGN);
    set_head(&m, 1, REPLY | 0x2800); /* an update */
    assert_int_equal(read_for(&m, "a.example", DNS_A), DNS_FOREIGN);
    set_head(&m, 1, REPLY);
    m.data[QUESTION_AT + 14] = 3; /* class CHAOS */
    assert_int_equal(read_a(&m), DNS_FOREIGN);
}

static void no_or_two_questions_are_foreign(void **state)
{
    struct buf m = reply_with(1);

    (void)state;
    put_a(&m, "a.example", 60, 1);
    set_head(&m, 2, 0);
    assert_int_equal(read_for(&m, "a.example", DNS_A), DNS_FOREIGN);
    set_head(&m, 2, 2);
    assert_int_equal(read_a(&m), DNS_FOREIGN);
}

/* Each name is put where an owner is expected; 0 bytes follow. */
static void bad_pointers_break_the_answer(void **state)
{
    enum { AT = QUESTION_AT + 15 };
    static const unsigned to[] = { AT, AT + 2, AT + 40, 0, 11, 0x3fff, AT - 1 };

    (void)state;
    for (size_t i = 0; i < COUNT(to); i++) {
        struct buf m = reply_with(1);

        put_pointer(&m, to[i]);
        put_record(&m, DNS_A, 60, 4);
        put_u32(&m, 1);
        if (read_a(&m) != DNS_BROKEN)
            fail_msg("a pointer to %u", to[i]);
    }
}

static void a_chain_of_200_pointers_breaks_the_answer(void **state)
{
    struct buf m = reply_with(1);
    unsigned at = QUESTION_AT;

    (void)state;
    put_name(&m, "a.example");
    put_record(&m, MX, 1, 400);
    for (int i = 0; i < 200; i++) {
        unsigned here = (unsigned)m.len;

        put_pointer(&m, at);
        at = here;
    }
    set_head(&m, 3, 2);
    put_pointer(&m, at);
    put_record(&m, DNS_A, 60, 4);
    put_u32(&m, 1);
    assert_int_equal(read_a(&m), DNS_BROKEN);
}

static void two_pointers_in_a_row_are_followed(void **state)
{
    struct buf m = reply_with(2);
    unsigned at;

    (void)state;
    put_a(&m, "b.example", 60, 1);
    at = (unsigned)m.len;
    put_pointer(&m, QUESTION_AT);
    put_record(&m, DNS_A, 60, 4);
    put_u32(&m, 2);
    set_head(&m, 3, 3);
    put_pointer(&m, at);
    put_record(&m, DNS_A, 60, 4);
    put_u32(&m, 3);
    assert_int_equal(read_a(&m), DNS_ADDRESSES);
    assert_int_equal(answer.count, 2);
    assert_int_equal(answer.addresses[1].ip[3], 3);
}

static void lengths_that_no_label_has_break_the_answer(void **state)
{
    (void)state;
    for (unsigned len = 64; len < 192; len++) {
        struct buf m = reply_with(1);

        buf_add_byte(&m, (char)len);
        for (int i = 0; i < 300; i++)
            buf_add_byte(&m, 'x');
        if (read_a(&m) != DNS_BROKEN)
            fail_msg("length %u", len);
    }
}

static void a_name_of_256_bytes_breaks_the_answer(void **state)
{
    (void)state;
    for (unsigned last = 60; last <= 63;
         last++) { /* 3 labels of 63 and one more: 254 to 257 bytes */
        struct buf m = reply_with(1);

        for (unsigned label = 0; label < 4; label++) {
            unsigned len = label < 3 ? 63 : last;

            buf_add_byte(&m, (char)len);
            for (unsigned i = 0; i < len; i++)
                buf_add_byte(&m, 'x');
        }
        buf_add_byte(&m, 0);
        put_record(&m, DNS_A, 60, 4);
        put_u32(&m, 1);
        assert_int_equal(read_a(&m), last <= 61 ? DNS_NO_DATA : DNS_BROKEN);
    }
}

static void a_name_without_its_root_at_the_end_breaks_the_answer(void **state)
{
    struct buf m = reply_with(1);

    (void)state;
    put_name(&m, "a.example");
    m.len--;
    assert_int_equal(read_for(&m, "a.example", DNS_A), DNS_BROKEN);
    buf_add_byte(&m, (char)0xc0); /* half a pointer */
    assert_int_equal(read_a(&m), DNS_BROKEN);
}

static void every_cut_of_a_good_answer_is_refused(void **state)
{
    struct buf m = reply_with(2);

    (void)state;
    put_cname(&m, "a.example", 60, "b.example");
    put_a(&m, "b.example", 60, 1);
    for (size_t whole = m.len; m.len > 0;) {
        m.len--;
        enum dns_reply want = m.len < DNS_HEADER_SIZE ? DNS_UNABLE
                              : m.len < 27            ? DNS_FOREIGN
                                                      : DNS_BROKEN;

        if (read_for(&m, "a.example", DNS_A) != want)
            fail_msg("cut at %zu of %zu", m.len, whole);
    }
    buf_done(&m);
}

static void an_alias_is_followed_within_the_answer(void **state)
{
    struct buf m = reply_with(3);

    (void)state;
    put_a(&m, "c.example", 300, 7); /* in any order */
    put_cname(&m, "a.example", 60, "b.example");
    put_cname(&m, "b.example", 30, "c.example");
    assert_int_equal(read_a(&m), DNS_ADDRESSES);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.aliases, 2);
    assert_int_equal(answer.seconds, 30);
}

static void an_alias_without_addresses_is_to_be_asked_for(void **state)
{
    struct buf m = reply_with(1);

    (void)state;
    put_cname(&m, "a.example", 60, "B.example");
    assert_int_equal(read_a(&m), DNS_ALIAS);
    assert_true(span_is(dns_name_span(&answer.alias), "b.example"));
    assert_int_equal(answer.aliases, 1);
}

static void a_loop_of_aliases_ends(void **state)
{
    struct buf m = reply_with(2);

    (void)state;
    put_cname(&m, "a.example", 60, "b.example");
    put_cname(&m, "b.example", 60, "a.example");
    assert_int_equal(read_a(&m), DNS_BROKEN);
}

static void eight_aliases_are_followed_nine_are_not(void **state)
{
    (void)state;
    for (unsigned length = 8; length <= 20; length++) {
        struct buf m = reply_with(length + 1);
        char from[] = "a.example", to[] = "b.example";

        for (unsigned i = 0; i < length; i++) {
            put_cname(&m, from, 60, to);
            from[0]++;
            to[0]++;
        }
        put_a(&m, from, 60, 1);
        assert_int_equal(read_a(&m), length == 8 ? DNS_ADDRESSES : DNS_BROKEN);
    }
}

static void records_of_others_are_not_used(void **state)
{
    struct buf m = reply_with(2);

    (void)state;
    put_a(&m, "victim.example", 60, 0x06060606);
    put_a(&m, "example", 60, 0x06060606);
    assert_int_equal(read_a(&m), DNS_NO_DATA);
    assert_int_equal(answer.count, 0);
}

static void records_beyond_the_answer_section_are_not_used(void **state)
{
    struct buf m = reply_with(0);

    (void)state;
    put_a(&m, "a.example", 60, 0x06060606);
    put_a(&m, "a.example", 60, 0x06060606);
    set_head(&m, 4, 1);
    set_head(&m, 5, 1);
    assert_int_equal(read_a(&m), DNS_NO_DATA);
}

static void another_class_is_not_used(void **state)
{
    struct buf m = reply_with(1);

    (void)state;
    put_name(&m, "a.example");
    put_u16(&m, DNS_A);
    put_u16(&m, 3);
    put_u32(&m, 60);
    put_u16(&m, 4);
    put_u32(&m, 1);
    assert_int_equal(read_a(&m), DNS_NO_DATA);
}

static void the_first_64_of_2000_addresses_are_kept(void **state)
{
    struct buf m = reply_with(2000);

    (void)state;
    for (uint32_t i = 0; i < 2000; i++) {
        put_pointer(&m, QUESTION_AT);
        put_record(&m, DNS_A, 60, 4);
        put_u32(&m, i);
    }
    assert_int_equal(read_a(&m), DNS_ADDRESSES);
    assert_int_equal(answer.count, 64);
    assert_int_equal(answer.addresses[63].ip[3], 63);
}

static void an_address_of_the_wrong_length_breaks_the_answer(void **state)
{
    struct buf m = reply_with(1);

    (void)state;
    put_name(&m, "a.example");
    put_record(&m, DNS_A, 60, 5);
    put_u32(&m, 1);
    buf_add_byte(&m, 1);
    assert_int_equal(read_a(&m), DNS_BROKEN);

    buf_init(&m, LONGEST_MESSAGE, NULL);
    put_head(&m, ID, REPLY, 1);
    put_question(&m, "a.example", DNS_AAAA);
    put_name(&m, "a.example");
    put_record(&m, DNS_AAAA, 60, 15);
    for (int i = 0; i < 15; i++)
        buf_add_byte(&m, 1);
    assert_int_equal(read_for(&m, "a.example", DNS_AAAA), DNS_BROKEN);
    buf_done(&m);
}

static void more_records_than_there_are_break_the_answer(void **state)
{
    struct buf m = reply_with(65535);

    (void)state;
    assert_int_equal(read_a(&m), DNS_BROKEN);
}

static void a_server_that_will_not_answer_is_told_from_one_that_does(void **state)
{
    static const unsigned codes[] = { 1, 2, 4, 5,
                                      9 }; /* FORMERR, SERVFAIL, NOTIMP, REFUSED, NOTAUTH */

    (void)state;
    for (size_t i = 0; i < COUNT(codes); i++) {
        struct buf m = reply_with(0);

        set_head(&m, 1, REPLY | codes[i]);
        assert_int_equal(read_a(&m), DNS_UNABLE);
    }
    for (size_t len = 0; len < DNS_HEADER_SIZE; len++) {
        struct buf m = reply_with(0);

        m.len = len;
        assert_int_equal(read_a(&m), DNS_UNABLE);
    }
    struct buf m = reply_with(0); /* FORMERR may come without the question */
    set_head(&m, 1, REPLY | 1);
    set_head(&m, 2, 0);
    m.len = DNS_HEADER_SIZE;
    assert_int_equal(read_a(&m), DNS_UNABLE);
}

static void times_beyond_2_to_the_31_are_0(void **state)
{
    static const uint32_t seconds[] = { 0x7fffffff, 0x80000000, 0xffffffff, 0 };

    (void)state;
    for (size_t i = 0; i < COUNT(seconds); i++) {
        struct buf m = reply_with(1);

        put_a(&m, "a.example", seconds[i], 1);
        assert_int_equal(read_a(&m), DNS_ADDRESSES);
        assert_int_equal(answer.seconds, i == 0 ? seconds[i] : 0);
    }
}

static enum dns_reply read_negative_of(const char *zone, unsigned flags, uint32_t minimum)
{
    struct buf m = reply_with(0);

    set_head(&m, 1, flags);
    if (zone != NULL) {
        set_head(&m, 4, 1);
        put_soa(&m, zone, 50, minimum);
    }
    return read_a(&m);
}

static void a_negative_holds_as_long_as_the_soa_says(void **state)
{
    enum { NXDOMAIN = REPLY | 3 };

    (void)state;
    assert_int_equal(read_negative_of("example", NXDOMAIN, 20), DNS_NO_NAME);
    assert_int_equal(answer.seconds, 20);
    assert_int_equal(read_negative_of("example", REPLY, 90), DNS_NO_DATA);
    assert_int_equal(answer.seconds, 50);
    assert_int_equal(read_negative_of("", NXDOMAIN, 20), DNS_NO_NAME); /* the root */
    assert_int_equal(answer.seconds, 20);
    assert_int_equal(read_negative_of("other", NXDOMAIN, 20), DNS_NO_NAME);
    assert_int_equal(answer.seconds, 0);
    assert_int_equal(read_negative_of("xample", NXDOMAIN, 20), DNS_NO_NAME);
    assert_int_equal(answer.seconds, 0);
    assert_int_equal(read_negative_of(NULL, NXDOMAIN, 20), DNS_NO_NAME);
    assert_int_equal(answer.seconds, 0);
}

static void an_alias_that_leads_nowhere_is_no_data(void **state)
{
    struct buf m = reply_with(1);

    (void)state;
    put_cname(&m, "a.example", 600, "b.other");
    put_soa(&m, "other", 50, 20);
    set_head(&m, 4, 1);
    assert_int_equal(read_for(&m, "a.example", DNS_A), DNS_NO_DATA);
    assert_int_equal(answer.seconds, 20);
    set_head(&m, 1, REPLY | 3);
    assert_int_equal(read_a(&m), DNS_NO_NAME);
}

static void an_alias_with_bytes_of_no_host_breaks_the_answer(void **state)
{
    static const struct span labels[] = { SPAN("a\r\nb"),   SPAN("a\0b"), SPAN("a b"),
                                          SPAN("a/b"),      SPAN("a.b"),  SPAN("a\"b"),
                                          SPAN("\xc3\xbc"), SPAN("*") };

    (void)state;
    for (size_t i = 0; i < COUNT(labels); i++) {
        struct buf m = reply_with(1);

        put_name(&m, "a.example");
        put_record(&m, DNS_CNAME, 60, (unsigned)labels[i].len + 2);
        buf_add_byte(&m, (char)labels[i].len);
        buf_add(&m, labels[i]);
        buf_add_byte(&m, 0);
        if (read_a(&m) != DNS_BROKEN)
            fail_msg("label %zu", i);
    }
}

static void an_alias_must_fill_its_record(void **state)
{
    (void)state;
    for (int more = -1; more <= 1; more++) {
        struct buf m = reply_with(1);

        put_name(&m, "a.example");
        put_record(&m, DNS_CNAME, 60, (unsigned)(11 + more));
        put_name(&m, "b.example");
        buf_add_byte(&m, 0);
        assert_int_equal(read_a(&m), more == 0 ? DNS_ALIAS : DNS_BROKEN);
    }
}

static void a_truncated_answer_counts_for_what_is_whole(void **state)
{
    struct buf m = reply_with(5);

    (void)state;
    set_head(&m, 1, REPLY | 0x200);
    put_a(&m, "a.example", 60, 1);
    put_a(&m, "a.example", 60, 2);
    m.len -= 2;
    assert_int_equal(read_for(&m, "a.example", DNS_A), DNS_ADDRESSES);
    assert_int_equal(answer.count, 1);
    set_head(&m, 3, 0);
    assert_int_equal(read_a(&m), DNS_BROKEN);
}

#define TEST(promise, function)                \
    {                                          \
        .name = promise, .test_func = function \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_letters_digits_hyphens_in_labels),
        cmocka_unit_test(a_name_of_253_bytes_is_the_longest),
        cmocka_unit_test(a_question_is_written_as_the_rfc_shows_it),
        cmocka_unit_test(an_address_is_read_with_its_time),
        cmocka_unit_test(an_ipv6_address_is_read),
        TEST("DNS-01-another-id-name-type-or-class-is-foreign",
             what_does_not_answer_our_question_is_foreign),
        TEST("DNS-10-no-or-two-questions-are-foreign", no_or_two_questions_are_foreign),
        TEST("DNS-05-bad-pointers", bad_pointers_break_the_answer),
        TEST("DNS-05-a-chain-of-200-pointers", a_chain_of_200_pointers_breaks_the_answer),
        cmocka_unit_test(two_pointers_in_a_row_are_followed),
        TEST("DNS-06-label-lengths-64-to-191", lengths_that_no_label_has_break_the_answer),
        TEST("DNS-06-a-name-of-256-bytes", a_name_of_256_bytes_breaks_the_answer),
        TEST("DNS-06-a-name-without-its-root",
             a_name_without_its_root_at_the_end_breaks_the_answer),
        cmocka_unit_test(every_cut_of_a_good_answer_is_refused),
        cmocka_unit_test(an_alias_is_followed_within_the_answer),
        cmocka_unit_test(an_alias_without_addresses_is_to_be_asked_for),
        TEST("DNS-07-a-loop-of-aliases-ends", a_loop_of_aliases_ends),
        TEST("DNS-07-a-chain-of-more-than-8", eight_aliases_are_followed_nine_are_not),
        TEST("DNS-08-records-of-others", records_of_others_are_not_used),
        TEST("DNS-08-records-beyond-the-answer-section",
             records_beyond_the_answer_section_are_not_used),
        cmocka_unit_test(another_class_is_not_used),
        TEST("DNS-10-the-first-64-of-2000-addresses", the_first_64_of_2000_addresses_are_kept),
        TEST("DNS-10-an-address-of-the-wrong-length",
             an_address_of_the_wrong_length_breaks_the_answer),
        TEST("DNS-10-65535-records-announced", more_records_than_there_are_break_the_answer),
        TEST("DNS-11-codes-and-stumps", a_server_that_will_not_answer_is_told_from_one_that_does),
        TEST("DNS-13-times-beyond-2-to-the-31-are-0", times_beyond_2_to_the_31_are_0),
        TEST("DNS-14-a-negative-holds-as-the-soa-says", a_negative_holds_as_long_as_the_soa_says),
        cmocka_unit_test(an_alias_that_leads_nowhere_is_no_data),
        TEST("DNS-15-an-alias-with-bytes-of-no-host",
             an_alias_with_bytes_of_no_host_breaks_the_answer),
        cmocka_unit_test(an_alias_must_fill_its_record),
        cmocka_unit_test(a_truncated_answer_counts_for_what_is_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
