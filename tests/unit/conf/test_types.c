/* The values of nginx-semantics 1.2 and what is said of wrong ones. */
#include "conf/types.h"

#include "conf/directive.h"
#include "unit/conf/fake.h"

struct all {
    bool flag;
    uint64_t number, bounded, least, size, offset, time, seconds;
    struct span text;
    struct placed_path path;
    unsigned choice, choices;
    struct conf_buffers buffers;
};

static const struct conf_range bounds = { 2, 9 };
static const struct conf_range at_least = { 3, UINT64_MAX };
static const struct conf_name names[] = {
    { "off", 0 }, { "optional", 1 }, { "on", 2 }, { NULL, 0 }
};

static const struct conf_name bits[] = { { "off", 1 }, { "error", 2 }, { "timeout", 4 }, {} };

#define ROW(name, type, extra)                                                                     \
    {                                                                                              \
#        name, CTX_MAIN, 1, 2, &conf_##type, offsetof(struct all, name), NULL, WHOLE, "", 0, extra \
    }

static const struct directive rows[] = {
    ROW(flag, flag, NULL),         ROW(number, number, NULL),
    ROW(bounded, number, &bounds), ROW(least, number, &at_least),
    ROW(size, size, NULL),         ROW(offset, offset, NULL),
    ROW(time, time, NULL),         ROW(seconds, seconds, NULL),
    ROW(text, text, NULL),         ROW(path, path, NULL),
    ROW(choice, choice, names),    ROW(choices, choices, bits),
    ROW(buffers, buffers, NULL),   {},
};

static const struct conf_module module = { "all", rows, sizeof(struct all), NULL, NULL };

static int setup(void **state)
{
    static struct fake f;

    fake_init(&f, &module, 1);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fake_done(*state);
    return 0;
}

static struct all *good(struct fake *f, const char *text)
{
    fake_build(f, text);
    if (!conf_is_good(f->conf))
        fail_msg("%s", fake_said(f));
    return conf_top(f->conf)->settings[0];
}

static const struct {
    const char *in;
    bool giga;
    bool good;
    uint64_t want;
} sizes[] = {
    { "0", false, true, 0 },
    { "1", false, true, 1 },
    { "8k", false, true, 8192 },
    { "8K", false, true, 8192 },
    { "2m", false, true, 2 << 20 },
    { "2M", false, true, 2 << 20 },
    { "1g", false, false, 0 },
    { "1g", true, true, 1 << 30 },
    { "1G", true, true, 1 << 30 },
    { "007", false, true, 7 },
    { "9223372036854775807", false, true, INT64_MAX },
    { "9223372036854775808", false, false, 0 },
    { "9007199254740991k", false, true, INT64_MAX - 1023 },
    { "9007199254740992k", false, false, 0 },
    { "99999999999999999999g", true, false, 0 },
    { "", false, false, 0 },
    { "k", false, false, 0 },
    { "-1", false, false, 0 },
    { "1x", false, false, 0 },
    { "1kk", false, false, 0 },
    { "1 k", false, false, 0 },
    { " 1", false, false, 0 },
    { "1.5m", false, false, 0 },
};

static void sizes_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        uint64_t got = 77;

        if (conf_read_size(span_of(sizes[i].in), sizes[i].giga, &got) != sizes[i].good ||
            got != (sizes[i].good ? sizes[i].want : 77))
            fail_msg("%s: got %llu", sizes[i].in, (unsigned long long)got);
    }
}

enum { BAD = -1 };

