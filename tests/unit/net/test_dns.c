/* The resolver against name servers that the test plays: real UDP on loopback, and a clock that the
 * test can push on. */
#include "unit/net/dns_bench.h"

#include <fcntl.h>

/* --- promises --------------------------------------------------------------------------------- */

static void both_kinds_are_asked_for_and_ipv6_comes_first(void **state)
{
    struct bench *b = *state;

    start(b);
    struct resolve_result *r = lookup(b, "A.example.");
    assert_int_equal(r->fault, RESOLVE_FOUND);
    assert_int_equal(r->count, 2);
    assert_int_equal(r->addresses[0].family, AF_INET6);
    assert_int_equal(r->addresses[1].family, AF_INET);
    assert_int_equal(r->addresses[1].port, 0);
    assert_int_equal(b->servers[0].queries[0], 1);
    assert_int_equal(b->servers[0].queries[1], 1);
    assert_string_equal(b->servers[0].last[0].name, "a.example");
    assert_int_not_equal(b->servers[0].last[0].from.sin_port, b->servers[0].last[1].from.sin_port);
    assert_int_equal(fault(b, "a.EXAMPLE"), RESOLVE_FOUND); /* from the cache */
    assert_int_equal(queries(&b->servers[0]), 2);
}

static void only_the_wanted_kind_is_asked_for(void **state)
{
    struct bench *b = *state;

    b->options.ipv6 = false;
    start(b);
    struct resolve_result *r = lookup(b, "a.example");
    assert_int_equal(r->count, 1);
    assert_int_equal(r->addresses[0].family, AF_INET);
    assert_int_equal(b->servers[0].queries[1], 0);
}

static void one_kind_alone_is_enough(void **state)
{
    struct bench *b = *state;

    b->servers[0].answer = answer_only_a;
    start(b);
    struct resolve_result *r = lookup(b, "a.example");
    assert_int_equal(r->fault, RESOLVE_FOUND);
    assert_int_equal(r->count, 1);
    assert_int_equal(fault(b, "a.example"), RESOLVE_FOUND);
    assert_int_equal(queries(&b->servers[0]), 2);
}

static void what_is_no_name_is_not_asked_for(void **state)
{
    static const char *const names[] = { "", ".", "a b", "a..b", "a/b", "a\nb", "*.example" };
    struct bench *b = *state;

    start(b);
    for (size_t i = 0; i < COUNT(names); i++)
        assert_int_equal(fault(b, names[i]), RESOLVE_NO_NAME);
    assert_int_equal(queries(&b->servers[0]), 0);
}

static void answer_wrongly_then_well(struct server *s, const struct query *q)
{
    struct query other = *q;
    struct buf m;
    int stranger = socket(AF_INET, SOCK_DGRAM, 0);

    other.id ^= 1;
    answer_for(s, &other, 9);
    other = *q;
    other.type = q->type == DNS_A ? DNS_AAAA : DNS_A;
    answer_for(s, &other, 9);
    other = *q;
    other.name[0]++;
    answer_for(s, &other, 9);
    m = reply_to(q, REPLY, 0); /* another class */
    m.data[m.len - 1] = 3;
    send_message(s, q, &m);
    m = reply_to(q, REPLY | NO_NAME, 0); /* right in all, but from elsewhere */
    sendto(stranger, m.data, m.len, 0, (const struct sockaddr *)&q->from, sizeof(q->from));
    close(stranger);
    buf_done(&m);
    answer_well(s, q);
}

static void a_wrong_answer_is_ignored_and_the_wait_goes_on(void **state)
{
    struct bench *b = *state;

    b->servers[0].answer = answer_wrongly_then_well;
    start(b);
    struct resolve_result *r = lookup(b, "a.example");
    assert_int_equal(r->count, 2);
    assert_int_equal(r->addresses[0].family, AF_INET6);
    assert_int_equal(r->addresses[1].family, AF_INET);
    assert_int_equal(queries(&b->servers[0]), 2); /* no second try was needed */
}

enum { SLOTS = 64, OBSERVED = 10000, CHI_SQUARE_MOST = 150 }; /* 63 degrees: p is under 1e-8 */

/* How far from even it is over 64 slots. */
static double chi_square(const unsigned counts[SLOTS])
{
    double even = (double)OBSERVED / SLOTS, sum = 0;

    for (int i = 0; i < SLOTS; i++)
        sum += (counts[i] - even) * (counts[i] - even) / even;
    return sum;
}

