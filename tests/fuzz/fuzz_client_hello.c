/* The ClientHello parser: never leaves its input, says the same of a hello however it is cut into
 * records, and what it finds is what it promises. */
#include "tls/client_hello.h"

#include <stdlib.h>

enum { LONGEST = 4096 };

static void must(bool held)
{
    if (!held)
        abort();
}

static void check_name(struct span name)
{
    must(name.len <= 255);
    for (size_t i = 0; i < name.len; i++)
        must(name.at[i] > ' ' && name.at[i] <= '~' && name.at[i] != '/');
}

/* The message of one whole record, in two. */
static void check_cut(struct span in, const struct client_hello *whole, char *scratch)
{
    static char cut[LONGEST + 10];
    size_t body = (size_t)(uint8_t)in.at[3] << 8 | (uint8_t)in.at[4], first = body / 3 + 1;
    struct client_hello again;

    if (in.len > LONGEST || body + 5 > in.len || first >= body)
        return;
    memcpy(cut, in.at, 5 + first);
    cut[3] = (char)(first >> 8);
    cut[4] = (char)first;
    memcpy(cut + 5 + first, in.at, 3);
    cut[5 + first + 3] = (char)((body - first) >> 8);
    cut[5 + first + 4] = (char)(body - first);
    memcpy(cut + 10 + first, in.at + 5 + first, body - first);
    must(client_hello_parse((struct span){ cut, body + 10 }, scratch, &again) == PARSE_OK);
    must(span_same(again.name, whole->name) && again.has_ech == whole->has_ech);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char scratch[CLIENT_HELLO_MOST], other[CLIENT_HELLO_MOST];
    struct span in = { (const char *)data, size };
    struct client_hello hello = { .has_ech = false };
    struct span name = { NULL, 0 };
    enum parse parse = client_hello_parse(in, scratch, &hello);

    if (client_hello_name(in, &name))
        check_name(name);
    if (parse != PARSE_OK)
        return 0;
    check_name(hello.name);
    if (size > 5 && hello.name.at != NULL && hello.name.at > in.at &&
        hello.name.at < in.at + in.len)
        check_cut(in, &hello, other);
    /* a prefix of a good hello is never bad */
    must(client_hello_parse(span_first(in, size / 2), other, &hello) != PARSE_BAD);
    return 0;
}
