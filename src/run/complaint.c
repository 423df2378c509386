/* Errors of the start, with the line of the configuration behind them. Owns nothing. */
#include "run/complaint.h"

#include "base/buf.h"
#include "base/os.h"
#include "base/span.h"
#include "conf/settings.h"
#include "exchange/generation.h"
#include "run/manifest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { LONGEST_TEXT = 2048 };

static void show_line(struct span file, struct manifest_place place, struct buf *messages)
{
    char path[1024];
    char *text = NULL;
    ssize_t len = span_to_cstr(file, sizeof(path), path) ? os_read_file(path, 1 << 26, &text) : -1;
    struct span rest = { text, len > 0 ? (size_t)len : 0 }, line = { NULL, 0 };

    buf_addf(messages, "%.*s:%u:%u\n", (int)file.len, file.at, place.line, place.column);
    for (uint32_t i = 0; i < place.line && rest.len > 0; i++) {
        line = span_first(rest, span_find(rest, '\n'));
        rest = span_from(rest, line.len + 1);
    }
    if (line.len > 0) {
        buf_add(messages, line);
        buf_addf(messages, "\n%*s^\n", place.column > 0 ? place.column - 1 : 0, "");
    }
    free(text);
}

static void add_text(struct buf *messages, const char *format, va_list args)
{
    if (!buf_reserve(messages, LONGEST_TEXT))
        return;
    int len = vsnprintf(messages->data + messages->len, LONGEST_TEXT, format, args);
    messages->len += len < 0 ? 0 : len < LONGEST_TEXT ? (size_t)len : LONGEST_TEXT - 1;
}

static bool complain(struct span file, struct manifest_place place, struct buf *messages,
                     const char *format, va_list args)
{
    buf_adds(messages, "bifrons: [emerg] ");
    add_text(messages, format, args);
    if (place.line > 0) {
        buf_addf(messages, " in %.*s:%u\n", (int)file.len, file.at, place.line);
        show_line(file, place, messages);
    } else {
        buf_add_byte(messages, '\n');
    }
    return false;
}

bool complain_at(const struct generation *g, struct place place, struct buf *messages,
                 const char *format, ...)
{
    struct manifest_place at = { place.file, place.line, place.column };
    va_list args;

    va_start(args, format);
    complain(place_file(g, place), at, messages, format, args);
    va_end(args);
    return false;
}

bool complain_in(const struct manifest *m, struct manifest_place place, struct buf *messages,
                 const char *format, ...)
{
    const char *file = place.file < m->head.files ? m->files[place.file].name : "";
    va_list args;

    va_start(args, format);
    complain(span_of(file), place, messages, format, args);
    va_end(args);
    return false;
}

bool complain_of_call(const struct generation *g, const struct placed_path *what, const char *call,
                      int error, struct buf *messages)
{
    const char *reason = strerrordesc_np(error);

    return complain_at(g, what->place, messages, "%s(\"%.*s\") failed (%d: %s)", call,
                       (int)what->path.len, what->path.at, error,
                       reason != NULL ? reason : "unknown error");
}
