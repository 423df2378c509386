/* DNS messages: a question made, an answer read.
 *
 *     header | question | answer records | authority records | additional records
 *       12     1, ours    followed         SOA, for negatives  never looked at
 *
 * Names are read once, by one function, into lower case; a pointer must lead back, before the
 * labels that it continues, so every name ends. Owns nothing, keeps nothing. */
#include "net/dns_wire.h"

#include "base/buf.h"
#include "base/cursor.h"

enum {
    LONGEST_LABEL = 63,
    POINTER = 0xc0,
    MOST_POINTERS = 32, /* of one name; real ones have one or two */
    CLASS_IN = 1,
    FLAG_RESPONSE = 0x8000,
    FLAG_TRUNCATED = 0x0200,
    FLAG_RECURSE = 0x0100,
    MASK_OPCODE = 0x7800,
    MASK_CODE = 0x000f,
    CODE_NO_ERROR = 0,
    CODE_NO_NAME = 3
};

/* --- names ---------------------------------------------------------------------------------- */

/* Letters, digits, hyphen, underscore: what may stand in a header, a log, an SNI (DNS-15). */
static bool is_host_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool dns_name_read(struct span text, struct dns_name *ret)
{
    struct dns_name name = { 0 };
    size_t label = 0;

    span_chop(&text, '.');
    if (text.len == 0 || text.len > DNS_LONGEST_NAME)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = ascii_lower(text.at[i]);

        name.text[i] = c;
        label = c == '.' ? 0 : label + 1;
        if (c == '.' ? i == 0 || text.at[i - 1] == '.' : !is_host_byte(c) || label > LONGEST_LABEL)
            return false;
    }
    if (label == 0)
        return false;
    name.len = (uint8_t)text.len;
    *ret = name;
    return true;
}

/* A name as it stands in a message. */
struct wire_name {
    struct dns_name name;
    bool is_host; /* false: well formed, but with bytes that no host name has; `name` is then cut
                     short */
};

/* Adds a label. False: the name is longer than a name can be. */
static bool add_label(struct wire_name *n, struct span label)
{
    size_t dot = n->name.len > 0;

    if (n->name.len + dot + label.len > DNS_LONGEST_NAME)
        return false;
    if (dot)
        n->name.text[n->name.len++] = '.';
    for (size_t i = 0; i < label.len; i++) {
        char c = ascii_lower(label.at[i]);

        n->is_host = n->is_host && is_host_byte(c);
        n->name.text[n->name.len++] = c;
    }
    return true;
}

/* Goes to where a pointer leads: behind the header and before `limit`, where the labels read last
 * began. */
static bool jump(struct span message, size_t to, size_t *limit, struct cursor *c)
{
    struct span before;

    if (to < DNS_HEADER_SIZE || to >= *limit)
        return false;
    *limit = to;
    *c = cursor_of(message);
    return cursor_take(c, to, &before);
}

/* Reads the name at `c` and moves behind it. False: malformed. */
static bool read_name(struct span message, struct cursor *c, struct wire_name *ret)
{
    struct cursor at = *c;
    size_t limit = message.len - cursor_left(c);
    unsigned pointers = 0;
    uint8_t len = POINTER, low;

    ret->name.len = 0;
    ret->is_host = true;
    while (cursor_u8(&at, &len) && len > 0) {
        struct span label;

        if (len <= LONGEST_LABEL) {
            if (!cursor_take(&at, len, &label) || !add_label(ret, label))
                return false;
            continue;
        }
        if (len < POINTER || !cursor_u8(&at, &low) || ++pointers > MOST_POINTERS)
            return false;
        if (pointers == 1)
            *c = at;
        if (!jump(message, (size_t)(len - POINTER) << 8 | low, &limit, &at))
            return false;
    }
    if (pointers == 0)
        *c = at;
    ret->is_host = ret->is_host && ret->name.len > 0;
    return len == 0; /* the end of the message ends no name */
}

static bool same_name(const struct wire_name *n, const struct dns_name *asked)
{
    return n->is_host && span_same(dns_name_span(&n->name), dns_name_span(asked));
}

/* --- the question --------------------------------------------------------------------------- */