static void ids_and_ports_are_evenly_random(void **state)
{
    enum { LOWEST_PORT = 1024, PORTS = 65536 - LOWEST_PORT, MOST_OF_A_PORT = 16 };
    static unsigned by_port[65536];
    unsigned ports[SLOTS] = { 0 }, id_ends[SLOTS] = { 0 }, id_begins[SLOTS] = { 0 };
    struct bench *b = *state;

    b->options.ipv6 = false;
    b->options.valid_ms = 0;
    b->servers[0].answer = answer_no_data; /* not kept */
    start(b);
    for (unsigned i = 0; i < OBSERVED; i++) {
        assert_int_equal(fault(b, "a.example"), RESOLVE_NO_NAME);
        const struct query *q = &b->servers[0].last[0];
        unsigned port = ntohs(q->from.sin_port);

        assert_true(port >= LOWEST_PORT && ++by_port[port] <= MOST_OF_A_PORT);
        ports[(port - LOWEST_PORT) / (PORTS / SLOTS)]++;
        id_ends[q->id % SLOTS]++;
        id_begins[q->id / (65536 / SLOTS)]++;
    }
    assert_int_equal(b->servers[0].queries[0], OBSERVED);
    assert_true(chi_square(ports) < CHI_SQUARE_MOST);
    assert_true(chi_square(id_ends) < CHI_SQUARE_MOST);
    assert_true(chi_square(id_begins) < CHI_SQUARE_MOST);
}

static void a_hundred_askers_make_one_question(void **state)
{
    struct bench *b = *state;

    start(b);
    for (unsigned i = 0; i < 100; i++)
        begin(b, i, i % 2 == 0 ? "a.example" : "A.Example");
    finish(b);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(b->lookups[i].io, IO_OK);
        assert_int_equal(b->lookups[i].result.count, 2);
    }
    assert_int_equal(b->servers[0].queries[0], 1);
    assert_int_equal(b->servers[0].queries[1], 1);
}

static void forge(struct server *s, const struct query *q, unsigned count)
{
    for (unsigned i = 1; i <= count; i++) {
        struct query other = *q;

        other.id = (uint16_t)(other.id + i);
        answer_for(s, &other, 9);
    }
}

static void forge_64(struct server *s, const struct query *q)
{
    forge(s, q, 64);
    answer_well(s, q); /* too late: nobody reads so far */
}

/* --- over TCP --------------------------------------------------------------------------------- */

static void send_framed(int fd, struct buf *m)
{
    char length[] = { (char)(m->len >> 8), (char)m->len };

    assert_true(buf_ok(m));
    assert_int_equal(send(fd, length, 2, MSG_NOSIGNAL), 2);
    assert_int_equal(send(fd, m->data, m->len, MSG_NOSIGNAL), m->len);
    buf_done(m);
}

static void answer_framed_well(struct server *s, const struct query *q, int fd)
{
    struct buf m = reply_to(q, REPLY, 1);

    put_address(&m, s, q, 300);
    send_framed(fd, &m);
}

static void answer_cut_short(struct server *s, const struct query *q)
{
    struct buf m = reply_to(q, REPLY | TRUNCATED, 0);

    send_message(s, q, &m);
}

static void answer_some(struct server *s, const struct query *q)
{
    struct buf m = reply_to(q, REPLY | TRUNCATED, 2);

    put_address(&m, s, q, 300);
    send_message(s, q, &m);
}

static void what_was_cut_short_is_asked_for_over_tcp(void **state)
{
    struct bench *b = *state;

    b->servers[0].answer = answer_cut_short;
    b->servers[0].answer_framed = answer_framed_well;
    start(b);
    assert_int_equal(lookup(b, "a.example")->count, 2);
    assert_int_equal(b->servers[0].framed_queries, 2);
    assert_int_equal(queries(&b->servers[0]), 2);
    assert_int_equal(fault(b, "a.example"), RESOLVE_FOUND); /* and kept */
    assert_int_equal(queries(&b->servers[0]), 2);
}

