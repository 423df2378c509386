/* Ranges with NGINX's arithmetic, and lists of entity tags. */
#include "proto_test.h"

#include "proto/range.h"

enum { MOST = 3 };

struct row {
    const char *promise, *value;
    uint64_t length;
    enum range want;
    unsigned count;
    struct range_part parts[MOST];
};

static const struct row rows[] = {
    { "the first hundred", "bytes=0-99", 1000, RANGE_PARTS, 1, { { 0, 99 } } },
    { "from a byte on", "bytes=500-", 1000, RANGE_PARTS, 1, { { 500, 999 } } },
    { "the last bytes", "bytes=-100", 1000, RANGE_PARTS, 1, { { 900, 999 } } },
    { "one byte", "bytes=0-0", 1000, RANGE_PARTS, 1, { { 0, 0 } } },
    { "all of it", "bytes=0-", 1000, RANGE_PARTS, 1, { { 0, 999 } } },
    { "an end beyond the end", "bytes=990-2000", 1000, RANGE_PARTS, 1, { { 990, 999 } } },
    { "a suffix longer than the whole", "bytes=-2000", 1000, RANGE_PARTS, 1, { { 0, 999 } } },
    { "parts in their order",
      "bytes=5-6,0-1,-1",
      1000,
      RANGE_PARTS,
      3,
      { { 5, 6 }, { 0, 1 }, { 999, 999 } } },
    { "the unit in any case, spaces",
      "BYTES= 0 - 1 , 3 - , - 0",
      10,
      RANGE_UNSATISFIABLE,
      0,
      { { 0 } } },
    { "spaces round numbers", "bytes= 0 - 1 , 4 - 5 ", 10, RANGE_PARTS, 2, { { 0, 1 }, { 4, 5 } } },
    { "no space behind the minus of a suffix", "bytes=- 5", 10, RANGE_UNSATISFIABLE, 0, { { 0 } } },
    { "leading zeros", "bytes=000-0001", 10, RANGE_PARTS, 1, { { 0, 1 } } },
    { "what lies beyond is left out", "bytes=0-1,20-30", 10, RANGE_PARTS, 1, { { 0, 1 } } },
    { "an end before the start is left out", "bytes=5-2,0-1", 10, RANGE_PARTS, 1, { { 0, 1 } } },
    { "a suffix of nothing is left out", "bytes=-0,0-1", 10, RANGE_PARTS, 1, { { 0, 1 } } },
    { "nothing is left", "bytes=-0", 10, RANGE_UNSATISFIABLE, 0, { { 0 } } },
    { "beyond the end", "bytes=10-", 10, RANGE_UNSATISFIABLE, 0, { { 0 } } },
    { "an end before the start", "bytes=5-2", 10, RANGE_UNSATISFIABLE, 0, { { 0 } } },
    { "a comma at the end", "bytes=0-1,", 10, RANGE_UNSATISFIABLE, 0, { { 0 } } },
    { "two commas", "bytes=0-1,,2-3", 10, RANGE_UNSATISFIABLE, 0, { { 0 } } },
    { "a letter", "bytes=a-1", 10, RANGE_UNSATISFIABLE, 0, { { 0 } } },
    { "a letter behind", "bytes=0-1a", 10, RANGE_UNSATISFIABLE, 0, { { 0 } } },
    { "no minus", "bytes=5", 10, RANGE_UNSATISFIABLE, 0, { { 0 } } },
    { "a minus alone", "bytes=-", 10, RANGE_UNSATISFIABLE, 0, { { 0 } } },
    { "2^64-1", "bytes=18446744073709551615-", 10, RANGE_UNSATISFIABLE, 0, { { 0 } } },
    { "2^63", "bytes=0-9223372036854775808", 10, RANGE_UNSATISFIABLE, 0, { { 0 } } },
    { "2^63-1", "bytes=0-9223372036854775807", 10, RANGE_PARTS, 1, { { 0, 9 } } },
    { "the unit alone", "bytes=", 10, RANGE_WHOLE, 0, { { 0 } } },
    { "another unit", "lines=0-1", 10, RANGE_WHOLE, 0, { { 0 } } },
    { "nothing", "", 10, RANGE_WHOLE, 0, { { 0 } } },
    { "more than the whole", "bytes=0-9,0-0", 10, RANGE_WHOLE, 0, { { 0 } } },
    { "exactly the whole", "bytes=0-4,5-9", 10, RANGE_PARTS, 2, { { 0, 4 }, { 5, 9 } } },
    { "more parts than there may be", "bytes=0-0,1-1,2-2,3-3", 10, RANGE_WHOLE, 0, { { 0 } } },
    { "an empty body", "bytes=0-", 0, RANGE_WHOLE, 0, { { 0 } } },
};

static void keeps_its_promise(void **state)
{
    const struct row *row = *state;
    struct range_part parts[MOST];
    unsigned count = 7;
    enum range got = range_parse(span_of(row->value), row->length, parts, MOST, &count);

    if (got != row->want || count != (got == RANGE_PARTS ? row->count : 7))
        fail_msg("%s: %d, %u parts", row->promise, (int)got, count);
    for (unsigned i = 0; got == RANGE_PARTS && i < count; i++) {
        assert_int_equal(parts[i].first, row->parts[i].first);
        assert_int_equal(parts[i].last, row->parts[i].last);
    }
}

struct tags {
    const char *promise, *list, *etag;
    bool weak, strong; /* what each comparison says */
};

static const struct tags tags[] = {
    { "the same tag", "\"a\"", "\"a\"", true, true },
    { "another tag", "\"a\"", "\"b\"", false, false },
    { "one of many", "\"x\", \"y\",\"a\"", "\"a\"", true, true },
    { "a weak tag in the list", "W/\"a\"", "\"a\"", true, false },
    { "a weak tag of ours", "\"a\"", "W/\"a\"", true, false },
    { "two weak tags", "W/\"a\"", "W/\"a\"", true, false },
    { "a star", "*", "\"a\"", true, true },
    { "a star for nothing", "*", "", true, true },
    { "no tag of ours", "\"a\"", "", false, false },
    { "an empty list", "", "\"a\"", false, false },
    { "a comma in a tag", "\"a,b\", \"c\"", "\"c\"", true, true },
    { "no part of a tag", "\"x,\"a\",\"", "\"b\"", false, false },
    { "a bare word", "a, b", "b", true, true },
    { "quotes without end", "\"a", "\"a\"", false, false },
    { "commas alone", ",,,", "\"a\"", false, false },
    { "a longer tag", "\"ab\"", "\"a\"", false, false },
};

static void lists_the_tag(void **state)
{
    const struct tags *row = *state;

    assert_int_equal(etag_list_has(span_of(row->list), span_of(row->etag), true), row->weak);
    assert_int_equal(etag_list_has(span_of(row->list), span_of(row->etag), false), row->strong);
}

int main(void)
{
    static struct suite s;

    ADD_TABLE(&s, rows, keeps_its_promise);
    ADD_TABLE(&s, tags, lists_the_tag);
    return run_suite("range", &s);
}
