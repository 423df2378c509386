#ifndef PROTO_FIELDS_H
#define PROTO_FIELDS_H

#include "base/span.h"

struct buf;

/* Header fields (RFC 9110 5): in the order in which they came, with spelling, and where each is
 * from. */

/* Those that something here asks for by name; all others are FIELD_OTHER. One list makes enum and
 * names. */
#define FIELD_LIST(F)                                         \
    F(ACCEPT, "Accept")                                       \
    F(ACCEPT_ENCODING, "Accept-Encoding")                     \
    F(ACCEPT_RANGES, "Accept-Ranges")                         \
    F(AGE, "Age")                                             \
    F(ALLOW, "Allow")                                         \
    F(AUTHORIZATION, "Authorization")                         \
    F(BIFRONS_HOP, "Bifrons-Hop")                             \
    F(CACHE_CONTROL, "Cache-Control")                         \
    F(CF_CONNECTING_IP, "CF-Connecting-IP")                   \
    F(CLIENT_IP, "Client-IP")                                 \
    F(CONNECTION, "Connection")                               \
    F(CONTENT_DISPOSITION, "Content-Disposition")             \
    F(CONTENT_ENCODING, "Content-Encoding")                   \
    F(CONTENT_LENGTH, "Content-Length")                       \
    F(CONTENT_RANGE, "Content-Range")                         \
    F(CONTENT_TYPE, "Content-Type")                           \
    F(COOKIE, "Cookie")                                       \
    F(DATE, "Date")                                           \
    F(ETAG, "ETag")                                           \
    F(EXPECT, "Expect")                                       \
    F(EXPIRES, "Expires")                                     \
    F(FORWARDED, "Forwarded")                                 \
    F(FROM, "From")                                           \
    F(HOST, "Host")                                           \
    F(HTTP2_SETTINGS, "HTTP2-Settings")                       \
    F(IF_MATCH, "If-Match")                                   \
    F(IF_MODIFIED_SINCE, "If-Modified-Since")                 \
    F(IF_NONE_MATCH, "If-None-Match")                         \
    F(IF_RANGE, "If-Range")                                   \
    F(IF_UNMODIFIED_SINCE, "If-Unmodified-Since")             \
    F(KEEP_ALIVE, "Keep-Alive")                               \
    F(LAST_MODIFIED, "Last-Modified")                         \
    F(LINK, "Link")                                           \
    F(LOCATION, "Location")                                   \
    F(MAX_FORWARDS, "Max-Forwards")                           \
    F(PRAGMA, "Pragma")                                       \
    F(PROXY, "Proxy")                                         \
    F(PROXY_AUTHENTICATE, "Proxy-Authenticate")               \
    F(PROXY_AUTHENTICATION_INFO, "Proxy-Authentication-Info") \
    F(PROXY_AUTHORIZATION, "Proxy-Authorization")             \
    F(PROXY_CONNECTION, "Proxy-Connection")                   \
    F(PROXY_STATUS, "Proxy-Status")                           \
    F(RANGE, "Range")                                         \
    F(REFERER, "Referer")                                     \
    F(REFRESH, "Refresh")                                     \
    F(RETRY_AFTER, "Retry-After")                             \
    F(SEC_WEBSOCKET_ACCEPT, "Sec-WebSocket-Accept")           \
    F(SEC_WEBSOCKET_KEY, "Sec-WebSocket-Key")                 \
    F(SERVER, "Server")                                       \
    F(SET_COOKIE, "Set-Cookie")                               \
    F(TE, "TE")                                               \
    F(TRAILER, "Trailer")                                     \
    F(TRANSFER_ENCODING, "Transfer-Encoding")                 \
    F(TRUE_CLIENT_IP, "True-Client-IP")                       \
    F(UPGRADE, "Upgrade")                                     \
    F(USER_AGENT, "User-Agent")                               \
    F(VARY, "Vary")                                           \
    F(VIA, "Via")                                             \
    F(WWW_AUTHENTICATE, "WWW-Authenticate")                   \
    F(X_ACCEL_BUFFERING, "X-Accel-Buffering")                 \
    F(X_ACCEL_CHARSET, "X-Accel-Charset")                     \
    F(X_ACCEL_EXPIRES, "X-Accel-Expires")                     \
    F(X_ACCEL_LIMIT_RATE, "X-Accel-Limit-Rate")               \
    F(X_ACCEL_REDIRECT, "X-Accel-Redirect")                   \
    F(X_BLUECOAT_VIA, "X-BlueCoat-Via")                       \
    F(X_CLIENT_IP, "X-Client-IP")                             \
    F(X_CLUSTER_CLIENT_IP, "X-Cluster-Client-IP")             \
    F(X_FORWARDED_FOR, "X-Forwarded-For")                     \
    F(X_HOST, "X-Host")                                       \
    F(X_ORIGINATING_IP, "X-Originating-IP")                   \
    F(X_PAD, "X-Pad")                                         \
    F(X_PROXY_ID, "X-Proxy-ID")                               \
    F(X_PROXYUSER_IP, "X-ProxyUser-IP")                       \
    F(X_REAL_IP, "X-Real-IP")                                 \
    F(X_REMOTE_ADDR, "X-Remote-Addr")                         \
    F(X_REMOTE_IP, "X-Remote-IP")

