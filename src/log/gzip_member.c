/* Compressed logs: each buffer becomes a member of its own, so a file is whole after every write.
 * Owns nothing beyond the call. */
#include "log/gzip_member.h"

#include "base/buf.h"

#include <zlib.h>

/* The smallest window that holds the text: memory for a small buffer stays small. */
static int window_for(size_t len)
{
    int bits = 9;

    while (bits < MAX_WBITS && ((size_t)1 << bits) < len)
        bits++;
    return bits;
}

bool gzip_member_add(struct span text, int level, struct buf *out)
{
    enum { GZIP_WRAPPER = 16 };
    int bits = window_for(text.len);
    z_stream z = { .next_in = (Bytef *)(uintptr_t)text.at, .avail_in = (uInt)text.len };

    if (deflateInit2(&z, level, Z_DEFLATED, bits + GZIP_WRAPPER, bits > 14 ? 8 : bits - 6,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    size_t room = deflateBound(&z, (uLong)text.len);
    bool good = buf_reserve(out, room);
    if (good) {
        z.next_out = (Bytef *)out->data + out->len;
        z.avail_out = (uInt)room;
        good = deflate(&z, Z_FINISH) == Z_STREAM_END;
        out->len += good ? room - z.avail_out : 0;
    }
    deflateEnd(&z);
    return good;
}
