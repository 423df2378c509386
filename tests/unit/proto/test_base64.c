/* Base64: the vectors of RFC 4648 10, and what must not be read. */
#include "proto_test.h"

#include "base/buf.h"
#include "proto/base64.h"

static const char *const vectors[][2] = {
    { "", "" },
    { "f", "Zg==" },
    { "fo", "Zm8=" },
    { "foo", "Zm9v" },
    { "foob", "Zm9vYg==" },
    { "fooba", "Zm9vYmE=" },
    { "foobar", "Zm9vYmFy" },
    { "\xff\xfe\xfb\x80", "//77gA==" },
};

static void every_length_is_written_as_the_rfc_has_it(void **state)
{
    struct buf out;

    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++) {
        buf_init(&out, 64, NULL);
        base64_encode(span_of(vectors[i][0]), &out);
        assert_true(span_is(buf_view(&out), vectors[i][1]));
        buf_done(&out);
    }
}

static void what_is_written_is_read_again(void **state)
{
    struct buf text, back;
    char bytes[70];

    (void)state;
    for (size_t len = 0; len < sizeof(bytes); len++) {
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)(i * 37 + len);
        buf_init(&text, 128, NULL);
        buf_init(&back, 128, NULL);
        base64_encode((struct span){ bytes, len }, &text);
        assert_true(base64_decode(buf_view(&text), &back));
        assert_true(span_same(buf_view(&back), (struct span){ bytes, len }));
        buf_done(&text);
        buf_done(&back);
    }
}

static void other_bytes_are_refused(void **state)
{
    static const char *const bad[] = { "Zg=a", "Z g=", "Zm9v\n", "Zm-v", "Zm_v" };
    struct buf out;

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        buf_init(&out, 64, NULL);
        if (base64_decode(span_of(bad[i]), &out))
            fail_msg("read: %s", bad[i]);
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_is_written_as_the_rfc_has_it),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(other_bytes_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