/* As long as a message can be: addresses, then a record that nobody asked for. */
static void answer_with_all_it_can(struct server *s, const struct query *q, int fd)
{
    enum { LONGEST = 65535, HEAD = 2 + 10, ADDRESSES = 2000 };
    struct buf m;

    buf_init(&m, LONGEST, NULL);
    put_head(&m, q->id, REPLY, ADDRESSES + 1);
    put_question(&m, q->name, q->type);
    for (int i = 0; i < ADDRESSES; i++)
        put_address(&m, s, q, 300);
    put_pointer(&m, QUESTION_AT);
    unsigned rest = (unsigned)(LONGEST - m.len - 10);
    put_record(&m, 16, 300, rest);
    while (rest-- > 0)
        buf_add_byte(&m, 'x');
    assert_int_equal(m.len, LONGEST);
    fcntl(fd, F_SETFL, 0);
    send_framed(fd, &m);
}

static void the_longest_answer_is_read(void **state)
{
    struct bench *b = *state;

    b->options.ipv6 = false;
    b->servers[0].answer = answer_cut_short;
    b->servers[0].answer_framed = answer_with_all_it_can;
    start(b);
    assert_int_equal(lookup(b, "a.example")->count, RESOLVE_MOST);
}

static void answer_one_byte(struct server *s, const struct query *q, int fd)
{
    (void)s, (void)q;
    assert_int_equal(send(fd, "", 1, MSG_NOSIGNAL), 1);
}

static void a_stalled_stream_ends_at_the_timeout(void **state)
{
    struct bench *b = *state;

    b->options.timeout_ms = 2000;
    b->servers[0].answer = answer_cut_short;
    b->servers[0].answer_framed = answer_one_byte;
    start(b);
    begin(b, 0, "a.example");
    uint64_t began = loop_now(&b->loop);
    finish_fast(b);
    uint64_t took = loop_now(&b->loop) - began;
    assert_true(took >= 1980 && took < 2300);
    assert_int_equal(b->lookups[0].result.fault, RESOLVE_SILENT);
}

/* Some addresses are better than none, when there is no way to the rest. */
static void without_tcp_what_was_whole_counts(void **state)
{
    struct bench *b = *state;

    close(b->servers[0].listener);
    b->servers[0].listener = -1;
    b->servers[0].answer = answer_some;
    start(b);
    assert_int_equal(lookup(b, "a.example")->count, 2);
    b->servers[0].answer = answer_cut_short;
    assert_int_equal(fault(b, "b.example"), RESOLVE_BROKEN);
}

static void answer_for_another(struct server *s, const struct query *q, int fd)
{
    struct query other = *q;

    other.name[0]++;
    answer_framed_well(s, &other, fd);
}

static void answer_nonsense(struct server *s, const struct query *q, int fd)
{
    (void)s, (void)q;
    assert_int_equal(send(fd, "\0\3abc", 5, MSG_NOSIGNAL), 5);
}

static void answer_an_end(struct server *s, const struct query *q, int fd)
{
    (void)s, (void)q;
    shutdown(fd, SHUT_WR);
}

static void over_tcp_the_same_checks_hold(void **state)
{
    static void (*const bad[])(struct server *, const struct query *,
                               int) = { answer_for_another, answer_nonsense, answer_an_end };
    static const char *const names[] = { "a.example", "b.example", "c.example" };
    struct bench *b = *state;

    b->servers[0].answer = answer_cut_short;
    start(b);
    for (size_t i = 0; i < COUNT(bad); i++) {
        b->servers[0].answer_framed = bad[i];
        assert_int_equal(fault(b, names[i]), RESOLVE_BROKEN);
    }
}

static void after_16_forged_answers_it_asks_over_tcp(void **state)
{
    struct bench *b = *state;

    b->servers[0].answer = forge_64;
    b->servers[0].answer_framed = answer_framed_well;
    start(b);
    assert_int_equal(lookup(b, "a.example")->count, 2);
    assert_int_equal(queries(&b->servers[0]), 2);
    assert_int_equal(b->servers[0].framed_queries, 2);
}

static void a_flood_of_garbage_costs_a_bounded_number_of_reads(void **state)
{
    struct bench *b = *state;

    b->options.ipv6 = false;
    b->servers[0].answer = forge_64;
    b->servers[0].answer_framed = answer_nonsense;
    start(b);
    assert_int_equal(fault(b, "a.example"), RESOLVE_BROKEN);
    assert_int_equal(b->servers[0].queries[0], 1); /* one port, of 16 datagrams */
    assert_int_equal(b->servers[0].framed_queries, 1);
}

