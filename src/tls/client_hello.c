/* A ClientHello on the wire, in one record or (rarely) spread over several:
 *
 *     record 22, 3.x, length | message 1, length24 | version, random, session, suites, methods,
 *                                                   | extensions: type, length, body
 *
 * First the records are counted up without copying, so that a peer that drips bytes costs nothing;
 * only a whole message is joined and read. Owns nothing, keeps nothing. */
#include "tls/client_hello.h"

enum { RECORD_HANDSHAKE = 22, RECORD_MAJOR = 3, RECORD_MOST = 16384 };
enum { MESSAGE_CLIENT_HELLO = 1, MESSAGE_HEAD = 4 };
enum { EXTENSION_SERVER_NAME = 0, EXTENSION_ECH = 0xfe0d };
enum { RANDOM_SIZE = 32, SESSION_MOST = 32, NAME_MOST = 255 };

/* What the records so far hold of the message. */
struct gathered {
    struct span first; /* what the first record holds of it */
    size_t have;
    uint8_t head[MESSAGE_HEAD];
};

/* The next record's bytes, as far as they came. MORE: no whole header yet. */
static enum parse next_record(struct cursor *c, struct span *ret_bytes)
{
    struct cursor head = *c;
    uint8_t type = RECORD_HANDSHAKE, major = RECORD_MAJOR, minor;
    uint16_t size = 1;
    bool whole = cursor_u8(&head, &type) && cursor_u8(&head, &major) && cursor_u8(&head, &minor) &&
                 cursor_u16(&head, &size);

    if (type != RECORD_HANDSHAKE || major != RECORD_MAJOR || size == 0 || size > RECORD_MOST)
        return PARSE_BAD;
    if (!whole)
        return PARSE_MORE;

    size_t here = cursor_left(&head);
    cursor_take(&head, size < here ? size : here, ret_bytes);
    *c = head;
    return PARSE_OK;
}

static size_t message_size(const struct gathered *g)
{
    return MESSAGE_HEAD + ((size_t)g->head[1] << 16 | (size_t)g->head[2] << 8 | g->head[3]);
}

static enum parse judge_head(const struct gathered *g)
{
    if (g->have > 0 && g->head[0] != MESSAGE_CLIENT_HELLO)
        return PARSE_BAD;
    if (g->have < MESSAGE_HEAD)
        return PARSE_MORE;
    if (message_size(g) > CLIENT_HELLO_MOST)
        return PARSE_BAD;
    return g->have < message_size(g) ? PARSE_MORE : PARSE_OK;
}

/* Counts the records up to the end of the message. */
static enum parse gather(struct span in, struct gathered *ret)
{
    struct gathered g = { .have = 0 };
    struct cursor c = cursor_of(in);
    enum parse parse = PARSE_MORE;

    for (unsigned records = 0; parse == PARSE_MORE && cursor_left(&c) > 0; records++) {
        struct span bytes;

        parse = records < CLIENT_HELLO_RECORDS ? next_record(&c, &bytes) : PARSE_BAD;
        if (parse != PARSE_OK)
            return parse;
        for (size_t i = 0; i < bytes.len && g.have + i < MESSAGE_HEAD; i++)
            g.head[g.have + i] = (uint8_t)bytes.at[i];
        if (records == 0)
            g.first = bytes;
        g.have += bytes.len;
        parse = judge_head(&g);
    }
    if (parse == PARSE_OK)
        *ret = g;
    return parse;
}

/* The message in one piece; `g` says that it is whole. */
static struct span join(struct span in, const struct gathered *g, char *scratch)
{
    struct cursor c = cursor_of(in);
    size_t size = message_size(g), have = 0;
    struct span bytes;

    if (g->first.len >= size)
        return span_first(g->first, size);
    while (have < size && next_record(&c, &bytes) == PARSE_OK) {
        bytes = span_first(bytes, size - have);
        memcpy(scratch + have, bytes.at, bytes.len);
        have += bytes.len;
    }
    return (struct span){ scratch, have };
}

static bool vector8(struct cursor *c, struct span *ret)
{
    uint8_t size;

    return cursor_u8(c, &size) && cursor_take(c, size, ret);
}

static bool vector16(struct cursor *c, struct span *ret)
{
    uint16_t size;

    return cursor_u16(c, &size) && cursor_take(c, size, ret);
}

static bool name_is_sound(struct span name)
{
    if (name.len == 0 || name.len > NAME_MOST || span_is(name, "."))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.at[i] <= ' ' || name.at[i] > '~' || name.at[i] == '/')
            return false;
    return true;
}

/* A list with exactly one name of the only type there is: what OpenSSL takes, and no more. */
bool client_hello_name(struct span extension, struct span *ret_name)
{
    struct cursor c = cursor_of(extension);
    struct span list, name;

    if (!vector16(&c, &list) || cursor_left(&c) > 0)
        return false;
    c = cursor_of(list);
    if (!cursor_eat_byte(&c, 0) || !vector16(&c, &name) || cursor_left(&c) > 0 ||
        !name_is_sound(name))
        return false;
    *ret_name = name;
    return true;
}

static bool read_extensions(struct cursor c, struct client_hello *ret)
{
    while (cursor_left(&c) > 0) {
        uint16_t type;
        struct span body;

        if (!cursor_u16(&c, &type) || !vector16(&c, &body))
            return false;
        if (type == EXTENSION_ECH)
            ret->has_ech = true;
        if (type == EXTENSION_SERVER_NAME &&
            (ret->name.len > 0 || !client_hello_name(body, &ret->name)))
            return false;
    }
    return true;
}

static bool read_message(struct span message, struct client_hello *ret)
{
    struct cursor c = cursor_of(span_from(message, MESSAGE_HEAD));
    struct span part, session, suites, methods, extensions;
    uint16_t version;

    if (!cursor_u16(&c, &version) || !cursor_take(&c, RANDOM_SIZE, &part) ||
        !vector8(&c, &session) || !vector16(&c, &suites) || !vector8(&c, &methods))
        return false;
    if (session.len > SESSION_MOST || suites.len == 0 || suites.len % 2 != 0 || methods.len == 0)
        return false;
    if (cursor_left(&c) == 0)
        return true; /* legal up to TLS 1.2: no extensions at all */
    return vector16(&c, &extensions) && cursor_left(&c) == 0 &&
           read_extensions(cursor_of(extensions), ret);
}

enum parse client_hello_parse(struct span in, char *scratch, struct client_hello *ret)
{
    struct client_hello found = { .has_ech = false };
    struct gathered g;
    enum parse parse = gather(in, &g);

    if (parse != PARSE_OK)
        return parse;
    if (!read_message(join(in, &g, scratch), &found))
        return PARSE_BAD;
    *ret = found;
    return PARSE_OK;
}
