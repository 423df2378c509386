/* Values of peers in the lines of a log. Owns nothing. */
#include "log/escape.h"

#include "base/utf8.h"

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

/* What Unicode calls the end of a line or paragraph. */
static bool is_separator(struct span s)
{
    return span_starts(s, "\xe2\x80\xa8") || span_starts(s, "\xe2\x80\xa9");
}

/* The end of a string, of a line to whoever splits Unicode text, or no character at all. */
static void add_json_escape(struct span s, struct buf *out)
{
    static const char plain[] = "\"\\\n\r\t\b\f", letters[] = "\"\\nrtbf";
    unsigned char c = (unsigned char)s.at[0];
    const char *found = c != 0 ? strchr(plain, c) : NULL;

    if (found != NULL)
        buf_addf(out, "\\%c", letters[found - plain]);
    else if (is_separator(s))
        buf_addf(out, "\\u20%02X", (unsigned char)s.at[2] - 0x80);
    else
        buf_addf(out, "\\u%04X", c);
}

/* Of the character at the start, if it stands for itself. */
static size_t json_length(struct span s)
{
    unsigned char c = (unsigned char)s.at[0];

    if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f || is_separator(s))
        return 0;
    return utf8_length(s);
}

void escape_json(struct span value, bool set, struct buf *out)
{
    size_t plain = 0, len;

    (void)set;
    while (plain < value.len) {
        len = json_length(span_from(value, plain));
        plain += len;
        if (len > 0)
            continue;
        buf_add(out, span_first(value, plain));
        value = span_from(value, plain);
        add_json_escape(value, out);
        value = span_from(value, is_separator(value) ? 3 : 1);
        plain = 0;
    }
    buf_add(out, value);
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
