/* Media types by extension. */
#include "exchange/types.h"

#include "base/arena.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/tree.h"

#include <stdlib.h>

struct type_entry {
    struct span extension; /* lower case */
    struct span type;
};

#define T(extension, type)          \
    {                               \
        SPAN(extension), SPAN(type) \
    }

/* Sorted: types_find searches by halves (a unit test proves the order). */
static const struct type_entry built_in[] = {
    T("3gp", "video/3gpp"),
    T("7z", "application/x-7z-compressed"),
    T("aac", "audio/aac"),
    T("ai", "application/postscript"),
    T("apng", "image/apng"),
    T("asf", "video/x-ms-asf"),
    T("atom", "application/atom+xml"),
    T("avi", "video/x-msvideo"),
    T("avif", "image/avif"),
    T("bin", "application/octet-stream"),
    T("bmp", "image/x-ms-bmp"),
    T("bz2", "application/x-bzip2"),
    T("css", "text/css"),
    T("csv", "text/csv"),
    T("deb", "application/octet-stream"),
    T("doc", "application/msword"),
    T("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    T("eot", "application/vnd.ms-fontobject"),
    T("epub", "application/epub+zip"),
    T("exe", "application/octet-stream"),
    T("flac", "audio/flac"),
    T("flv", "video/x-flv"),
    T("gif", "image/gif"),
    T("gz", "application/gzip"),
    T("htm", "text/html"),
    T("html", "text/html"),
    T("ico", "image/x-icon"),
    T("ics", "text/calendar"),
    T("img", "application/octet-stream"),
    T("iso", "application/octet-stream"),
    T("jar", "application/java-archive"),
    T("jpeg", "image/jpeg"),
    T("jpg", "image/jpeg"),
    T("js", "application/javascript"),
    T("json", "application/json"),
    T("jsonld", "application/ld+json"),
    T("jxl", "image/jxl"),
    T("kml", "application/vnd.google-earth.kml+xml"),
    T("m3u8", "application/vnd.apple.mpegurl"),
    T("m4a", "audio/x-m4a"),
    T("m4v", "video/x-m4v"),
    T("map", "application/json"),
    T("markdown", "text/markdown"),
    T("md", "text/markdown"),
    T("mid", "audio/midi"),
    T("midi", "audio/midi"),
    T("mjs", "application/javascript"),
    T("mkv", "video/x-matroska"),
    T("mov", "video/quicktime"),
    T("mp3", "audio/mpeg"),
    T("mp4", "video/mp4"),
    T("mpeg", "video/mpeg"),
    T("mpg", "video/mpeg"),
    T("msi", "application/octet-stream"),
    T("odp", "application/vnd.oasis.opendocument.presentation"),
    T("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    T("odt", "application/vnd.oasis.opendocument.text"),
    T("oga", "audio/ogg"),
    T("ogg", "audio/ogg"),
    T("ogv", "video/ogg"),
    T("opus", "audio/ogg"),
    T("otf", "font/otf"),
    T("pdf", "application/pdf"),
    T("pem", "application/x-x509-ca-cert"),
    T("png", "image/png"),
    T("ppt", "application/vnd.ms-powerpoint"),
    T("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    T("ps", "application/postscript"),
    T("rar", "application/x-rar-compressed"),
    T("rpm", "application/x-redhat-package-manager"),
    T("rss", "application/rss+xml"),
    T("rtf", "application/rtf"),
    T("shtml", "text/html"),
    T("svg", "image/svg+xml"),
    T("svgz", "image/svg+xml"),
    T("swf", "application/x-shockwave-flash"),
    T("tar", "application/x-tar"),
    T("tif", "image/tiff"),
    T("tiff", "image/tiff"),
    T("toml", "application/toml"),
    T("ts", "video/mp2t"),
    T("ttf", "font/ttf"),
    T("txt", "text/plain"),
    T("wasm", "application/wasm"),
    T("wav", "audio/wav"),
    T("webm", "video/webm"),
    T("webmanifest", "application/manifest+json"),
    T("webp", "image/webp"),
    T("wmv", "video/x-ms-wmv"),
    T("woff", "font/woff"),
    T("woff2", "font/woff2"),
    T("xhtml", "application/xhtml+xml"),
    T("xls", "application/vnd.ms-excel"),
    T("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    T("xml", "text/xml"),
    T("xz", "application/x-xz"),
    T("yaml", "application/yaml"),
    T("yml", "application/yaml"),
    T("zip", "application/zip"),
    T("zst", "application/zstd"),
};

static int compare(struct span a, struct span b)
{
    int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_entries(const void *a, const void *b)
{
    return compare(((const struct type_entry *)a)->extension,
                   ((const struct type_entry *)b)->extension);
}

static struct span extension_of(struct span path)
{
    for (size_t i = path.len; i-- > 0 && path.at[i] != '/';)
        if (path.at[i] == '.' && i > 0 && path.at[i - 1] != '/')
            return span_from(path, i + 1);
    return (struct span){ NULL, 0 };
}

struct span types_find(const struct types_table *table, struct span path)
{
    const struct type_entry *entries = table ? table->entries : built_in;
    size_t low = 0, high = table ? table->count : COUNT(built_in);
    struct span extension = extension_of(path);
    char lower[32];

    if (extension.len == 0 || extension.len > sizeof(lower))
        return (struct span){ NULL, 0 };
    for (size_t i = 0; i < extension.len; i++)
        lower[i] = ascii_lower(extension.at[i]);
    extension.at = lower;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(extension, entries[middle].extension);

        if (order == 0)
            return entries[middle].type;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return (struct span){ NULL, 0 };
}

static size_t count_extensions(const struct conf_node *block)
{
    size_t count = 0;

    for (const struct conf_node *line = block->first; line != NULL; line = line->next)
        count += line->count - 1;
    return count;
}

static void add_type(struct types_table *table, struct type_entry *entries, struct type_entry added)
{
    uint32_t i = 0;

    while (i < table->count && !span_same(entries[i].extension, added.extension))
        i++;
    entries[i] = added;
    table->count += i == table->count;
}

/* TYPE EXTENSION...; a later line wins over an earlier one with the same extension. */
static bool set_types(struct conf_call *call, void *field)
{
    struct types_table *table = arena_zalloc(conf_arena(call), sizeof(*table));
    struct type_entry *entries =
        arena_alloc(conf_arena(call), sizeof(*entries) * (count_extensions(call->node) + 1));

    for (const struct conf_node *line = call->node->first; line != NULL; line = line->next) {
        struct span type = arena_copy(conf_arena(call), line->words[0].text);

        for (unsigned i = 1; i < line->count; i++) {
            char *lower = arena_cstr(conf_arena(call), line->words[i].text);

            for (char *c = lower; *c != '\0'; c++)
                *c = ascii_lower(*c);
            add_type(table, entries, (struct type_entry){ span_of(lower), type });
        }
    }
    if (table->count > 0)
        qsort(entries, table->count, sizeof(*entries), compare_entries);
    table->entries = entries;
    *(const struct types_table **)field = table;
    return true;
}

const struct conf_type types_block = { .set = set_types, .size = sizeof(struct types_table *) };
