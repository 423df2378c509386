/* exchange/location_line: modifiers apart, or right before the path. */
#include "conf/tree.h"
#include "exchange/location_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct {
    const char *first, *second; /* NULL: one word only */
    enum location_kind kind;
    bool caseless;
    const char *path;
} good[] = {
    { "/", NULL, LOCATION_PREFIX, false, "/" },
    { "", NULL, LOCATION_PREFIX, false, "" },
    { "x", NULL, LOCATION_PREFIX, false, "x" },
    { "=", "/x", LOCATION_EXACT, false, "/x" },
    { "=/x", NULL, LOCATION_EXACT, false, "/x" },
    { "=", "@x", LOCATION_EXACT, false, "@x" },
    { "=", "", LOCATION_EXACT, false, "" },
    { "^~", "/x/", LOCATION_CARET, false, "/x/" },
    { "^~/x/", NULL, LOCATION_CARET, false, "/x/" },
    { "~", "\\.php$", LOCATION_EXPRESSION, false, "\\.php$" },
    { "~\\.php$", NULL, LOCATION_EXPRESSION, false, "\\.php$" },
    { "~*", "x", LOCATION_EXPRESSION, true, "x" },
    { "~*x", NULL, LOCATION_EXPRESSION, true, "x" },
    { "~", "*x", LOCATION_EXPRESSION, false, "*x" },
    { "@x", NULL, LOCATION_NAMED, false, "@x" },
};
static const char *const no_modifiers[] = { "", "==", "~~", "~**", "^", "/x", "@x", "= " };

static bool read_words(const char *first, const char *second, struct location_line *ret)
{
    struct conf_word words[] = { { .text = SPAN("location") },
                                 { .text = span_of(first) },
                                 { .text = span_of(second != NULL ? second : "") } };
    struct conf_node node = { .words = words, .count = second != NULL ? 3 : 2 };

    return location_line_read(&node, ret);
}

static void every_form_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct location_line line;

        if (!read_words(good[i].first, good[i].second, &line) || line.kind != good[i].kind ||
            line.caseless != good[i].caseless || !span_is(line.path, good[i].path))
            fail_msg("location %s %s", good[i].first, good[i].second ? good[i].second : "");
    }
}

static void what_is_no_modifier_is_refused(void **state)
{
    struct location_line line;

    (void)state;
    for (size_t i = 0; i < COUNT(no_modifiers); i++)
        if (read_words(no_modifiers[i], "/x", &line))
            fail_msg("location %s /x", no_modifiers[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_read),
        cmocka_unit_test(what_is_no_modifier_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
