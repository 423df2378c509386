/* The two texts by which a system says how names are found: /etc/hosts, and resolv.conf.
 *
 *     192.0.2.1   name.example name   # an address and its names
 *     nameserver  192.0.2.53
 *
 * Owns the table that it makes of the first. */
#include "net/dns_hosts.h"

#include "base/address.h"
#include "net/dns.h"
#include "net/dns_wire.h"

#include <errno.h>
#include <stdlib.h>

struct host {
    struct address address;
    struct span name; /* in the table's text */
};

/* --- lines and words ------------------------------------------------------------------------ */

/* The next line, without its end and comment. False: no more. */
static bool next_line(struct span *text, struct span *ret_line)
{
    struct span line;

    if (text->len == 0)
        return false;
    line = span_first(*text, span_find(*text, '\n'));
    *text = span_from(*text, line.len + 1);
    span_chop(&line, '\r');
    line = span_first(line, span_find(line, '#'));
    *ret_line = line;
    return true;
}

static bool next_word(struct span *line, struct span *ret_word)
{
    struct span rest = span_trim(*line);
    size_t len = 0;

    while (len < rest.len && rest.at[len] != ' ' && rest.at[len] != '\t')
        len++;
    *ret_word = span_first(rest, len);
    *line = span_from(rest, len);
    return len > 0;
}

/* --- hosts ---------------------------------------------------------------------------------- */

static int add_row(struct hosts *h, const struct address *a, struct span name)
{
    enum { FIRST_ROOM = 64 };

    if (h->count >= HOSTS_MOST_ROWS)
        return 0;
    if (h->count == 0 || (h->count >= FIRST_ROOM && (h->count & (h->count - 1)) == 0)) {
        size_t room = h->count == 0 ? FIRST_ROOM : h->count * 2;
        struct host *rows = reallocarray(h->rows, room, sizeof(*rows));

        if (rows == NULL)
            return -ENOMEM;
        h->rows = rows;
    }
    h->rows[h->count++] = (struct host){ .address = *a, .name = name };
    return 0;
}

static int add_line(struct hosts *h, struct span line)
{
    struct span word;
    struct address a;
    struct dns_name name;
    int error = 0;

    if (!next_word(&line, &word) || !address_parse_ip(word, &a))
        return 0;
    while (error == 0 && next_word(&line, &word))
        if (dns_name_read(word, &name))
            error = add_row(h, &a, span_first(word, name.len));
    return error;
}

static int by_name(struct span a, struct span b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return memcmp(a.at, b.at, a.len);
}

static int by_name_and_place(const void *left, const void *right)
{
    const struct host *a = left, *b = right;
    int order = by_name(a->name, b->name);

    if (order != 0)
        return order;
    return a->name.at < b->name.at ? -1 : a->name.at > b->name.at;
}

static bool copy_lower(struct hosts *h, struct span text)
{
    h->text = malloc(text.len + 1);
    if (h->text == NULL)
        return false;
    for (size_t i = 0; i < text.len; i++)
        h->text[i] = ascii_lower(text.at[i]);
    return true;
}

int hosts_init(struct hosts *h, struct span text)
{
    struct hosts made = { 0 };
    struct span line, rest;
    int error = copy_lower(&made, text) ? 0 : -ENOMEM;

    rest = (struct span){ made.text, text.len };
    while (error == 0 && next_line(&rest, &line))
        error = add_line(&made, line);
    if (error < 0) {
        hosts_done(&made);
        return error;
    }
    if (made.count > 0)
        qsort(made.rows, made.count, sizeof(*made.rows), by_name_and_place);
    *h = made;
    return 0;
}

void hosts_done(struct hosts *h)
{
    free(h->text);
    free(h->rows);
    *h = (struct hosts){ 0 };
}

unsigned hosts_find(const struct hosts *h, const struct dns_name *name, uint16_t family,
                    unsigned max, struct address *ret)
{
    struct span wanted = dns_name_span(name);
    size_t low = 0, high = h->count;
    unsigned found = 0;

    while (low < high) { /* the first row that is not before the name */
        size_t middle = low + (high - low) / 2;

        if (by_name(h->rows[middle].name, wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < h->count && span_same(h->rows[low].name, wanted) && found < max; low++)
        if (h->rows[low].address.family == family)
            ret[found++] = h->rows[low].address;
    return found;
}

/* --- resolv.conf ---------------------------------------------------------------------------- */

unsigned resolv_conf_servers(struct span text, struct address *ret)
{
    enum { DNS_PORT = 53 };
    unsigned count = 0;
    struct span line, word;

    while (count < RESOLVER_MOST_SERVERS && next_line(&text, &line)) {
        line = span_first(line, span_find(line, ';'));
        if (!next_word(&line, &word) || !span_is(word, "nameserver") || !next_word(&line, &word))
            continue;
        if (address_parse_ip(word, &ret[count]))
            ret[count++].port = DNS_PORT;
    }
    return count;
}
