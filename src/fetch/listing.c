/* A folder as HTML, XML or JSON, byte for byte as NGINX writes it. Names are anybody's: they are
 * escaped, and as a link they are one segment that no browser takes for a scheme. Owns nothing. */
#include "fetch/listing.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "proto/escape.h"
#include "proto/uri.h"

#include <time.h>

enum { NAME_COLUMN = 50, CUT_MARK = 3 };

const char *listing_type(const struct listing_style *style)
{
    switch (style->format) {
    case LISTING_HTML:
        return "text/html";
    case LISTING_XML:
        return "text/xml; charset=utf-8";
    case LISTING_JSON:
        return "application/json";
    case LISTING_JSONP:
        return style->callback.len > 0 ? "application/javascript" : "application/json";
    }
    return "text/html";
}

void listing_begin(const struct listing_style *style, struct span path, struct buf *out)
{
    switch (style->format) {
    case LISTING_HTML:
        buf_adds(out, "<html>\r\n<head><title>Index of ");
        escape_html(path, out);
        buf_adds(out, "</title></head>\r\n<body>\r\n<h1>Index of ");
        escape_html(path, out);
        buf_adds(out, "</h1><hr><pre><a href=\"../\">../</a>\r\n");
        break;
    case LISTING_XML:
        buf_adds(out, "<?xml version=\"1.0\"?>\r\n<list>\r\n");
        break;
    case LISTING_JSONP:
        if (style->callback.len > 0) {
            buf_adds(out, "/* callback */\r\n");
            buf_add(out, style->callback);
            buf_add_byte(out, '(');
        }
        buf_add_byte(out, '[');
        break;
    case LISTING_JSON:
        buf_add_byte(out, '[');
        break;
    }
}

void listing_end(const struct listing_style *style, struct buf *out)
{
    switch (style->format) {
    case LISTING_HTML:
        buf_adds(out, "</pre><hr></body>\r\n</html>\r\n");
        break;
    case LISTING_XML:
        buf_adds(out, "</list>\r\n");
        break;
    case LISTING_JSONP:
        buf_adds(out, style->callback.len > 0 ? "\r\n]);" : "\r\n]");
        break;
    case LISTING_JSON:
        buf_adds(out, "\r\n]");
        break;
    }
}

/* --- HTML ----------------------------------------------------------------------------------- */

static void add_spaces(size_t count, struct buf *out)
{
    while (count-- > 0)
        buf_add_byte(out, ' ');
}

/* The name as text, cut if it is wider than its column, and what fills the column. */
static void add_html_name(const struct listing_entry *e, struct buf *out)
{
    size_t width = e->name.len;

    if (width > NAME_COLUMN) {
        escape_html(span_first(e->name, NAME_COLUMN - CUT_MARK), out);
        buf_adds(out, "..&gt;</a>");
        return;
    }
    escape_html(e->name, out);
    if (e->kind == ENTRY_FOLDER && width < NAME_COLUMN) {
        buf_add_byte(out, '/');
        width++;
    }
    buf_adds(out, "</a>");
    add_spaces(NAME_COLUMN - width, out);
}

/* In the largest unit that leaves digits, rounded. */
static void add_short_size(uint64_t size, struct buf *out)
{
    static const struct {
        uint64_t above, unit;
        const char *name;
    } units[] = { { (1 << 30) - 1, 1 << 30, "G" },
                  { (1 << 20) - 1, 1 << 20, "M" },
                  { 9999, 1 << 10, "K" } };

    for (size_t i = 0; i < COUNT(units); i++) {
        if (size <= units[i].above)
            continue;
        size = size / units[i].unit + (size % units[i].unit > units[i].unit / 2 - 1);
        buf_addf(out, "%6llu%s", (unsigned long long)size, units[i].name);
        return;
    }
    buf_addf(out, " %6llu", (unsigned long long)size);
}

static void add_size(const struct listing_style *style, const struct listing_entry *e,
                     struct buf *out)
{
    if (e->kind == ENTRY_FOLDER)
        buf_addf(out, "%*s", style->exact_size ? 19 : 7, "-");
    else if (style->exact_size)
        buf_addf(out, "%19llu", (unsigned long long)e->size);
    else
        add_short_size(e->size, out);
}

static void add_html(const struct listing_style *style, const struct listing_entry *e,
                     struct buf *out)
{
    time_t when = (time_t)e->changed;
    char date[32];
    struct tm tm;

    if (style->local_time)
        localtime_r(&when, &tm);
    else
        gmtime_r(&when, &tm);
    strftime(date, sizeof(date), "%d-%b-%Y %H:%M", &tm);
    buf_adds(out, "<a href=\"");
    uri_escape(e->name, ESCAPE_COMPONENT, out);
    buf_adds(out, e->kind == ENTRY_FOLDER ? "/\">" : "\">");
    add_html_name(e, out);
    buf_addf(out, " %s ", date);
    add_size(style, e, out);
    buf_adds(out, "\r\n");
}

/* --- XML and JSON --------------------------------------------------------------------------- */

static const char *const kinds[] = {
    [ENTRY_FOLDER] = "directory", [ENTRY_FILE] = "file", [ENTRY_OTHER] = "other"
};

static void add_xml(const struct listing_entry *e, struct buf *out)
{
    time_t when = (time_t)e->changed;
    char date[32];
    struct tm tm;

    gmtime_r(&when, &tm);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
    buf_addf(out, "<%s mtime=\"%s\"", kinds[e->kind], date);
    if (e->kind == ENTRY_FILE)
        buf_addf(out, " size=\"%llu\"", (unsigned long long)e->size);
    buf_add_byte(out, '>');
    escape_html(e->name, out);
    buf_addf(out, "</%s>\r\n", kinds[e->kind]);
}

static void add_json(const struct listing_entry *e, bool first, struct buf *out)
{
    char date[32] = "";

    http_date_print(e->changed, date);
    buf_adds(out, first ? "\r\n{ \"name\":\"" : ",\r\n{ \"name\":\"");
    json_add_text(e->name, out);
    buf_addf(out, "\", \"type\":\"%s\", \"mtime\":\"%.*s\"", kinds[e->kind], HTTP_DATE_LENGTH,
             date);
    if (e->kind == ENTRY_FILE)
        buf_addf(out, ", \"size\":%llu", (unsigned long long)e->size);
    buf_adds(out, " }");
}

void listing_add(const struct listing_style *style, const struct listing_entry *e, bool first,
                 struct buf *out)
{
    switch (style->format) {
    case LISTING_HTML:
        add_html(style, e, out);
        break;
    case LISTING_XML:
        add_xml(e, out);
        break;
    case LISTING_JSON:
    case LISTING_JSONP:
        add_json(e, first, out);
        break;
    }
}
