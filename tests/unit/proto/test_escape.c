/* proto/escape: text of others inside markup of ours. */
#include "proto_test.h"

#include "proto/escape.h"

static const struct {
    const char *in, *html, *json;
} texts[] = {
    { "", "", "" },
    { "plain", "plain", "plain" },
    { "<a href=\"x\">&", "&lt;a href=&quot;x&quot;&gt;&amp;", "<a href=\\\"x\\\">&" },
    { "a\nb\r\t\x01\x7f", "a?b????", "a\\nb\\r\\t\\u0001\x7f" },
    { "\\", "\\", "\\\\" },
    { "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
      "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
    { "\xff", "\xff", "\\uFFFD" },
    { "\xc0\xae", "\xc0\xae", "\\uFFFD\\uFFFD" },                /* overlong */
    { "\xed\xa0\x80", "\xed\xa0\x80", "\\uFFFD\\uFFFD\\uFFFD" }, /* a surrogate */
    { "\xe2\x82", "\xe2\x82", "\\uFFFD\\uFFFD" },                /* cut */
    { "\xf4\x90\x80\x80", "\xf4\x90\x80\x80", "\\uFFFD\\uFFFD\\uFFFD\\uFFFD" },
};

static void nothing_of_a_text_is_markup(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct buf html, json;

        buf_init(&html, 1024, NULL);
        buf_init(&json, 1024, NULL);
        escape_html(span_of(texts[i].in), &html);
        escape_json(span_of(texts[i].in), &json);
        if (!span_is(buf_view(&html), texts[i].html) || !span_is(buf_view(&json), texts[i].json))
            fail_msg("%s: %.*s, %.*s", texts[i].in, (int)html.len, html.data, (int)json.len,
                     json.data);
        buf_done(&html);
        buf_done(&json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_of_a_text_is_markup) };

    return cmocka_run_group_tests_name("escape", tests, NULL, NULL);
}
