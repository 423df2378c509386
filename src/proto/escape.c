/* Text of others inside markup of ours: names of files, reasons, paths. Owns nothing. */
#include "proto/escape.h"

#include "base/buf.h"

static void add_html_byte(unsigned char byte, struct buf *out)
{
    switch (byte) {
    case '<':
        buf_adds(out, "&lt;");
        break;
    case '>':
        buf_adds(out, "&gt;");
        break;
    case '&':
        buf_adds(out, "&amp;");
        break;
    case '"':
        buf_adds(out, "&quot;");
        break;
    default:
        buf_add_byte(out, byte < ' ' || byte == 0x7f ? '?' : (char)byte);
    }
}

void escape_html(struct span text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++)
        add_html_byte((unsigned char)text.at[i], out);
}
