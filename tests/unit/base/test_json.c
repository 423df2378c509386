/* base/json: what is written is JSON, whatever the bytes are. */
#include "base/json.h"

#include "unit/base/unit.h"

static struct span made;
static struct buf out;

static const char *string_of(const char *bytes)
{
    static char text[256];

    buf_clear(&out);
    json_add_string(span_of(bytes), &out);
    made = buf_view(&out);
    memcpy(text, made.at, made.len);
    text[made.len] = '\0';
    return text;
}

static int setup(void **state)
{
    (void)state;
    buf_init(&out, 4096, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_done(&out);
    return 0;
}

static void what_json_forbids_is_escaped(void **state)
{
    (void)state;
    assert_string_equal(string_of(""), "\"\"");
    assert_string_equal(string_of("a\"b\\c/"), "\"a\\\"b\\\\c/\"");
    assert_string_equal(string_of("\b\f\n\r\t\x01\x1f\x7f"),
                        "\"\\b\\f\\n\\r\\t\\u0001\\u001F\\u007F\"");
}

static void utf8_stays_and_other_bytes_become_characters(void **state)
{
    static const char *const sound[] = { "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                         "\xf4\x8f\xbf\xbf" };
    /* a lone lead, a lone tail, too long a form, a surrogate, beyond the last one */
    static const char *const broken[][2] = {
        { "\xc3", "\"\\u00C3\"" },
        { "\xa4", "\"\\u00A4\"" },
        { "\xc0\xaf", "\"\\u00C0\\u00AF\"" },
        { "\xe0\x80\xaf", "\"\\u00E0\\u0080\\u00AF\"" },
        { "\xed\xa0\x80", "\"\\u00ED\\u00A0\\u0080\"" },
        { "\xf4\x90\x80\x80", "\"\\u00F4\\u0090\\u0080\\u0080\"" },
        { "\xc3\xa4\xff", "\"\xc3\xa4\\u00FF\"" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(sound); i++) {
        string_of(sound[i]);
        assert_int_equal(made.len, strlen(sound[i]) + 2);
        assert_memory_equal(made.at + 1, sound[i], strlen(sound[i]));
    }
    for (size_t i = 0; i < COUNT(broken); i++)
        assert_string_equal(string_of(broken[i][0]), broken[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_json_forbids_is_escaped, setup, teardown),
        cmocka_unit_test_setup_teardown(utf8_stays_and_other_bytes_become_characters, setup,
                                        teardown),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
