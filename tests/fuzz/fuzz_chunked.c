/* The chunked coding: in one piece and byte by byte it yields the same data, verdict and end; and
 * what is re-coded by us is read back. */
#include "base/buf.h"
#include "proto/chunked.h"

#include <stdlib.h>

enum { LONGEST = 1 << 16 };

struct result {
    enum chunk end;
    size_t taken;
    struct buf data;
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static struct result decode(struct span in, size_t step)
{
    struct result r = { .end = CHUNK_MORE };
    struct chunked c;

    buf_init(&r.data, LONGEST, NULL);
    chunked_init(&c);
    for (size_t fed = 0; r.end == CHUNK_MORE && fed < in.len; fed += step) {
        struct span piece = span_first(span_from(in, fed), step);

        do {
            struct span data = { NULL, 0 };
            size_t taken = 0;

            r.end = chunked_next(&c, piece, &data, &taken);
            must(taken <= piece.len && data.len <= taken);
            must(data.len == 0 || data.at + data.len == piece.at + taken);
            must((r.end == CHUNK_DATA) == (data.len > 0));
            buf_add(&r.data, data);
            r.taken += taken;
            piece = span_from(piece, taken);
        } while (r.end == CHUNK_DATA);
        must(r.end != CHUNK_MORE || piece.len == 0);
    }
    return r;
}

static void check_same(struct span in, size_t step, const struct result *whole)
{
    struct result r = decode(in, step);

    must(r.end == whole->end && (r.end == CHUNK_BAD || r.taken == whole->taken));
    must(span_same(buf_view(&r.data), buf_view(&whole->data)));
    buf_done(&r.data);
}

static void check_again(struct span data)
{
    char head[CHUNK_HEAD_MOST];
    struct buf b;

    buf_init(&b, LONGEST + 64, NULL);
    if (data.len > 0) {
        buf_add(&b, (struct span){ head, chunk_head(data.len, head) });
        buf_add(&b, data);
        buf_adds(&b, "\r\n");
    }
    buf_adds(&b, "0\r\n\r\n");
    struct result r = decode(buf_view(&b), b.len);
    must(r.end == CHUNK_END && r.taken == b.len && span_same(buf_view(&r.data), data));
    buf_done(&r.data);
    buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = { (const char *)data, size };

    if (size > LONGEST)
        return 0;
    struct result whole = decode(in, size > 0 ? size : 1);
    must(whole.end != CHUNK_END || span_ends(span_first(in, whole.taken), "\r\n"));
    check_same(in, 1, &whole);
    check_same(in, 3, &whole);
    check_again(buf_view(&whole.data));
    buf_done(&whole.data);
    return 0;
}