static void add_u16(struct buf *out, unsigned value)
{
    buf_add_byte(out, (char)(value >> 8));
    buf_add_byte(out, (char)value);
}

void dns_question_write(const struct dns_question *q, struct buf *out)
{
    struct span rest = dns_name_span(q->name);

    add_u16(out, q->id);
    add_u16(out, FLAG_RECURSE);
    add_u16(out, 1); /* one question, no records */
    for (int i = 0; i < 3; i++)
        add_u16(out, 0);
    while (rest.len > 0) {
        struct span label = span_first(rest, span_find(rest, '.'));

        buf_add_byte(out, (char)label.len);
        buf_add(out, label);
        rest = span_from(rest, label.len + 1);
    }
    buf_add_byte(out, 0);
    add_u16(out, q->type);
    add_u16(out, CLASS_IN);
}

/* --- the answer ----------------------------------------------------------------------------- */

struct head {
    uint16_t id, flags, questions, answers, authorities, additionals;
};

static bool read_head(struct cursor *c, struct head *ret)
{
    return cursor_u16(c, &ret->id) && cursor_u16(c, &ret->flags) &&
           cursor_u16(c, &ret->questions) && cursor_u16(c, &ret->answers) &&
           cursor_u16(c, &ret->authorities) && cursor_u16(c, &ret->additionals);
}

static bool is_our_question(struct span message, struct cursor *c, const struct dns_question *q)
{
    struct wire_name name;
    uint16_t type, class;

    return read_name(message, c, &name) && cursor_u16(c, &type) && cursor_u16(c, &class) &&
           same_name(&name, q->name) && type == q->type && class == CLASS_IN;
}

struct record {
    struct wire_name owner;
    uint16_t type, class;
    uint32_t seconds;
    struct cursor data; /* ends with the record */
};

static bool read_record(struct span message, struct cursor *c, struct record *ret)
{
    uint16_t size;
    struct span data;

    if (!read_name(message, c, &ret->owner) || !cursor_u16(c, &ret->type) ||
        !cursor_u16(c, &ret->class) || !cursor_u32(c, &ret->seconds) || !cursor_u16(c, &size) ||
        !cursor_take(c, size, &data))
        return false;
    if (ret->seconds > INT32_MAX)
        ret->seconds = 0; /* RFC 2181 8 */
    ret->data = cursor_of(data);
    return true;
}

/* A name within a record: pointers lead anywhere before it, its own bytes end with the record. */
static bool read_inner_name(struct span message, struct cursor *data, struct wire_name *ret)
{
    struct cursor whole = { data->at, message.at + message.len };
    size_t before = cursor_left(&whole);
    struct span taken;

    return read_name(message, &whole, ret) &&
           cursor_take(data, before - cursor_left(&whole), &taken);
}

/* Where reading an answer stands: an owner, and what it led to so far. */
struct search {
    struct span message;
    struct cursor records; /* where the answer section begins */
    const struct dns_question *question;
    struct head head;
    struct wire_name owner;
    struct dns_answer *found;
    bool has_alias;
    struct wire_name alias;
};

static bool take_address(struct search *s, const struct record *r)
{
    struct address a = { .family = s->question->type == DNS_A ? AF_INET : AF_INET6 };
    size_t size = a.family == AF_INET ? 4 : 16;
    struct cursor data = r->data;
    struct span ip;

    if (cursor_left(&data) != size || !cursor_take(&data, size, &ip))
        return false;
    memcpy(a.ip, ip.at, ip.len);
    if (s->found->count < DNS_MOST_ADDRESSES)
        s->found->addresses[s->found->count++] = a;
    return true;
}

/* False: malformed. */
static bool take_record(struct search *s, const struct record *r)
{
    bool good = true;

    if (r->class != CLASS_IN || !same_name(&r->owner, &s->owner.name))
        return true;
    if (r->type == s->question->type) {
        good = take_address(s, r);
    } else if (r->type == DNS_CNAME && !s->has_alias) {
        struct cursor data = r->data;

        good = read_inner_name(s->message, &data, &s->alias) && cursor_left(&data) == 0 &&
               s->alias.is_host;
        s->has_alias = true;
    } else {
        return true;
    }
    if (r->seconds < s->found->seconds)
        s->found->seconds = r->seconds;
    return good;
}