#define FIELD_ENUM(id, name) FIELD_##id,
enum field_id { FIELD_OTHER, FIELD_LIST(FIELD_ENUM) FIELD_IDS };
#undef FIELD_ENUM

enum field_origin { FROM_CLIENT, FROM_UPSTREAM, FROM_US };

struct field {
    struct span name;
    struct span value; /* trimmed */
    uint8_t id;        /* enum field_id */
    uint8_t origin;    /* enum field_origin */
    bool sensitive;    /* a credential: never in a log, a dump, an explanation */
    bool invalid;      /* a token, but not of letters, digits, hyphens: dropped where
                          ignore_invalid_headers holds */
};

/* Grows in an arena, so a field's address may change when one is added. */
struct fields {
    struct field *at;
    unsigned count;
    unsigned room;
    struct arena *arena;
};

/* `first`: memory for `room` fields that lives as long; NULL and 0: none. Beyond it the arena
 * grows. */
void fields_init(struct fields *f, struct arena *arena, struct field *first, unsigned room);
/* Sets id and sensitive by the name. Spans must live as long as the fields. */
struct field *fields_add(struct fields *f, struct span name, struct span value,
                         enum field_origin origin);
/* The first of its kind; NULL: none. */
const struct field *fields_find(const struct fields *f, enum field_id id);
/* The same but for the case of letters, and `-` is as good as `_`: how variables name fields. */
bool field_name_same_word(struct span a, struct span b);
const struct field *fields_find_name(const struct fields *f, struct span name);
/* Copies all names and values into the arena: what they lay in may go. */
void fields_keep(struct fields *f);
void fields_remove(struct fields *f, enum field_id id);      /* all of the kind */
void fields_remove_name(struct fields *f, struct span name); /* caseless; all */
unsigned fields_count(const struct fields *f, enum field_id id);

/* Appends `NAME: VALUE CR LF`. What goes out has been judged before. */
void field_write(struct span name, struct span value, struct buf *out);

enum field_id field_id_of(struct span name); /* caseless */
struct span field_name(enum field_id id);
bool field_is_sensitive(enum field_id id); /* a credential */
/* RFC 9110 5.6.2; at least one byte. */
bool is_token(struct span s);
/* No control byte but HTAB (RFC 9110 5.5). */
bool is_field_value(struct span s);
/* Letters, digits, hyphens; underscores too where `underscores`: what a field that is `invalid` is
 * asked once more where underscores_in_headers holds. */
bool field_name_is_plain(struct span name, bool underscores);
/* Content-Length or Transfer-Encoding with `_` for a `-`: never passed on, whatever the settings
 * (SMUG-48). */
bool field_name_is_disguise(struct span name);
/* The comma list of all such fields has this member (caseless): `Connection: close`. */
bool fields_list_has(const struct fields *f, enum field_id id, const char *member);

#endif
