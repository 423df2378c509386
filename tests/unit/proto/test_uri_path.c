/* The path that locations match: decoded once, dot segments resolved, slashes merged. */
#include "proto_test.h"

#include "base/buf.h"
#include "proto/uri.h"

#include <stdlib.h>

struct row {
    const char *promise, *raw;
    const char *merged;   /* NULL: refused */
    const char *unmerged; /* NULL: the same */
};

static const struct row rows[] = {
    { "the root", "/", "/", NULL },
    { "nothing to do", "/a/b.c/", "/a/b.c/", NULL },
    { "names with dots", "/.a/..b/c../...", "/.a/..b/c../...", NULL },
    { "a dot at the end", "/a/.", "/a/", NULL },
    { "two dots at the end", "/a/b/..", "/a/", NULL },
    { "up to the root", "/a/..", "/", NULL },
    { "the root by a dot", "/.", "/", NULL },
    { "dots in a row", "/a/././b/../../c", "/c", NULL },
    { "slashes at the end", "/a//", "/a/", "/a//" },
    { "up from an empty segment", "/a//../b", "/b", "/a/b" },
    { "a dot between slashes", "//.//a", "/a", "///a" },
    { "high bytes", "/\xc3\xa9", "/\xc3\xa9", NULL },
    { "a decoded space", "/a%20b", "/a b", NULL },
    { "a decoded mark, fragment, percent", "/%3f%23%25", "/?#%", NULL },
    { "no leading slash", "a/b", NULL, NULL },
    { "nothing", "", NULL, NULL },
    { "TARG-18 a zero byte", "/%00", NULL, NULL },
    { "TARG-18 a zero byte in a name", "/a%00.php", NULL, NULL },
    { "TARG-19 no hexadecimal digits", "/%zz", NULL, NULL },
    { "TARG-19 one digit", "/%1", NULL, NULL },
    { "TARG-19 no digit", "/%", NULL, NULL },
    { "TARG-19 another notation", "/%u0041", NULL, NULL },
    { "TARG-19 one digit and a slash", "/%4/", NULL, NULL },
    { "TARG-20 LF", "/admin%0a", NULL, NULL },
    { "TARG-20 CR LF", "/a%0d%0ab", NULL, NULL },
    { "TARG-20 0x7f", "/a%7f", NULL, NULL },
    { "TARG-20 HTAB", "/a%09", NULL, NULL },
    { "TARG-20 a raw control byte", "/a\x01", NULL, NULL },
    { "TARG-23 two dots", "/public/../admin", "/admin", NULL },
    { "TARG-23 two escaped dots", "/public/%2e%2e/admin", "/admin", NULL },
    { "TARG-23 one escaped dot", "/public/.%2E/admin", "/admin", NULL },
    { "TARG-23 two slashes, two dots", "/public//../admin", "/admin", "/public/admin" },
    { "TARG-23 a dot, two dots", "/public/./../admin", "/admin", NULL },
    { "TARG-24 escaped slashes", "/public%2f..%2fadmin", "/admin", NULL },
    { "TARG-24 an escaped letter", "/%61dmin", "/admin", NULL },
    { "TARG-24 two slashes", "//admin", "/admin", "//admin" },
    { "TARG-24 an escaped slash at the end", "/admin%2f", "/admin/", NULL },
    { "TARG-25 decoded once", "/%2561dmin", "/%61dmin", NULL },
    { "TARG-25 dots decoded once", "/public/%252e%252e/admin", "/public/%2e%2e/admin", NULL },
    { "TARG-26 above the root", "/../etc/passwd", NULL, NULL },
    { "TARG-26 above the root later", "/a/../../etc/passwd", NULL, NULL },
    { "TARG-26 above the root by escapes", "/%2e%2e/%2e%2e/etc/passwd", NULL, NULL },
    { "TARG-26 above the root at the end", "/..", NULL, NULL },
    { "TARG-27 a semicolon means nothing", "/..;/admin", "/..;/admin", NULL },
    { "TARG-27 parameters are kept", "/a;x=../b", "/a;x=../b", NULL },
    { "TARG-28 a backslash is no slash", "/..\\..\\etc", "/..\\..\\etc", NULL },
    { "TARG-28 an escaped backslash", "/a%5c..%5cb", "/a\\..\\b", NULL },
    { "TARG-29 overlong dots are bytes", "/%c0%ae%c0%ae/etc", "/\xc0\xae\xc0\xae/etc", NULL },
    { "TARG-30 a dot behind a name", "/a/.", "/a/", NULL },
};

/* Fails unless `raw` becomes `want`; then that is normal, and stays itself when escaped and read
 * again. */
static void becomes(const char *promise, struct span raw, bool merge, const char *want)
{
    struct buf b, escaped, again;

    buf_init(&b, 256, NULL);
    buf_adds(&b, "x");
    bool ok = path_normalise(raw, merge, &b);
    struct span got = span_from(buf_view(&b), 1);
    if (ok != (want != NULL) || !span_is(got, want ? want : ""))
        fail_msg("%s: %d, \"%.*s\"", promise, ok, (int)got.len, got.at);
    assert_int_equal(path_is_normal(raw, merge),
                     ok && span_same(raw, got) && span_find(raw, '%') == raw.len);
    if (ok) {
        buf_init(&escaped, 768, NULL);
        buf_init(&again, 256, NULL);
        uri_escape(got, ESCAPE_URI, &escaped);
        assert_true(path_normalise(buf_view(&escaped), merge, &again));
        assert_true(span_same(buf_view(&again), got));
        buf_done(&escaped);
        buf_done(&again);
    }
    buf_done(&b);
}

static void keeps_its_promise(void **state)
{
    const struct row *row = *state;

    becomes(row->promise, span_of(row->raw), true, row->merged);
    becomes(row->promise, span_of(row->raw), false, row->unmerged ? row->unmerged : row->merged);
}

static void without_room_nothing_is_said(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 3, NULL);
    assert_false(path_normalise(span_of("/abcdef"), true, &b));
    assert_false(buf_ok(&b));
    buf_done(&b);
}

int main(void)
{
    static struct suite s;

    ADD_TABLE(&s, rows, keeps_its_promise);
    ADD_TEST(&s, without_room_nothing_is_said);
    return run_suite("uri_path", &s);
}
