/* Texts inside JSON. Owns nothing. */
#include "base/json.h"

#include "base/buf.h"
#include "base/utf8.h"

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

void json_add_text(struct span value, struct buf *out)
{
    size_t plain = 0, len;

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

void json_add_string(struct span value, struct buf *out)
{
    buf_add_byte(out, '"');
    json_add_text(value, out);
    buf_add_byte(out, '"');
}
