/* proto/escape: text of others inside markup of ours. */
#include "proto_test.h"

#include "base/buf.h"
#include "proto/escape.h"

static const char *const texts[][2] = {
    { "", "" },
    { "plain", "plain" },
    { "<a href=\"x\">&", "&lt;a href=&quot;x&quot;&gt;&amp;" },
    { "a\nb\r\t\x01\x7f", "a?b????" },
    { "\\\xc3\xa9\xff", "\\\xc3\xa9\xff" },
};

static void nothing_of_a_text_is_markup(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct buf html;

        buf_init(&html, 1024, NULL);
        escape_html(span_of(texts[i][0]), &html);
        if (!span_is(buf_view(&html), texts[i][1]))
            fail_msg("%s: %.*s", texts[i][0], (int)html.len, html.data);
        buf_done(&html);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_of_a_text_is_markup) };

    return cmocka_run_group_tests_name("escape", tests, NULL, NULL);
}
