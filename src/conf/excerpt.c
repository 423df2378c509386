/* The line of a configuration that a message is about, and a caret below the word:
 *
 *             proxy_pas http://a.example;
 *             ^
 *
 * What a file holds goes to a terminal, so control bytes and what is no UTF-8 are shown as \xHH. */
#include "conf/excerpt.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "conf/settings.h"

enum { WINDOW = 160, WINDOW_BEFORE = 80 };

/* How many bytes belong together, and whether they may be shown as they are. */
static size_t next_character(struct span s, bool *ret_plain)
{
    size_t len = utf8_length(s);
    bool control = ((unsigned char)s.at[0] < 0x20 && s.at[0] != '\t') || s.at[0] == 0x7f;

    *ret_plain = len > 0 && !control;
    return len > 0 ? len : 1;
}

void excerpt_plain(struct span text, struct buf *out)
{
    while (text.len > 0) {
        bool plain;
        size_t len = next_character(text, &plain);

        if (plain)
            buf_add(out, span_first(text, len));
        else
            buf_addf(out, "\\x%02X", (unsigned char)text.at[0]);
        text = span_from(text, len);
    }
}

/* As much room as print_plain takes for the text; a tab stays one, so that the caret lines up. */
static void print_room(struct span text, struct buf *out)
{
    while (text.len > 0) {
        bool plain;
        size_t len = next_character(text, &plain);

        buf_adds(out, !plain ? "    " : text.at[0] == '\t' ? "\t" : " ");
        text = span_from(text, len);
    }
}

static struct span line_of(struct span text, uint32_t line)
{
    struct span head, tail = text;

    for (uint32_t i = 0; i < line; i++) {
        if (!span_cut(tail, '\n', &head, &tail)) {
            head = tail;
            tail = (struct span){ "", 0 };
        }
        if (i == 0 && span_starts(head, "\xEF\xBB\xBF"))
            head = span_from(head, 3);
    }
    span_chop(&head, '\r');
    return head;
}

/* The source line, or the part of a long one that matters, and the caret below. */
static void print_source(struct span line, size_t column, struct buf *out)
{
    bool cut = column > WINDOW;
    size_t from = cut ? column - WINDOW_BEFORE : 0;

    while (from > 0 && from < line.len && ((unsigned char)line.at[from] & 0xc0) == 0x80)
        from++; /* not from the middle of a character */
    struct span shown = span_first(span_from(line, from), WINDOW);
    buf_adds(out, cut ? "..." : "");
    excerpt_plain(shown, out);
    buf_adds(out, cut ? "\n   " : "\n");
    print_room(span_first(shown, column > from ? column - 1 - from : 0), out);
    buf_adds(out, "^\n");
}

void excerpt_line(struct span text, struct place place, struct buf *out)
{
    print_source(line_of(text, place.line), place.column, out);
}