/* One pass over the answer section, for one owner. `ret_end`: behind it. */
static bool pass(struct search *s, struct cursor *ret_end)
{
    struct cursor c = s->records;
    struct record r;

    s->has_alias = false;
    for (unsigned i = 0; i < s->head.answers; i++) {
        if (!read_record(s->message, &c, &r))
            return s->head.flags & FLAG_TRUNCATED;
        if (!take_record(s, &r))
            return false;
    }
    *ret_end = c;
    return true;
}

/* `name` is `zone` or lies below it. */
static bool is_below(struct span name, const struct wire_name *zone)
{
    struct span end = dns_name_span(&zone->name);

    if (end.len == 0)
        return true; /* the root */
    if (!zone->is_host || name.len < end.len)
        return false;
    size_t dot = name.len - end.len;
    return span_same(span_from(name, dot), end) && (dot == 0 || name.at[dot - 1] == '.');
}

/* How long a negative holds: RFC 2308 5. False: no SOA that could say so. */
static bool read_negative(struct search *s, struct cursor c, uint32_t *ret_seconds)
{
    struct record r;

    for (unsigned i = 0; i < s->head.authorities && read_record(s->message, &c, &r); i++) {
        struct wire_name skipped;
        struct span numbers;
        uint32_t minimum;

        if (r.type != DNS_SOA || r.class != CLASS_IN ||
            !is_below(dns_name_span(&s->owner.name), &r.owner))
            continue;
        if (!read_inner_name(s->message, &r.data, &skipped) ||
            !read_inner_name(s->message, &r.data, &skipped) ||
            !cursor_take(&r.data, 16, &numbers) || !cursor_u32(&r.data, &minimum))
            return false;
        *ret_seconds = minimum < r.seconds ? minimum : r.seconds;
        return true;
    }
    return false;
}

static enum dns_reply conclude(struct search *s, struct cursor end)
{
    struct dns_answer *found = s->found;
    uint32_t seconds = 0;

    if (found->count > 0)
        return DNS_ADDRESSES;
    if (s->head.flags & FLAG_TRUNCATED)
        return DNS_BROKEN;
    bool has_soa = read_negative(s, end, &seconds);
    bool no_name = (s->head.flags & MASK_CODE) == CODE_NO_NAME;
    if (found->aliases > 0 && !no_name && !has_soa) {
        found->alias = s->owner.name;
        return DNS_ALIAS;
    }
    if (seconds < found->seconds)
        found->seconds = seconds;
    return no_name ? DNS_NO_NAME : DNS_NO_DATA;
}

static enum dns_reply search(struct search *s)
{
    struct cursor end = s->records;

    for (;;) {
        if (!pass(s, &end))
            return DNS_BROKEN;
        if (s->found->count > 0 || !s->has_alias)
            return conclude(s, end);
        if (++s->found->aliases > s->question->aliases_left)
            return DNS_BROKEN; /* a loop, or as good as one (DNS-07) */
        s->owner = s->alias;
    }
}

enum dns_reply dns_answer_read(struct span message, const struct dns_question *q,
                               struct dns_answer *ret)
{
    struct search s = {
        .message = message, .records = cursor_of(message), .question = q, .found = ret
    };

    if (!read_head(&s.records, &s.head))
        return DNS_UNABLE;
    if (s.head.id != q->id || !(s.head.flags & FLAG_RESPONSE) || (s.head.flags & MASK_OPCODE) != 0)
        return DNS_FOREIGN;
    unsigned code = s.head.flags & MASK_CODE;
    if (s.head.questions == 0 && code != CODE_NO_ERROR && code != CODE_NO_NAME)
        return DNS_UNABLE; /* FORMERR comes without the question that was not understood */
    if (s.head.questions != 1 || !is_our_question(message, &s.records, q))
        return DNS_FOREIGN;
    if (code != CODE_NO_ERROR && code != CODE_NO_NAME)
        return DNS_UNABLE;
    ret->count = ret->aliases = 0;
    ret->truncated = s.head.flags & FLAG_TRUNCATED;
    ret->seconds = UINT32_MAX;
    s.owner = (struct wire_name){ .name = *q->name, .is_host = true };
    return search(&s);
}
