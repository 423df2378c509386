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

static bool same_in_lower_case(const char *lower, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (lower[i] != ascii_lower(bytes[i]))
            return false;
    return true;
}

enum meeting { IS_NOT, IS, MAY_BE };

/* What begins with `bytes`. IS, MAY_BE: *ret_which; an earlier text that may still come goes before
 * a later one that is there. */
static enum meeting meet(const struct substitution *s, struct span bytes, bool last,
                         size_t *ret_which)
{
    for (size_t i = 0; i < s->count; i++) {
        struct span text = s->texts[i].text;
        bool whole = text.len <= bytes.len;

        if (s->texts[i].done || (last && !whole) ||
            !same_in_lower_case(text.at, bytes.at, whole ? text.len : bytes.len))
            continue;
        *ret_which = i;
        return whole ? IS : MAY_BE;
    }
    return IS_NOT;
}

bool substitution_find(const struct substitution *s, struct span bytes, bool last, size_t *ret_at,
                       size_t *ret_which)
{
    size_t at = 0;

    while (at < bytes.len) {
        size_t end = at + s->shortest - 1;
        size_t skip = end < bytes.len ? s->skip[(unsigned char)ascii_lower(bytes.at[end])] : 0;

        if (skip > 0) {
            at += skip;
            continue;
        }
        enum meeting meeting = meet(s, span_from(bytes, at), last, ret_which);
        if (meeting != IS_NOT) {
            *ret_at = at;
            return meeting == IS;
        }
        at++;
    }
    *ret_at = bytes.len;
    return false;
}
