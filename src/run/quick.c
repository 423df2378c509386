/* Quick commands: a few words stand for a whole configuration, which is then built like any
 * other. */
#include "base/cidr.h"
#include "run/options.h"

#include <stdio.h>

static const char from_to[] = "reverse-proxy";
static const char forward[] = "forward-proxy";

bool quick_knows(const char *command)
{
    return strcmp(command, from_to) == 0 || strcmp(command, forward) == 0;
}

struct words { /* of a quick command, by option */
    const char *from, *to, *listen, *allow, *error_log;
};

static const struct {
    const char *command, *option;
    size_t field;
} known[] = {
    { from_to, "--from", offsetof(struct words, from) },
    { from_to, "--to", offsetof(struct words, to) },
    { forward, "--listen", offsetof(struct words, listen) },
    { forward, "--allow", offsetof(struct words, allow) },
    { NULL, "-e", offsetof(struct words, error_log) },
};

static bool read_words(int argc, char **argv, struct words *ret)
{
    for (int i = 2; i < argc; i += 2) {
        size_t k = 0;

        while (k < COUNT(known) &&
               !(strcmp(known[k].option, argv[i]) == 0 &&
                 (known[k].command == NULL || strcmp(known[k].command, argv[1]) == 0)))
            k++;
        if (k == COUNT(known)) {
            bool later = strcmp(argv[i], "--deny-list") == 0;

            fprintf(stderr,
                    later ? "bifrons: \"%s\" is known, not supported yet\n"
                          : "bifrons: invalid option: \"%s\"\n",
                    argv[i]);
            return false;
        }
        if (i + 1 >= argc) {
            fprintf(stderr, "bifrons: option \"%s\" requires a value\n", argv[i]);
            return false;
        }
        *(const char **)((char *)ret + known[k].field) = argv[i + 1];
    }
    return true;
}

/* A word becomes part of a configuration: nothing in it may end a token. */
static bool is_plain(const char *option, const char *word)
{
    for (const char *p = word; *p != '\0'; p++)
        if (strchr(" \t\r\n;{}'\"\\$#", *p) != NULL) {
            fprintf(stderr, "bifrons: invalid value \"%s\" of \"%s\"\n", word, option);
            return false;
        }
    return *word != '\0';
}

/* `:8080` means every address. */
static void add_listen(struct buf *out, const char *address)
{
    buf_adds(out, address[0] == ':' ? "*" : "");
    buf_adds(out, address);
}

static bool write_reverse(const struct words *w, struct buf *out)
{
    const char *to;

    if (w->from == NULL || w->to == NULL) {
        fputs("bifrons: reverse-proxy needs --from ADDRESS and --to ADDRESS\n", stderr);
        return false;
    }
    if (!is_plain("--from", w->from) || !is_plain("--to", w->to))
        return false;
    to = strncmp(w->to, "http://", 7) == 0 ? w->to + 7 : w->to;
    if (span_starts(span_from(span_of(to), span_find(span_of(to), ':')), "://")) {
        fprintf(stderr,
                "bifrons: reverse-proxy: \"%s\" is not supported: --to takes HOST:PORT or "
                "http://HOST:PORT\n",
                w->to);
        return false;
    }
    buf_adds(out, "access_log off;\nclient_body_temp_path /tmp;\nclient_max_body_size 0;\n"
                  "server {\n    listen ");
    add_listen(out, w->from);
    buf_adds(out, ";\n    location / {\n        proxy_pass http://");
    if (to[0] == ':')
        buf_adds(out, "127.0.0.1");
    buf_adds(out, to);
    buf_adds(out, ";\n"
                  "        proxy_set_header Host $http_host;\n"
                  "        proxy_set_header X-Real-IP $remote_addr;\n"
                  "        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n"
                  "        proxy_set_header X-Forwarded-Host $http_host;\n"
                  "        proxy_set_header X-Forwarded-Proto $scheme;\n"
                  "    }\n}\n");
    return true;
}

static bool is_loopback(const char *listen)
{
    struct address a;
    struct cidr loopback;

    if (!address_parse(span_of(listen), 80, &a) &&
        !address_parse_ip(span_first(span_of(listen), span_find(span_of(listen), ':')), &a))
        return false;
    return (cidr_parse(span_of("127.0.0.0/8"), &loopback) && cidr_has(&loopback, &a)) ||
           (cidr_parse(span_of("::1"), &loopback) && cidr_has(&loopback, &a));
}

static bool write_forward(const struct words *w, struct buf *out)
{
    const char *listen = w->listen ? w->listen : "127.0.0.1:3128";
    const char *allow = w->allow ? w->allow : "127.0.0.0/8 ::1";
    struct cidr net;

    if (!is_plain("--listen", listen))
        return false;
    if (w->allow == NULL && !is_loopback(listen)) {
        fputs("bifrons: forward-proxy: --listen beyond this machine needs --allow NETWORK\n",
              stderr);
        return false;
    }
    if (w->allow != NULL && !cidr_parse(span_of(w->allow), &net)) {
        fprintf(stderr, "bifrons: \"%s\" is neither an address nor a network\n", w->allow);
        return false;
    }
    buf_adds(out, "access_log off;\nclient_body_temp_path /tmp;\n"
                  "forward {\n    tunnel_peek off;\n    listen ");
    add_listen(out, listen);
    buf_adds(out, ";\n    rule allow if client ");
    buf_adds(out, allow);
    buf_adds(out, ";\n}\n");
    return true;
}

bool quick_read(int argc, char **argv, struct options *o)
{
    struct words words = { 0 };
    struct buf text;

    if (!read_words(argc, argv, &words))
        return false;
    buf_init(&text, 64 * 1024, NULL);
    bool good =
        strcmp(argv[1], from_to) == 0 ? write_reverse(&words, &text) : write_forward(&words, &text);
    if (good) {
        o->quick = true;
        o->text = arena_copy(o->arena, buf_view(&text));
        o->file = span_of(argv[1]);
        o->error_log = span_of(words.error_log ? words.error_log : "stderr");
    }
    buf_done(&text);
    return good;
}
