/* Which parts of a body a request asks for, with NGINX's arithmetic, and lists of entity tags.
 *
 *     bytes=0-99, 500-, -100
 *
 * What cannot be read is unsatisfiable (416), what lies beyond the end is left out, and what asks
 * for more than the whole gets the whole. */
#include "proto/range.h"

#include "base/cursor.h"

enum reading { PART_FOUND, PART_EMPTY, PART_BAD };

static void skip_spaces(struct cursor *c)
{
    while (cursor_eat_byte(c, ' '))
        ;
}

/* At least one digit; leading zeros are fine. */
static bool read_number(struct cursor *c, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t digits = 0;

    for (int byte; (byte = cursor_peek(c)) >= '0' && byte <= '9'; digits++) {
        unsigned digit = (unsigned)byte - '0';

        if (value > ((uint64_t)INT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
        cursor_next(c);
    }
    *ret_value = value;
    return digits > 0;
}

static bool at_end_of_part(const struct cursor *c)
{
    int byte = cursor_peek(c);

    return byte < 0 || byte == ',';
}

/* `-N`: the last N bytes. */
static enum reading read_suffix(struct cursor *c, uint64_t length, struct range_part *ret)
{
    uint64_t wanted;

    if (!read_number(c, &wanted))
        return PART_BAD;
    skip_spaces(c);
    if (!at_end_of_part(c))
        return PART_BAD;
    if (wanted == 0 || length == 0)
        return PART_EMPTY;
    *ret = (struct range_part){ wanted < length ? length - wanted : 0, length - 1 };
    return PART_FOUND;
}

/* `A-B` or `A-`. */
static enum reading read_pair(struct cursor *c, uint64_t length, struct range_part *ret)
{
    uint64_t first, last = INT64_MAX;

    if (!read_number(c, &first))
        return PART_BAD;
    skip_spaces(c);
    if (!cursor_eat_byte(c, '-'))
        return PART_BAD;
    skip_spaces(c);
    if (!at_end_of_part(c) && !read_number(c, &last))
        return PART_BAD;
    skip_spaces(c);
    if (!at_end_of_part(c))
        return PART_BAD;
    if (first >= length || first > last)
        return PART_EMPTY;
    *ret = (struct range_part){ first, last < length ? last : length - 1 };
    return PART_FOUND;
}

static enum reading read_part(struct cursor *c, uint64_t length, struct range_part *ret)
{
    skip_spaces(c);
    return cursor_eat_byte(c, '-') ? read_suffix(c, length, ret) : read_pair(c, length, ret);
}

static enum range read_parts(struct cursor c, uint64_t length, struct range_part *ret,
                             unsigned most, unsigned *ret_count)
{
    struct range_part part;
    uint64_t left = length;
    unsigned count = 0;
    bool whole = false;

    do {
        enum reading reading = read_part(&c, length, &part);

        if (reading == PART_BAD)
            return RANGE_UNSATISFIABLE;
        if (reading == PART_EMPTY)
            continue;
        if (count == most)
            return RANGE_WHOLE;
        uint64_t size = part.last - part.first + 1;
        whole = whole || size > left; /* a syntax error further on still counts */
        left -= size > left ? left : size;
        ret[count++] = part;
    } while (cursor_eat_byte(&c, ','));

    if (whole)
        return RANGE_WHOLE;
    *ret_count = count;
    return count > 0 ? RANGE_PARTS : RANGE_UNSATISFIABLE;
}

enum range range_parse(struct span value, uint64_t length, struct range_part *ret, unsigned most,
                       unsigned *ret_count)
{
    static const char unit[] = "bytes=";
    struct span parts = span_from(value, sizeof(unit) - 1);
    unsigned count = 0;

    if (!span_starts_caseless(value, unit) || parts.len == 0 || length == 0 || most == 0)
        return RANGE_WHOLE;
    enum range range = read_parts(cursor_of(parts), length, ret, most, &count);
    if (range == RANGE_PARTS)
        *ret_count = count;
    return range;
}

/* Without `W/`. True: it was weak. */
static bool cut_weak(struct span *tag)
{
    bool weak = span_starts(*tag, "W/");

    if (weak)
        *tag = span_from(*tag, 2);
    return weak;
}

/* One entity tag: `"a,b"`, `W/"a"`; or, as some clients send them, a bare word. */
static struct span next_tag(struct cursor *c)
{
    const struct span start = cursor_rest(c);
    struct span word;

    cursor_eat(c, "W/");
    if (cursor_eat_byte(c, '"') && cursor_until(c, '"', &word))
        return span_first(start, start.len - cursor_left(c));
    size_t end = span_find(start, ',');
    *c = cursor_of(span_from(start, end));
    return span_trim(span_first(start, end));
}

bool etag_list_has(struct span list, struct span etag, bool weak)
{
    struct cursor c = cursor_of(span_trim(list));
    bool is_weak = cut_weak(&etag);

    if (span_is(cursor_rest(&c), "*"))
        return true;
    if (etag.len == 0 || (is_weak && !weak))
        return false;
    while (cursor_left(&c) > 0) {
        if (cursor_eat_byte(&c, ',') || cursor_eat_byte(&c, ' ') || cursor_eat_byte(&c, '\t'))
            continue;
        struct span tag = next_tag(&c);
        bool tag_weak = cut_weak(&tag);

        if (span_same(tag, etag) && (weak || !tag_weak))
            return true;
    }
    return false;
}
