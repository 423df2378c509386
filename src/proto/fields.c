/* Header fields: a list in an arena, and which of them are known by name. The list is short (some
 * ten fields), so finding is walking; the arena owns the memory, whoever adds owns the bytes. */
#include "proto/fields.h"

#include "base/arena.h"
#include "base/buf.h"
#include "proto/byte_class.h"

enum { LONGEST_NAME = 25, MOST_OF_A_LENGTH = 8 };

#define FIELD_TEXT(id, text) [FIELD_##id] = SPAN(text),
static const struct span names[FIELD_IDS] = { FIELD_LIST(FIELD_TEXT) };

/* Every known name by its length: what is left to compare is told apart by the first letter. */
static const uint8_t of_length[LONGEST_NAME + 1][MOST_OF_A_LENGTH] = {
    [2] = { FIELD_TE },
    [3] = { FIELD_AGE, FIELD_VIA },
    [4] = { FIELD_HOST, FIELD_DATE, FIELD_ETAG, FIELD_FROM, FIELD_LINK, FIELD_VARY },
    [5] = { FIELD_RANGE, FIELD_ALLOW, FIELD_PROXY, FIELD_X_PAD },
    [6] = { FIELD_ACCEPT, FIELD_COOKIE, FIELD_SERVER, FIELD_EXPECT, FIELD_PRAGMA, FIELD_X_HOST },
    [7] = { FIELD_REFERER, FIELD_EXPIRES, FIELD_UPGRADE, FIELD_REFRESH, FIELD_TRAILER },
    [8] = { FIELD_LOCATION, FIELD_IF_RANGE, FIELD_IF_MATCH },
    [9] = { FIELD_FORWARDED, FIELD_X_REAL_IP, FIELD_CLIENT_IP },
    [10] = { FIELD_USER_AGENT, FIELD_CONNECTION, FIELD_SET_COOKIE, FIELD_KEEP_ALIVE,
             FIELD_X_PROXY_ID },
    [11] = { FIELD_RETRY_AFTER, FIELD_BIFRONS_HOP, FIELD_X_CLIENT_IP, FIELD_X_REMOTE_IP },
    [12] = { FIELD_CONTENT_TYPE, FIELD_MAX_FORWARDS, FIELD_PROXY_STATUS },
    [13] = { FIELD_CACHE_CONTROL, FIELD_LAST_MODIFIED, FIELD_ACCEPT_RANGES, FIELD_IF_NONE_MATCH,
             FIELD_AUTHORIZATION, FIELD_CONTENT_RANGE, FIELD_X_REMOTE_ADDR },
    [14] = { FIELD_CONTENT_LENGTH, FIELD_HTTP2_SETTINGS, FIELD_TRUE_CLIENT_IP, FIELD_X_BLUECOAT_VIA,
             FIELD_X_PROXYUSER_IP },
    [15] = { FIELD_ACCEPT_ENCODING, FIELD_X_FORWARDED_FOR, FIELD_X_ACCEL_EXPIRES,
             FIELD_X_ACCEL_CHARSET },
    [16] = { FIELD_CONTENT_ENCODING, FIELD_PROXY_CONNECTION, FIELD_WWW_AUTHENTICATE,
             FIELD_X_ACCEL_REDIRECT, FIELD_CF_CONNECTING_IP, FIELD_X_ORIGINATING_IP },
    [17] = { FIELD_TRANSFER_ENCODING, FIELD_IF_MODIFIED_SINCE, FIELD_X_ACCEL_BUFFERING,
             FIELD_SEC_WEBSOCKET_KEY },
    [18] = { FIELD_PROXY_AUTHENTICATE, FIELD_X_ACCEL_LIMIT_RATE },
    [19] = { FIELD_CONTENT_DISPOSITION, FIELD_PROXY_AUTHORIZATION, FIELD_IF_UNMODIFIED_SINCE,
             FIELD_X_CLUSTER_CLIENT_IP },
    [20] = { FIELD_SEC_WEBSOCKET_ACCEPT },
    [25] = { FIELD_PROXY_AUTHENTICATION_INFO },
};

enum field_id field_id_of(struct span name)
{
    if (name.len == 0 || name.len > LONGEST_NAME)
        return FIELD_OTHER;
    const uint8_t *id = of_length[name.len];
    char first = (char)(name.at[0] & ~0x20); /* all known names begin with a capital */