/* Each alias in a message of its own: a, b, c ... */
static void answer_next_letter(struct server *s, const struct query *q)
{
    struct buf m = reply_to(q, REPLY, 1);
    char next[] = "a.example";

    next[0] = (char)(q->name[0] + 1);
    put_cname(&m, q->name, 60, next);
    send_message(s, q, &m);
}

static void answer_at_i(struct server *s, const struct query *q)
{
    if (q->name[0] == 'i')
        answer_well(s, q);
    else
        answer_next_letter(s, q);
}

static void aliases_are_followed_from_message_to_message(void **state)
{
    struct bench *b = *state;

    b->servers[0].answer = answer_at_i;
    start(b);
    struct resolve_result *r = lookup(b, "a.example"); /* 8 aliases */
    assert_int_equal(r->fault, RESOLVE_FOUND);
    assert_int_equal(r->count, 2);
    assert_int_equal(b->servers[0].queries[0], 9);
}

static void a_chain_without_end_is_left_after_8(void **state)
{
    struct bench *b = *state;

    b->servers[0].answer = answer_next_letter;
    b->options.ipv6 = false;
    start(b);
    assert_int_equal(fault(b, "a.example"), RESOLVE_BROKEN);
    assert_true(b->servers[0].queries[0] <= 9);
}

static void an_asker_that_leaves_in_the_chain_harms_nobody(void **state)
{
    struct bench *b = *state;

    b->servers[0].answer = answer_at_i;
    start(b);
    for (unsigned step = 0; step < 40; step++) {
        struct lookup *k = begin(b, 0, step % 2 == 0 ? "a.example" : "b.example");

        for (unsigned i = 0; i <= step; i++)
            turn(b);
        if (!k->done)
            fiber_cancel(k->fiber);
        finish(b);
        if (step % 10 == 9) { /* the resolver itself leaves, in the middle */
            begin(b, 0, "c.example");
            turn(b);
            fiber_cancel(b->lookups[0].fiber);
            finish(b);
            resolver_free(&b->resolver);
            start(b);
        }
    }
}

static void answer_with_a_stowaway(struct server *s, const struct query *q)
{
    struct buf m = reply_to(q, REPLY, 2);

    put_address(&m, s, q, 300);
    put_a(&m, "victim.example", 300, 0x06060606);
    send_message(s, q, &m);
}

static void records_of_others_are_not_cached(void **state)
{
    struct bench *b = *state;

    b->servers[0].answer = answer_with_a_stowaway;
    start(b);
    assert_int_equal(lookup(b, "a.example")->count, 2);
    b->servers[0].answer = answer_no_data;
    assert_int_equal(fault(b, "victim.example"), RESOLVE_NO_NAME);
    assert_int_equal(queries(&b->servers[0]), 4);
}

static void answer_with_a_stump(struct server *s, const struct query *q)
{
    struct buf m = reply_to(q, REPLY, 0);

    m.len = 11;
    send_message(s, q, &m);
}

static void answer_malformed(struct server *s, const struct query *q)
{
    struct buf m = reply_to(q, REPLY, 1000);

    send_message(s, q, &m);
}

static void the_next_server_is_asked_at_once(struct bench *b)
{
    b->options.server_count = 2;
    start(b);
    uint64_t began = loop_now(&b->loop);
    assert_int_equal(lookup(b, "a.example")->count, 2);
    assert_true(loop_now(&b->loop) - began < 500); /* no try's time of 1000 was waited for */
    assert_true(queries(&b->servers[0]) <= 2);
    assert_int_equal(queries(&b->servers[1]), 2);
}

static void after_refused_the_next_server_is_asked_at_once(void **state)
{
    struct bench *b = *state;

    b->servers[0].answer = answer_refused;
    the_next_server_is_asked_at_once(b);
}

static void after_a_stump_the_next_server_is_asked_at_once(void **state)
{
    struct bench *b = *state;

    b->servers[0].answer = answer_with_a_stump;
    the_next_server_is_asked_at_once(b);
}

static void after_a_malformed_answer_the_next_server_is_asked_at_once(void **state)
{
    struct bench *b = *state;

    b->servers[0].answer = answer_malformed;
    the_next_server_is_asked_at_once(b);
}

