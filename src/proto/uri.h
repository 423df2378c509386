#ifndef PROTO_URI_H
#define PROTO_URI_H

#include "base/span.h"

struct buf;

/* Request targets (RFC 9112 3.2, RFC 3986) and the path that locations match (nginx-semantics 4.2).
 */
enum target_form { TARGET_ORIGIN, TARGET_ABSOLUTE, TARGET_AUTHORITY, TARGET_ASTERISK };

struct target {
    enum target_form form;
    struct span scheme;    /* absolute: as sent */
    struct span authority; /* absolute, authority: host with port, no userinfo */
    struct span path;      /* raw, from `/`; absolute without one: "/", which is not in `raw` */
    struct span args;      /* after the `?`, raw; empty also when there is none */
    bool has_args;         /* a `?` was there */
    bool escaped;          /* the path holds a `%` or `+` */
};

/* False: malformed (userinfo, a `#`, byte under 0x21, 0x7f, no host ...), or a scheme but http and
 * https (TARG-15). CONNECT targets are authority-form when `connect`; then a port is required. That
 * `*` belongs to OPTIONS the caller checks. */
bool target_parse(struct span raw, bool connect, struct target *ret);

/* Decodes each %XX once, resolves dot segments, merges slashes if asked. At most `raw.len` bytes
 * are added to `out`. False, and nothing added: no leading `/`, above the root, bad `%`, a control
 * byte, decoded or not (TARG-18 to TARG-20, TARG-26), or `out` has no room (buf_ok). */
bool path_normalise(struct span raw, bool merge_slashes, struct buf *out);
/* The raw path is what path_normalise would make of it: nothing to decode, resolve or merge. */
bool path_is_normal(struct span raw, bool merge_slashes);
/* A segment of it is `.` or `..`. */
bool path_has_dots(struct span path);

/* The sets of nginx-semantics 6.2; ESCAPE_COMPONENT: all that is not unreserved (RFC 3986 2.3). */
enum escape_set { ESCAPE_URI, ESCAPE_ARGS, ESCAPE_COMPONENT };
void uri_escape(struct span s, enum escape_set set, struct buf *out);

/* A host with or without port, as in Host or an authority
 * (nginx-semantics 3.3, TARG-03 to TARG-08). */
struct host {
    struct span name;      /* as sent, without port and one trailing dot; IPv6: with brackets */
    struct span port_text; /* digits, or empty */
    uint16_t port;         /* 0: none given */
    bool literal;          /* an address in a form that address_parse_ip reads */
};
bool host_parse(struct span raw, struct host *ret);
/* For the forward face (forward-semantics 2.3, Names): letters, digits, hyphen, underscore, dots in
 * proper labels; if the last label is a number, a strict dotted quad. */
bool host_is_strict(const struct host *h);

#endif
