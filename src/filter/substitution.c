/* Horspool's search for a set of texts. As many bytes as the shortest text has are looked at
 * together; the last of them says how far the next place is where a text could begin:
 *
 *     texts: abc, xbcd     . . z . .     no text has z in its first three bytes: go on by 3
 *                          |___|         one that has it as its second: by 1
 */
#include "filter/substitution.h"

void substitution_init(struct substitution *s, struct wanted_text *texts, size_t count)
{
    *s = (struct substitution){ .texts = texts, .count = count, .shortest = SUBSTITUTION_LONGEST };
    for (size_t i = 0; i < count; i++)
        if (texts[i].text.len < s->shortest)
            s->shortest = texts[i].text.len;
    memset(s->skip, s->shortest < 255 ? (int)s->shortest : 255, sizeof(s->skip));
    for (size_t i = 0; i < count; i++)
        for (size_t n = 0; n < s->shortest; n++) {
            unsigned char c = (unsigned char)texts[i].text.at[n];
            size_t distance = s->shortest - 1 - n;

            if (distance < s->skip[c])
                s->skip[c] = (uint8_t)distance;
        }
}

enum { COMPARED_AT_ONCE = 256 << 10 };

/* How many bytes at the start are the same. */
static size_t same_in_lower_case(const char *lower, const char *bytes, size_t len)
{
    size_t same = 0;

    while (same < len && lower[same] == ascii_lower(bytes[same]))
        same++;
    return same;
}

enum meeting { IS_NOT, IS, MAY_BE };

/* What begins with `bytes`. IS, MAY_BE: *ret_which; an earlier text that may still come goes before
 * a later one that is there. */
static enum meeting meet(const struct substitution *s, struct span bytes, bool last,
                         size_t *compared, size_t *ret_which)
{
    for (size_t i = 0; i < s->count; i++) {
        struct span text = s->texts[i].text;
        bool whole = text.len <= bytes.len;
        size_t len = whole ? text.len : bytes.len;

        if (s->texts[i].done || (last && !whole))
            continue;
        size_t same = same_in_lower_case(text.at, bytes.at, len);
        *compared += same + 1;
        if (same < len)
            continue;
        *ret_which = i;
        return whole ? IS : MAY_BE;
    }
    return IS_NOT;
}

enum substitution_found substitution_find(const struct substitution *s, struct span bytes,
                                          bool last, size_t *ret_at, size_t *ret_which)
{
    size_t at = 0, compared = 0;

    while (at < bytes.len) {
        size_t end = at + s->shortest - 1;
        size_t skip = end < bytes.len ? s->skip[(unsigned char)ascii_lower(bytes.at[end])] : 0;

        if (skip > 0) {
            at += skip;
            continue;
        }
        *ret_at = at;
        if (compared >= COMPARED_AT_ONCE)
            return SUBSTITUTION_TIRED;
        enum meeting meeting = meet(s, span_from(bytes, at), last, &compared, ret_which);
        if (meeting != IS_NOT)
            return meeting == IS ? SUBSTITUTION_FOUND : SUBSTITUTION_NONE;
        at++;
    }
    *ret_at = bytes.len;
    return SUBSTITUTION_NONE;
}
