/* The words of `bifrons explain ... URL`, and the request that they stand for.
 *
 *     explain http://a.example/x            GET /x          Host: a.example
 *     forward explain http://a.example/x    GET http://a.example/x
 *     forward explain a.example:443         CONNECT a.example:443 (so does https://a.example/)
 */
#include "base/address.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/span.h"
#include "proto/fields.h"
#include "proto/uri.h"
#include "run/explain.h"
#include "run/options.h"

#include <stdio.h>

enum { LONGEST_HEADERS = 1 << 20 };

static const char usage[] =
    "Usage: bifrons explain [-c FILE] [-p PREFIX] [-g DIRECTIVES] [--client ADDRESS]\n"
    "                       [--method METHOD] [--header 'NAME: VALUE']... [--to ADDRESS] [--json]\n"
    "                       URL\n"
    "       bifrons forward explain ... [--address ADDRESS | --resolve] URL | HOST:PORT\n"
    "\n"
    "Says what would become of a request, and which line of the configuration decides it. Nothing\n"
    "is sent, bound or written; --resolve alone asks name servers.\n"
    "\n"
    "  --client ADDRESS     who asks (default: 127.0.0.1)\n"
    "  --method METHOD      default: GET; of HOST:PORT CONNECT\n"
    "  --header 'N: V'      a field of the request; may be repeated\n"
    "  --to ADDRESS         the address and port that the client connects to\n"
    "  --address ADDRESS    forward: the address that the destination has\n"
    "  --resolve            forward: ask for it\n"
    "  --json               one JSON document instead of a table\n";

bool explain_knows(int argc, char **argv)
{
    return (argc > 1 && strcmp(argv[1], "explain") == 0) ||
           (argc > 2 && strcmp(argv[1], "forward") == 0 && strcmp(argv[2], "explain") == 0);
}

static bool complain(const char *format, const char *word)
{
    fputs("bifrons: explain: ", stderr);
    fprintf(stderr, format, word);
    fputc('\n', stderr);
    return false;
}

/* Nothing in a word may end a line of the head. */
static bool is_one_line(const char *word, bool spaces)
{
    for (const char *p = word; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f || (*p == ' ' && !spaces))
            return false;
    return *word != '\0';
}

/* --- options -------------------------------------------------------------------------------- */

static bool set_method(struct question *q, const char *value)
{
    q->method = span_of(value);
    return is_token(q->method) || complain("\"%s\" is no method", value);
}

static bool set_header(struct question *q, const char *value)
{
    struct span name, rest;

    if (!is_one_line(value, true) || !span_cut(span_of(value), ':', &name, &rest) ||
        !is_token(name))
        return complain("--header \"%s\": \"NAME: VALUE\" was expected", value);
    buf_adds(&q->headers, value);
    buf_adds(&q->headers, "\r\n");
    return buf_ok(&q->headers) || complain("%s", "too many headers");
}

static bool set_client(struct question *q, const char *value)
{
    return address_parse_ip(span_of(value), &q->client) ||
           complain("--client \"%s\" is no address", value);
}

static bool set_to(struct question *q, const char *value)
{
    return address_parse(span_of(value), q->way.forward ? 3128 : 80, &q->to) ||
           complain("--to \"%s\" is no address", value);
}

static bool set_address(struct question *q, const char *value)
{
    return address_parse_ip(span_of(value), &q->address) ||
           complain("--address \"%s\" is no address", value);
}

static bool set_user(struct question *q, const char *value)
{
    (void)q;
    return complain("--user \"%s\": users are known, not supported yet", value);
}

static bool set_json(struct question *q, const char *value)
{
    (void)value;
    q->wish.json = true;
    return true;
}

static bool set_resolve(struct question *q, const char *value)
{
    (void)value;
    q->wish.resolve = true;
    return true;
}

static const struct {
    const char *name;
    bool (*set)(struct question *q, const char *value);
    bool has_value, forward_only;
} known[] = {
    { "--method", set_method, true, false },   { "--header", set_header, true, false },
    { "--client", set_client, true, false },   { "--to", set_to, true, false },
    { "--json", set_json, false, false },      { "--address", set_address, true, true },
    { "--resolve", set_resolve, false, true }, { "--user", set_user, true, true },
};

/* `ret_used`: how many arguments it took. */
static bool read_option(struct question *q, int left, char **argv, int *ret_used)
{
    size_t k = 0;

    while (k < COUNT(known) && strcmp(known[k].name, argv[0]) != 0)
        k++;
    if (k == COUNT(known) || (known[k].forward_only && !q->way.forward))
        return complain("invalid option: \"%s\"", argv[0]);
    if (known[k].has_value && left < 2)
        return complain("option \"%s\" requires a value", argv[0]);
    *ret_used = 1 + known[k].has_value;
    return known[k].set(q, known[k].has_value ? argv[1] : NULL);
}

/* `-cFILE`, `-c FILE`: those of the program that say what is read. */
static bool read_flag(struct question *q, int left, char **argv, int *ret_used)
{
    if (strchr("cpg", argv[0][1]) == NULL || argv[0][1] == '\0')
        return complain("invalid option: \"%s\"", argv[0]);
    return options_word(&q->options, argv[0] + 1, left > 1 ? argv[1] : NULL, ret_used);
}

