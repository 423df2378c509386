/* Texts inside JSON. */
#include "base/json.h"

static void add_byte(unsigned char c, struct buf *out)
{
    const char *short_form = c == '"'    ? "\\\""
                             : c == '\\' ? "\\\\"
                             : c == '\n' ? "\\n"
                             : c == '\r' ? "\\r"
                             : c == '\t' ? "\\t"
                             : c == '\b' ? "\\b"
                             : c == '\f' ? "\\f"
                                         : NULL;

    if (short_form != NULL)
        buf_adds(out, short_form);
    else if (c < 0x20)
        buf_addf(out, "\\u%04X", c);
    else
        buf_add_byte(out, (char)c);
}

void json_add_text(struct span text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++)
        add_byte((unsigned char)text.at[i], out);
}

/* Bytes of the character at the start of `text` (RFC 3629 4); 0: it is none. */
static size_t character_length(struct span text)
{
    const unsigned char *c = (const unsigned char *)text.at;
    size_t len = c[0] < 0x80 ? 1 : c[0] < 0xc2 ? 0 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : 4;

    if (len == 0 || len > text.len || c[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    bool bad = (c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) ||
               (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f);
    return bad ? 0 : len;
}

static bool is_utf8(struct span text)
{
    while (text.len > 0) {
        size_t len = character_length(text);

        if (len == 0)
            return false;
        text = span_from(text, len);
    }
    return true;
}

void json_add_string(struct span text, struct buf *out)
{
    bool sound = is_utf8(text);

    buf_add_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];

        if (c >= 0x80 && !sound)
            buf_addf(out, "\\u%04X", c);
        else
            add_byte(c, out);
    }
    buf_add_byte(out, '"');
}
