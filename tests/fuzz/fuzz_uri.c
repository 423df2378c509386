/* Request targets, hosts and paths: parts lie inside, a normal path has no dot segment and no
 * control byte, and normalising what was normalised (and escaped) changes nothing. */
#include "base/buf.h"
#include "proto/uri.h"

#include <stdlib.h>

enum { LONGEST = 4096 };

static void must(bool holds)
{
    if (!holds)
        abort();
}

static bool inside(struct span part, struct span whole)
{
    return part.len == 0 || (part.at >= whole.at && part.len <= whole.len &&
                             (size_t)(part.at - whole.at) <= whole.len - part.len);
}

static void check_host(struct span raw)
{
    struct host h, again;

    if (!host_parse(raw, &h))
        return;
    must(inside(h.name, raw) && h.name.len > 0 && inside(h.port_text, raw));
    must(h.port == 0 || h.port_text.len > 0);
    must(host_parse(h.name, &again) && span_same(again.name, h.name) && again.port == 0);
    must(again.literal == h.literal && host_is_strict(&again) == host_is_strict(&h));
}

static void check_target(struct span raw, bool connect)
{
    struct target t;

    if (!target_parse(raw, connect, &t))
        return;
    must(connect == (t.form == TARGET_AUTHORITY));
    must(inside(t.scheme, raw) && inside(t.authority, raw) && inside(t.args, raw));
    must(inside(t.path, raw) || span_is(t.path, "/"));
    if (t.form == TARGET_ORIGIN || t.form == TARGET_ABSOLUTE)
        must(t.path.len > 0 && t.path.at[0] == '/');
    must(span_find(t.path, '?') == t.path.len && span_find(raw, '#') == raw.len);
    must(t.has_args || t.args.len == 0);
    if (t.form == TARGET_ABSOLUTE || t.form == TARGET_AUTHORITY)
        check_host(t.authority);
}

/* Walks the segments once more, in the plainest way. */
static void check_segments(struct span path, bool merged)
{
    struct span rest = span_from(path, 1), segment;

    must(path.len > 0 && path.at[0] == '/');
    for (size_t i = 0; i < path.len; i++)
        must((unsigned char)path.at[i] >= ' ' && path.at[i] != 0x7f);
    while (span_cut(rest, '/', &segment, &rest)) {
        must(!merged || segment.len > 0);
        must(!span_is(segment, ".") && !span_is(segment, ".."));
    }
    must(!span_is(rest, ".") && !span_is(rest, ".."));
}

static void check_path(struct span raw, bool merge)
{
    struct buf path, escaped, again;

    buf_init(&path, LONGEST, NULL);
    bool ok = path_normalise(raw, merge, &path);
    struct span got = buf_view(&path);
    must(got.len <= raw.len && ok == (got.len > 0));
    if (path_is_normal(raw, merge))
        must(ok && span_same(raw, got));
    if (ok) {
        check_segments(got, merge);
        must(path_is_normal(got, merge) || span_find(got, '%') < got.len);
        buf_init(&escaped, 3 * LONGEST, NULL);
        buf_init(&again, 3 * LONGEST, NULL);
        uri_escape(got, ESCAPE_URI, &escaped);
        must(path_normalise(buf_view(&escaped), merge, &again));
        must(span_same(buf_view(&again), got));
        buf_done(&escaped);
        buf_done(&again);
    }
    buf_done(&path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = { (const char *)data, size };

    if (size > LONGEST)
        return 0;
    check_target(in, false);
    check_target(in, true);
    check_host(in);
    check_path(in, true);
    check_path(in, false);
    return 0;
}
