/* Text of others inside markup of ours: names of files, reasons, paths. Owns nothing. */
#include "proto/escape.h"

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

static bool continues(struct span s, size_t i)
{
    return i < s.len && ((unsigned char)s.at[i] & 0xc0) == 0x80;
}

/* How many bytes the character at the start takes; 0: it is none (RFC 3629: no overlong form, no
 * surrogate, nothing above U+10FFFF). */
static size_t utf8_length(struct span s)
{
    unsigned char a = (unsigned char)s.at[0], b = s.len > 1 ? (unsigned char)s.at[1] : 0;

    if (a < 0x80)
        return 1;
    if (a >= 0xc2 && a <= 0xdf && continues(s, 1))
        return 2;
    if ((a & 0xf0) == 0xe0 && continues(s, 1) && continues(s, 2))
        return (a == 0xe0 && b < 0xa0) || (a == 0xed && b > 0x9f) ? 0 : 3;
    if (a >= 0xf0 && a <= 0xf4 && continues(s, 1) && continues(s, 2) && continues(s, 3))
        return (a == 0xf0 && b < 0x90) || (a == 0xf4 && b > 0x8f) ? 0 : 4;
    return 0;
}

static void add_json_control(unsigned char byte, struct buf *out)
{
    static const char letters[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'
    };

    if (byte < sizeof(letters) && letters[byte] != '\0')
        buf_addf(out, "\\%c", letters[byte]);
    else
        buf_addf(out, "\\u%04X", byte);
}

void escape_json(struct span text, struct buf *out)
{
    while (text.len > 0) {
        size_t len = utf8_length(text);
        unsigned char byte = (unsigned char)text.at[0];

        if (len == 0)
            buf_adds(out, "\\uFFFD");
        else if (byte < ' ')
            add_json_control(byte, out);
        else if (byte == '"' || byte == '\\')
            buf_addf(out, "\\%c", byte);
        else
            buf_add(out, span_first(text, len));
        text = span_from(text, len > 0 ? len : 1);
    }
}