static const struct {
    const char *in;
    int64_t ms;      /* of a directive that counts milliseconds, or BAD */
    int64_t seconds; /* of one that counts seconds */
} times[] = {
    { "0", 0, 0 },
    { "60", 60000, 60000 },
    { "60s", 60000, 60000 },
    { "500ms", 500, BAD },
    { "1m", 60000, 60000 },
    { "1h", 3600000, 3600000 },
    { "1d", 86400000, 86400000 },
    { "1w", 604800000, 604800000 },
    { "1M", BAD, 2592000000 },
    { "1y", BAD, 31536000000 },
    { "1h30m", 5400000, 5400000 },
    { "1h 30m", 5400000, 5400000 },
    { "1h 30", 3630000, 3630000 },
    { "1m 5s 7ms", 65007, BAD },
    { "1y 6M", BAD, 47088000000 },
    { "30m1h", BAD, BAD },
    { "1h1h", BAD, BAD },
    { "1s 5", BAD, BAD },
    { "5 1s", BAD, BAD },
    { "", BAD, BAD },
    { " ", BAD, BAD },
    { "s", BAD, BAD },
    { "1x", BAD, BAD },
    { "1S", BAD, BAD },
    { "-1", BAD, BAD },
    { "1.5s", BAD, BAD },
    { "1 m", BAD, BAD },
    { "9223372036854775807ms", INT64_MAX, BAD },
    { "9223372036854775807", BAD, BAD },
    { "9999999999999999999", BAD, BAD },
};

static void times_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(times); i++) {
        uint64_t ms = 0, seconds = 0;
        bool is_ms = conf_read_time(span_of(times[i].in), &ms);
        bool is_seconds = conf_read_seconds(span_of(times[i].in), &seconds);

        if ((is_ms ? (int64_t)ms : BAD) != times[i].ms)
            fail_msg("%s: got %lld ms", times[i].in, is_ms ? (long long)ms : BAD);
        if ((is_seconds ? (int64_t)seconds : BAD) != times[i].seconds)
            fail_msg("%s: got %lld ms, in seconds", times[i].in,
                     is_seconds ? (long long)seconds : BAD);
    }
}

static void numbers_have_a_maximum(void **state)
{
    uint64_t got = 5;

    (void)state;
    assert_true(conf_read_number(span_of("100"), 100, &got));
    assert_int_equal(got, 100);
    assert_false(conf_read_number(span_of("101"), 100, &got));
    assert_false(conf_read_number(span_of("1000"), 100, &got));
    assert_false(conf_read_number(span_of("9"), 5, &got));
    assert_true(conf_read_number(span_of("5"), 5, &got));
    assert_true(conf_read_number(span_of("18446744073709551615"), UINT64_MAX, &got));
    assert_true(got == UINT64_MAX);
    assert_false(conf_read_number(span_of("18446744073709551616"), UINT64_MAX, &got));
    assert_false(conf_read_number(span_of("+1"), 100, &got));
    assert_true(got == UINT64_MAX);
}

static void good_values_arrive(void **state)
{
    struct all *a = good(
        *state, "flag ON; number 12; bounded 9; least 3; size 1k; offset 2g; time 2s; seconds 1y; "
                "text \"a b\"; path logs/x; choice Optional; buffers 4 8k;");

    assert_true(a->flag);
    assert_int_equal(a->number, 12);
    assert_int_equal(a->bounded, 9);
    assert_int_equal(a->least, 3);
    assert_int_equal(a->size, 1024);
    assert_int_equal(a->offset, 2147483648);
    assert_int_equal(a->time, 2000);
    assert_int_equal(a->seconds, 31536000000);
    assert_true(span_is(a->text, "a b"));
    assert_true(span_is(a->path.path, "/prefix/logs/x"));
    assert_string_equal(a->path.path.at, "/prefix/logs/x");
    assert_int_equal(a->path.place.line, 1);
    assert_int_equal(a->choice, 1);
    assert_int_equal(a->buffers.count, 4);
    assert_int_equal(a->buffers.size, 8192);
}

static void an_absolute_path_stays(void **state)
{
    struct all *a = good(*state, "path /var/x;");

    assert_true(span_is(a->path.path, "/var/x"));
}

static void choices_add_up_over_words_and_lines(void **state)
{
    struct all *a = good(*state, "choices Error; choices timeout;");

    assert_int_equal(a->choices, 6);
    a = good(*state, "choices error timeout; choices ERROR;");
    assert_int_equal(a->choices, 6);
    assert_string_equal(fake_said(*state), "1:32 duplicate value \"error\"\n");
}

#define A_SIZE " [expected: a number of bytes, with k or m behind it if you like: 512, 16k]\n"
#define AN_OFFSET \
    " [expected: a number of bytes, with k, m or g behind it if you like: 512, 16k, 1g]\n"