/* --- the URL -------------------------------------------------------------------------------- */

static struct span joined(struct arena *arena, struct span a, struct span b)
{
    char *text = arena_alloc(arena, a.len + b.len);

    memcpy(text, a.at, a.len);
    memcpy(text + a.len, b.at, b.len);
    return (struct span){ text, a.len + b.len };
}

static bool take_scheme(struct question *q, struct span *rest)
{
    struct span scheme = { "http", 4 };

    for (size_t i = 0; i + 3 <= rest->len; i++)
        if (span_starts(span_from(*rest, i), "://")) {
            scheme = span_first(*rest, i);
            *rest = span_from(*rest, i + 3);
            break;
        }
    q->way.secure = span_is_caseless(scheme, "https");
    return q->way.secure || span_is_caseless(scheme, "http") ||
           complain("\"%s\": only http and https are explained", q->url.at);
}

/* A proxy is asked for a tunnel by whoever wants https. */
static void ask_for_tunnel(struct question *q, struct arena *arena)
{
    if (q->method.len == 0)
        q->method = span_of("CONNECT");
    q->target = q->port == 0 ? joined(arena, q->authority, span_of(":443")) : q->authority;
    q->authority = q->target;
    q->way.secure = false; /* the proxy itself is asked in the open */
}

static void take_port(struct question *q)
{
    struct host host;

    q->host = q->authority;
    if (host_parse(q->authority, &host)) { /* else the parser of requests says what is wrong */
        q->host = host.name;
        q->port = host.port;
    }
}

static bool take_url(struct question *q, struct arena *arena)
{
    struct span all = span_first(q->url, span_find(q->url, '#')), rest = all;
    size_t slash, mark, end;

    if (!is_one_line(q->url.at, false))
        return complain("\"%s\": spaces and control bytes stand in a URL as %%20 and the like",
                        q->url.at);
    if (!take_scheme(q, &rest))
        return false;
    slash = span_find(rest, '/');
    mark = span_find(rest, '?');
    end = slash < mark ? slash : mark;
    q->authority = span_first(rest, end);
    take_port(q);
    if (q->authority.len == 0)
        return complain("\"%s\" names no host", q->url.at);
    bool bare = rest.at == all.at && end == rest.len && q->port != 0;
    if (q->way.forward && (q->way.secure || bare || span_is(q->method, "CONNECT"))) {
        ask_for_tunnel(q, arena);
        return true;
    }
    q->target = span_from(rest, end);
    if (q->target.len == 0 || q->target.at[0] != '/')
        q->target = joined(arena, span_of("/"), q->target);
    if (q->way.forward)
        q->target = joined(arena, span_of("http://"), joined(arena, q->authority, q->target));
    return true;
}

/* --- together ------------------------------------------------------------------------------- */

static bool read_words(struct question *q, int argc, char **argv)
{
    for (int i = 0; i < argc;) {
        int used = 1;

        if (span_starts(span_of(argv[i]), "--")) {
            if (!read_option(q, argc - i, argv + i, &used))
                return false;
        } else if (argv[i][0] == '-') {
            if (!read_flag(q, argc - i, argv + i, &used))
                return false;
        } else if (q->url.at != NULL) {
            return complain("one URL is explained at a time: \"%s\"", argv[i]);
        } else {
            q->url = span_of(argv[i]);
        }
        i += used;
    }
    return true;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0)
            return true;
    return argc == 0;
}

bool question_read(int argc, char **argv, struct arena *arena, struct question *ret)
{
    struct question q = { .options = { .task = TASK_RUN, .arena = arena } };
    int skip = strcmp(argv[1], "forward") == 0 ? 3 : 2;

    q.way.forward = skip == 3;
    address_parse_ip(span_of("127.0.0.1"), &q.client);
    buf_init(&q.headers, LONGEST_HEADERS, NULL);
    *ret = q;
    if (wants_help(argc - skip, argv + skip)) {
        fputs(usage, stderr);
        return false;
    }
    if (!read_words(ret, argc - skip, argv + skip))
        return false;
    if (ret->url.at == NULL)
        return complain("%s", "a URL is missing; see bifrons explain -h");
    if (!take_url(ret, arena))
        return false;
    if (ret->method.len == 0)
        ret->method = span_of("GET");
    return true;
}

void question_done(struct question *q)
{
    buf_done(&q->headers);
}

static bool has_host(struct span headers)
{
    struct span line, name, value;

    while (span_cut(headers, '\n', &line, &headers))
        if (span_cut(line, ':', &name, &value) && span_is_caseless(name, "Host"))
            return true;
    return false;
}

void question_write_head(const struct question *q, struct buf *out)
{
    buf_add(out, q->method);
    buf_add_byte(out, ' ');
    buf_add(out, q->target);
    buf_adds(out, " HTTP/1.1\r\n");
    if (!has_host(buf_view(&q->headers))) {
        buf_adds(out, "Host: ");
        buf_add(out, q->authority);
        buf_adds(out, "\r\n");
    }
    buf_add(out, buf_view(&q->headers));
    buf_adds(out, "\r\n");
}