static void after_an_unreachable_port_the_next_server_is_asked_at_once(void **state)
{
    struct bench *b = *state;

    close_server(&b->servers[0]);
    the_next_server_is_asked_at_once(b);
}

static void when_all_refuse_it_fails_at_once(void **state)
{
    struct bench *b = *state;

    b->options.server_count = 2;
    b->servers[0].answer = answer_refused;
    b->servers[1].answer = answer_refused;
    start(b);
    uint64_t began = loop_now(&b->loop);
    assert_int_equal(fault(b, "a.example"), RESOLVE_BROKEN);
    assert_true(loop_now(&b->loop) - began < 500);
    assert_int_equal(queries(&b->servers[0]), 2);
    assert_int_equal(queries(&b->servers[1]), 2);
}

static void silent_servers_cost_the_timeout_once(void **state)
{
    struct bench *b = *state;

    b->options.timeout_ms = 2000;
    b->servers[0].answer = NULL;
    start(b);
    begin(b, 0, "a.example");
    begin(b, 1, "a.example");
    uint64_t began = loop_now(&b->loop);
    finish_fast(b);
    uint64_t took = loop_now(&b->loop) - began;
    assert_true(took >= 1980 && took < 2300);
    assert_int_equal(b->lookups[0].result.fault, RESOLVE_SILENT);
    assert_int_equal(b->lookups[1].result.fault, RESOLVE_SILENT);
    assert_int_equal(b->servers[0].queries[0], 2); /* two rounds */

    assert_int_equal(fault(b, "a.example"), RESOLVE_SILENT); /* shared */
    assert_int_equal(b->servers[0].queries[0], 2);
    b->skew += 1000;
    b->servers[0].answer = answer_well;
    turn(b);
    assert_int_equal(fault(b, "a.example"), RESOLVE_FOUND);
}

static void a_silent_server_is_passed_over(void **state)
{
    struct bench *b = *state;

    b->options.server_count = 2;
    b->servers[0].answer = NULL;
    start(b);
    begin(b, 0, "a.example");
    finish_fast(b);
    assert_int_equal(b->lookups[0].result.count, 2);
    assert_int_equal(queries(&b->servers[0]), 2);
}

static void only_the_absolute_name_is_asked_for(void **state)
{
    struct bench *b = *state;

    start(b);
    assert_int_equal(fault(b, "db"), RESOLVE_FOUND);
    assert_string_equal(b->servers[0].last[0].name, "db");
    b->servers[0].answer = answer_no_data;
    assert_int_equal(fault(b, "db2"), RESOLVE_NO_NAME);
    assert_int_equal(queries(&b->servers[0]), 4);
}

static void hosts_come_first(void **state)
{
    struct bench *b = *state;

    b->options.hosts = span_of("10.0.0.1 intranet\n::2 intranet\n");
    start(b);
    struct resolve_result *r = lookup(b, "Intranet");
    assert_int_equal(r->fault, RESOLVE_FOUND);
    assert_int_equal(r->count, 2);
    assert_int_equal(r->addresses[0].family, AF_INET6);
    assert_memory_equal(r->addresses[1].ip, "\12\0\0\1", 4);
    assert_int_equal(queries(&b->servers[0]), 0);
}

static void answer_with_a_bad_alias(struct server *s, const struct query *q)
{
    struct buf m = reply_to(q, REPLY, 1);

    put_cname(&m, q->name, 60, "a\r\nb.example");
    send_message(s, q, &m);
}

static void an_alias_that_is_no_host_name_is_dropped(void **state)
{
    struct bench *b = *state;

    b->servers[0].answer = answer_with_a_bad_alias;
    start(b);
    assert_int_equal(fault(b, "a.example"), RESOLVE_BROKEN);
    assert_int_equal(queries(&b->servers[0]), 2);
}

static void an_answer_after_all_have_gone_is_dropped(void **state)
{
    struct bench *b = *state;

    b->servers[0].answer = NULL;
    start(b);
    begin(b, 0, "a.example");
    for (int i = 0; i < TURNS && queries(&b->servers[0]) < 2; i++)
        turn(b);
    fiber_cancel(b->lookups[0].fiber);
    finish(b);
    assert_int_equal(b->lookups[0].io, IO_CANCELLED);
    resolver_free(&b->resolver);
    assert_null(b->resolver);
    for (int i = 0; i < 5; i++)
        turn(b);
    assert_int_equal(b->loop.fibers.live, 0);
    for (int i = 0; i < 2; i++)
        answer_well(&b->servers[0], &b->servers[0].last[i]);
    turn(b);
}

