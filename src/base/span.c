/* Questions about bytes that somebody else owns. Owns nothing. */
#include "base/span.h"

bool span_same_caseless(struct span a, struct span b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower(a.at[i]) != ascii_lower(b.at[i]))
            return false;
    return true;
}

bool span_is_caseless(struct span s, const char *text)
{
    return span_same_caseless(s, span_of(text));
}

bool span_starts(struct span s, const char *text)
{
    size_t len = strlen(text);

    return s.len >= len && span_same(span_first(s, len), (struct span){ text, len });
}

bool span_starts_caseless(struct span s, const char *text)
{
    size_t len = strlen(text);

    return s.len >= len && span_same_caseless(span_first(s, len), (struct span){ text, len });
}

bool span_ends(struct span s, const char *text)
{
    size_t len = strlen(text);

    return s.len >= len && span_same(span_from(s, s.len - len), (struct span){ text, len });
}

bool span_agrees(struct span s, const char *text)
{
    struct span other = span_of(text);
    size_t len = s.len < other.len ? s.len : other.len;

    return span_same(span_first(s, len), span_first(other, len));
}

bool span_chop(struct span *s, char last)
{
    if (s->len == 0 || s->at[s->len - 1] != last)
        return false;
    s->len--;
    return true;
}

size_t span_find(struct span s, char c)
{
    const char *found = s.len > 0 ? memchr(s.at, c, s.len) : NULL;

    return found ? (size_t)(found - s.at) : s.len;
}

bool span_cut(struct span s, char c, struct span *ret_head, struct span *ret_tail)
{
    size_t at = span_find(s, c);

    if (at == s.len)
        return false;
    *ret_head = span_first(s, at);
    *ret_tail = span_from(s, at + 1);
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct span span_trim(struct span s)
{
    while (s.len > 0 && is_blank(s.at[0]))
        s = span_from(s, 1);
    while (s.len > 0 && is_blank(s.at[s.len - 1]))
        s.len--;
    return s;
}

bool span_to_cstr(struct span s, size_t size, char *ret_text)
{
    if (s.len >= size || span_find(s, '\0') != s.len)
        return false;
    if (s.len > 0)
        memcpy(ret_text, s.at, s.len);
    ret_text[s.len] = '\0';
    return true;
}

bool span_next_member(struct span *list, struct span *ret_member)
{
    while (list->len > 0) {
        size_t at = span_find(*list, ',');
        struct span member = span_trim(span_first(*list, at));

        *list = span_from(*list, at + 1);
        if (member.len > 0) {
            *ret_member = member;
            return true;
        }
    }
    return false;
}
