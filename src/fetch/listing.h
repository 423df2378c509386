#ifndef FETCH_LISTING_H
#define FETCH_LISTING_H

#include "base/span.h"

#include <sys/types.h>

struct buf;

/* What a list of a folder looks like (nginx-semantics 6.6): text in, text out. */
enum listing_format { LISTING_HTML, LISTING_XML, LISTING_JSON, LISTING_JSONP };

struct listing_style {
    enum listing_format format;
    struct span callback; /* of JSONP; empty: plain JSON */
    bool exact_size, local_time;
};

enum entry_kind { ENTRY_FOLDER, ENTRY_FILE, ENTRY_OTHER };

struct listing_entry {
    struct span name; /* any byte but `/` and zero */
    enum entry_kind kind;
    int64_t changed; /* seconds */
    uint64_t size;
};

const char *listing_type(const struct listing_style *style); /* the media type */
void listing_begin(const struct listing_style *style, struct span path, struct buf *out);
void listing_add(const struct listing_style *style, const struct listing_entry *e, bool first,
                 struct buf *out);
void listing_end(const struct listing_style *style, struct buf *out);

#endif