    for (; *id != FIELD_OTHER; id++)
        if (names[*id].at[0] == first &&
            (memcmp(names[*id].at, name.at, name.len) == 0 || span_same_caseless(names[*id], name)))
            return *id;
    return FIELD_OTHER;
}

struct span field_name(enum field_id id)
{
    return names[id];
}

bool is_token(struct span s)
{
    return s.len > 0 && byte_run(s, BYTE_TOKEN) == s.len;
}

bool is_field_value(struct span s)
{
    return byte_run(s, BYTE_TEXT) == s.len;
}

static bool is_hyphen(char c)
{
    return c == '-' || c == '_';
}

bool field_name_same_word(struct span a, struct span b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower(a.at[i]) != ascii_lower(b.at[i]) &&
            !(is_hyphen(a.at[i]) && is_hyphen(b.at[i])))
            return false;
    return true;
}

bool field_name_is_plain(struct span name, bool underscores)
{
    for (size_t i = 0; i < name.len; i++)
        if (!byte_is(name.at[i], BYTE_PLAIN) && !(underscores && name.at[i] == '_'))
            return false;
    return name.len > 0;
}

bool field_name_is_disguise(struct span name)
{
    return span_find(name, '_') < name.len &&
           (field_name_same_word(name, names[FIELD_CONTENT_LENGTH]) ||
            field_name_same_word(name, names[FIELD_TRANSFER_ENCODING]));
}

bool field_is_sensitive(enum field_id id)
{
    return id == FIELD_AUTHORIZATION || id == FIELD_PROXY_AUTHORIZATION || id == FIELD_COOKIE ||
           id == FIELD_SET_COOKIE;
}

void fields_init(struct fields *f, struct arena *arena, struct field *first, unsigned room)
{
    *f = (struct fields){ .at = first, .room = room, .arena = arena };
}

static void grow(struct fields *f)
{
    enum { FIRST_ROOM = 16 };
    unsigned room = f->room > 0 ? f->room * 2 : FIRST_ROOM;
    struct field *at = arena_alloc(f->arena, room * sizeof(*at));

    if (f->count > 0)
        memcpy(at, f->at, f->count * sizeof(*at));
    f->at = at;
    f->room = room;
}

struct field *fields_add(struct fields *f, struct span name, struct span value,
                         enum field_origin origin)
{
    enum field_id id = field_id_of(name);

    if (f->count == f->room)
        grow(f);
    struct field *field = &f->at[f->count++];
    *field = (struct field){
        .name = name,
        .value = value,
        .id = (uint8_t)id,
        .origin = (uint8_t)origin,
        .sensitive = field_is_sensitive(id),
    };
    return field;
}

const struct field *fields_find(const struct fields *f, enum field_id id)
{
    for (unsigned i = 0; i < f->count; i++)
        if (f->at[i].id == id)
            return &f->at[i];
    return NULL;
}

const struct field *fields_find_name(const struct fields *f, struct span name)
{
    for (unsigned i = 0; i < f->count; i++)
        if (span_same_caseless(f->at[i].name, name))
            return &f->at[i];
    return NULL;
}

void fields_keep(struct fields *f)
{
    for (unsigned i = 0; i < f->count; i++) {
        f->at[i].name = arena_copy(f->arena, f->at[i].name);
        f->at[i].value = arena_copy(f->arena, f->at[i].value);
    }
}

void fields_remove(struct fields *f, enum field_id id)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < f->count; i++)
        if (f->at[i].id != id)
            f->at[kept++] = f->at[i];
    f->count = kept;
}

void fields_remove_name(struct fields *f, struct span name)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < f->count; i++)
        if (!span_same_caseless(f->at[i].name, name))
            f->at[kept++] = f->at[i];
    f->count = kept;
}

unsigned fields_count(const struct fields *f, enum field_id id)
{
    unsigned count = 0;

    for (unsigned i = 0; i < f->count; i++)
        count += f->at[i].id == id;
    return count;
}

bool fields_list_has(const struct fields *f, enum field_id id, const char *member)
{
    for (unsigned i = 0; i < f->count; i++) {
        struct span list = f->at[i].value, word;

        while (f->at[i].id == id && span_next_member(&list, &word))
            if (span_is_caseless(word, member))
                return true;
    }
    return false;
}

void field_write(struct span name, struct span value, struct buf *out)
{
    buf_add(out, name);
    buf_add(out, (struct span){ ": ", 2 });
    buf_add(out, value);
    buf_add(out, (struct span){ "\r\n", 2 });
}