#define A_TIME " [expected: a time, largest unit first: 30s, 1h30m, 500ms]\n"
#define SECONDS " [expected: a time in whole seconds, largest unit first: 30s, 1h30m, 1y]\n"
#define BUFFERS " [expected: a number of buffers, then the size of each: 4 8k]\n"

static const struct {
    const char *in, *want;
} bad[] = {
    { "flag yes;",
      "1:6 invalid value \"yes\" in \"flag\" directive, it must be \"on\" or \"off\"\n" },
    { "number x;", "1:8 \"number\" directive invalid number [expected: digits]\n" },
    { "number -1;", "1:8 \"number\" directive invalid number [expected: digits]\n" },
    { "number 9223372036854775808;",
      "1:8 \"number\" directive invalid number [expected: digits]\n" },
    { "bounded 1;", "1:9 value must be between 2 and 9\n" },
    { "bounded 10;", "1:9 value must be between 2 and 9\n" },
    { "least 2;", "1:7 value must be equal to or greater than 3\n" },
    { "size 1g;", "1:6 \"size\" directive invalid value" A_SIZE },
    { "size '';", "1:6 \"size\" directive invalid value" A_SIZE },
    { "offset 99999999999999999999g;", "1:8 \"offset\" directive invalid value" AN_OFFSET },
    { "time 1M;", "1:6 \"time\" directive invalid value" A_TIME },
    { "seconds 1ms;", "1:9 \"seconds\" directive invalid value" SECONDS },
    { "choice optoinal;", "1:8 invalid value \"optoinal\" [did you mean \"optional\"?]\n" },
    { "choices error timout;", "1:15 invalid value \"timout\" [did you mean \"timeout\"?]\n" },
    { "choice nothing;", "1:8 invalid value \"nothing\"\n" },
    { "buffers 0 8k;", "1:9 \"buffers\" directive invalid value" BUFFERS },
    { "buffers 4 0;", "1:11 \"buffers\" directive invalid value" A_SIZE },
    { "buffers 4;", "1:9 \"buffers\" directive invalid value" A_SIZE },
};

static void bad_values_are_told_in_nginx_words(void **state)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        fake_build(*state, bad[i].in);
        if (strcmp(fake_said(*state), bad[i].want) != 0)
            fail_msg("%s: got %s", bad[i].in, fake_said(*state));
    }
}

/* What -T prints, read again, is the same value. */
static void what_is_printed_reads_the_same(void **state)
{
    static const uint64_t values[] = { 0,    1,     999,     1000,    1024,
                                       1500, 60000, 1 << 20, 3 << 20, 1ull << 40 };
    struct buf out;

    (void)state;
    buf_init(&out, 256, NULL);
    for (size_t i = 0; i < COUNT(values); i++) {
        uint64_t again = 1;

        buf_clear(&out);
        conf_size.print(&values[i], &out);
        assert_true(conf_read_size(buf_view(&out), false, &again));
        assert_true(again == values[i]);

        buf_clear(&out);
        conf_time.print(&values[i], &out);
        assert_true(conf_read_time(buf_view(&out), &again));
        assert_true(again == values[i]);

        buf_clear(&out);
        conf_number.print(&values[i], &out);
        assert_true(conf_read_number(buf_view(&out), INT64_MAX, &again));
        assert_true(again == values[i]);
    }
    buf_clear(&out);
    conf_buffers.print(&(struct conf_buffers){ 4, 8192 }, &out);
    buf_adds(&out, " ");
    conf_flag.print(&(bool){ true }, &out);
    assert_true(span_is(buf_view(&out), "4 8k on"));
    buf_done(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_read),
        cmocka_unit_test(times_are_read),
        cmocka_unit_test(numbers_have_a_maximum),
        TEST(good_values_arrive),
        TEST(an_absolute_path_stays),
        TEST(choices_add_up_over_words_and_lines),
        TEST(bad_values_are_told_in_nginx_words),
        cmocka_unit_test(what_is_printed_reads_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
