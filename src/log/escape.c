/* Values of peers in the lines of a log. Owns nothing. */
#include "log/escape.h"

#include "base/buf.h"
#include "base/json.h"

static void add_hex(char byte, struct buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned char c = (unsigned char)byte;
    char text[4] = { '\\', 'x', digits[c >> 4], digits[c & 15] };

    buf_add(out, (struct span){ text, 4 });
}

/* How many bytes at the start stand for themselves. */
static size_t plain_length(struct span value)
{
    size_t len = 0;

    while (len < value.len) {
        unsigned char c = (unsigned char)value.at[len];

        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
            break;
        len++;
    }
    return len;
}

void escape_default(struct span value, bool set, struct buf *out)
{
    if (!set)
        buf_add_byte(out, '-');
    while (value.len > 0) {
        size_t plain = plain_length(value);

        buf_add(out, span_first(value, plain));
        value = span_from(value, plain);
        if (value.len > 0) {
            add_hex(value.at[0], out);
            value = span_from(value, 1);
        }
    }
}

void escape_json(struct span value, bool set, struct buf *out)
{
    (void)set;
    json_add_text(value, out);
}

void escape_none(struct span value, bool set, struct buf *out)
{
    size_t plain = 0;

    (void)set;
    while (plain < value.len) {
        char c = value.at[plain];

        if (c != '\n' && c != '\r' && c != '\0') {
            plain++;
            continue;
        }
        buf_add(out, span_first(value, plain));
        add_hex(c, out);
        value = span_from(value, plain + 1);
        plain = 0;
    }
    buf_add(out, value);
}