static void without_servers_only_hosts_are_found(void **state)
{
    struct bench *b = *state;

    b->options.server_count = 0;
    b->options.hosts = span_of("10.0.0.1 intranet");
    start(b);
    assert_int_equal(fault(b, "intranet"), RESOLVE_FOUND);
    assert_int_equal(fault(b, "a.example"), RESOLVE_BROKEN);
}

static void without_stacks_it_fails_and_recovers(void **state)
{
    struct bench *b = *state;

    start(b);
    b->loop.fibers.max = 1; /* the asker's own */
    assert_int_equal(fault(b, "a.example"), RESOLVE_BROKEN);
    b->loop.fibers.max = 2; /* one for the question, none for its child */
    assert_int_equal(lookup(b, "a.example")->count, 2);
}

#define TEST(promise, function)                                                                \
    {                                                                                          \
        .name = promise, .test_func = function, .setup_func = setup, .teardown_func = teardown \
    }
#define PLAIN(function) TEST(#function, function)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN(both_kinds_are_asked_for_and_ipv6_comes_first),
        PLAIN(only_the_wanted_kind_is_asked_for),
        PLAIN(one_kind_alone_is_enough),
        PLAIN(what_is_no_name_is_not_asked_for),
        TEST("DNS-01-a-wrong-answer-is-ignored-and-the-wait-goes-on",
             a_wrong_answer_is_ignored_and_the_wait_goes_on),
        TEST("DNS-02-ids-and-ports-are-evenly-random", ids_and_ports_are_evenly_random),
        TEST("DNS-03-a-hundred-askers-make-one-question", a_hundred_askers_make_one_question),
        TEST("DNS-04-after-16-forged-answers-it-asks-over-tcp",
             after_16_forged_answers_it_asks_over_tcp),
        TEST("DNS-09-what-was-cut-short-is-asked-for-over-tcp",
             what_was_cut_short_is_asked_for_over_tcp),
        TEST("DNS-09-the-longest-answer-is-read", the_longest_answer_is_read),
        TEST("DNS-09-a-stalled-stream-ends-at-the-timeout", a_stalled_stream_ends_at_the_timeout),
        PLAIN(without_tcp_what_was_whole_counts),
        PLAIN(over_tcp_the_same_checks_hold),
        TEST("DNS-25-a-flood-of-garbage-costs-a-bounded-number-of-reads",
             a_flood_of_garbage_costs_a_bounded_number_of_reads),
        PLAIN(aliases_are_followed_from_message_to_message),
        TEST("DNS-07-a-chain-without-end-is-left-after-8", a_chain_without_end_is_left_after_8),
        TEST("DNS-07-an-asker-that-leaves-in-the-chain",
             an_asker_that_leaves_in_the_chain_harms_nobody),
        TEST("DNS-08-records-of-others-are-not-cached", records_of_others_are_not_cached),
        TEST("DNS-11-refused", after_refused_the_next_server_is_asked_at_once),
        TEST("DNS-11-eleven-bytes", after_a_stump_the_next_server_is_asked_at_once),
        TEST("DNS-10-a-malformed-answer",
             after_a_malformed_answer_the_next_server_is_asked_at_once),
        TEST("DNS-11-port-unreachable", after_an_unreachable_port_the_next_server_is_asked_at_once),
        TEST("DNS-11-fails-when-all-are-tried", when_all_refuse_it_fails_at_once),
        TEST("DNS-12-silent-servers-cost-the-timeout-once", silent_servers_cost_the_timeout_once),
        PLAIN(a_silent_server_is_passed_over),
        TEST("DNS-15-an-alias-that-is-no-host-name-is-dropped",
             an_alias_that_is_no_host_name_is_dropped),
        TEST("DNS-16-only-the-absolute-name-is-asked-for", only_the_absolute_name_is_asked_for),
        TEST("DNS-17-hosts-come-first", hosts_come_first),
        TEST("DNS-20-an-answer-after-all-have-gone-is-dropped",
             an_answer_after_all_have_gone_is_dropped),
        PLAIN(without_servers_only_hosts_are_found),
        PLAIN(without_stacks_it_fails_and_recovers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
