/* fetch/listing: what a list of a folder looks like (nginx-semantics 6.6). */
#include "unit/support.h"

#include "fetch/listing.h"

static const char *written(const struct listing_style *style, const struct listing_entry *e,
                           char *ret)
{
    struct buf out;

    buf_init(&out, 4096, NULL);
    listing_add(style, e, true, &out);
    assert_true(buf_ok(&out) && out.len < 4000);
    memcpy(ret, out.data, out.len);
    ret[out.len] = '\0';
    buf_done(&out);
    return ret;
}

static const struct {
    uint64_t size;
    const char *want;
} sizes[] = {
    { 0, "       0\r\n" },       { 9999, "    9999\r\n" },
    { 10000, "     10K\r\n" },   { 10751, "     10K\r\n" },
    { 10752, "     11K\r\n" },   { 1048575, "   1024K\r\n" },
    { 1048576, "      1M\r\n" }, { 1572863, "      1M\r\n" },
    { 1572864, "      2M\r\n" }, { (uint64_t)5 << 30, "      5G\r\n" },
};

static void sizes_are_rounded_as_in_nginx(void **state)
{
    struct listing_style style = { .format = LISTING_HTML };
    char text[4096];

    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct listing_entry e = { .name = SPAN("f"), .kind = ENTRY_FILE, .size = sizes[i].size };

        if (!span_ends(span_of(written(&style, &e, text)), sizes[i].want))
            fail_msg("%llu: %s", (unsigned long long)sizes[i].size, text);
    }
}

/* FILE-16: no scheme, no tag, no line end. */
static void a_name_is_a_link_to_itself_alone(void **state)
{
    static const char *const names[] = {
        "<script>alert(1)</script>", "\"onmouseover=x", "javascript:alert(1)",
        "a\r\nSet-Cookie: x",        "%2e%2e",          "\xff\xfe"
    };
    struct listing_style style = { .format = LISTING_HTML };
    char text[4096];

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        struct listing_entry e = { .name = span_of(names[i]), .kind = ENTRY_FILE };
        struct span link = span_from(span_of(written(&style, &e, text)), strlen("<a href=\""));

        link = span_first(link, span_find(link, '"'));
        for (size_t c = 0; c < link.len; c++)
            assert_true(strchr(":/<>\"'?#&\r\n", link.at[c]) == NULL);
        assert_null(strstr(text, "<script"));
        assert_ptr_equal(strchr(text, '\r'), text + strlen(text) - 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_rounded_as_in_nginx),
        cmocka_unit_test(a_name_is_a_link_to_itself_alone),
    };

    return cmocka_run_group_tests_name("listing", tests, NULL, NULL);
}
