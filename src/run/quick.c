/* Quick commands: a few words stand for a whole configuration, which is then built like any other.
 * `--print` shows it. */
#include "run/quick.h"

#include "base/address.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/cidr.h"
#include "base/span.h"
#include "run/options.h"

#include <stdio.h>
#include <stdlib.h>

enum { LONGEST_TEXT = 64 << 20 };

static const char from_to[] = "reverse-proxy";
static const char forward[] = "forward-proxy";
static const char files[] = "file-server";

struct words { /* of a quick command, by option */
    const char *from, *to, *listen, *allow, *deny_list, *root, *error_log;
    const char *print, *help; /* not NULL: given */
};

static const struct {
    const char *command, *option;
    size_t field;
    bool has_value;
} known[] = {
    { from_to, "--from", offsetof(struct words, from), true },
    { from_to, "--to", offsetof(struct words, to), true },
    { forward, "--listen", offsetof(struct words, listen), true },
    { forward, "--allow", offsetof(struct words, allow), true },
    { forward, "--deny-list", offsetof(struct words, deny_list), true },
    { files, "--root", offsetof(struct words, root), true },
    { files, "--listen", offsetof(struct words, listen), true },
    { NULL, "-e", offsetof(struct words, error_log), true },
    { NULL, "--print", offsetof(struct words, print), false },
    { NULL, "-h", offsetof(struct words, help), false },
    { NULL, "--help", offsetof(struct words, help), false },
};

/* --- reading the words ---------------------------------------------------------------------- */

/* COUNT(known): there is none. */
static size_t find_option(const char *command, const char *option)
{
    size_t k = 0;

    while (k < COUNT(known) &&
           !(strcmp(known[k].option, option) == 0 &&
             (known[k].command == NULL || strcmp(known[k].command, command) == 0)))
        k++;
    return k;
}

static bool complain(const char *format, const char *word)
{
    fputs("bifrons: ", stderr);
    fprintf(stderr, format, word);
    fputc('\n', stderr);
    return false;
}

static bool read_words(int argc, char **argv, struct words *ret)
{
    for (int i = 2; i < argc; i++) {
        const char *option = argv[i];
        size_t k = find_option(argv[1], option);

        if (k == COUNT(known))
            return complain(strcmp(option, "--browse") == 0 ? "\"%s\" is known, not supported yet"
                                                            : "invalid option: \"%s\"",
                            option);
        const char **field = (const char **)((char *)ret + known[k].field);
        if (*field != NULL)
            return complain("option \"%s\" is given twice", option);
        if (known[k].has_value && ++i >= argc)
            return complain("option \"%s\" requires a value", option);
        *field = argv[i];
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
    return *word != '\0' || complain("option \"%s\" requires a value", option);
}

/* --- writing the configuration -------------------------------------------------------------- */

static const char preamble[] = "access_log off;\nclient_body_temp_path /tmp;\n"
                               "proxy_temp_path /tmp;\n";

/* `:8080` means every address. */
static void add_listen(struct buf *out, const char *address)
{
    buf_adds(out, "    listen ");
    buf_adds(out, address[0] == ':' ? "*" : "");
    buf_adds(out, address);
    buf_adds(out, ";\n");
}

static bool write_reverse(const struct words *w, struct buf *out)
{
    const char *to;

    if (w->from == NULL || w->to == NULL)
        return complain("%s", "reverse-proxy needs --from ADDRESS and --to ADDRESS");
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
    buf_adds(out, preamble);
    buf_adds(out, "client_max_body_size 0;\nserver {\n");
    add_listen(out, w->from);
    buf_adds(out, "    location / {\n        proxy_pass http://");
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
    bool denies = false;

    if (!is_plain("--listen", listen))
        return false;
    if (w->allow == NULL && !is_loopback(listen))
        return complain("%s", "forward-proxy: --listen beyond this machine needs --allow NETWORK");
    if (w->allow != NULL && !cidr_parse(span_of(w->allow), &net))
        return complain("\"%s\" is neither an address nor a network", w->allow);
    buf_adds(out, preamble);
    if (w->deny_list != NULL && !quick_add_list(w->deny_list, out, &denies))
        return false;
    buf_adds(out, "forward {\n    tunnel_peek off;\n");
    add_listen(out, listen);
    buf_adds(out, denies ? "    rule deny if category denied;\n" : "");
    buf_adds(out, "    rule allow if client ");
    buf_adds(out, allow);
    buf_adds(out, ";\n}\n");
    return true;
}

/* A path as a quoted word. A `$` would be a variable. */
static bool add_path(const char *path, struct buf *out)
{
    if (strchr(path, '$') != NULL || strchr(path, '\n') != NULL)
        return complain("--root \"%s\": no \"$\" and no line end may stand in it", path);
    buf_add_byte(out, '"');
    for (const char *p = path; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            buf_add_byte(out, '\\');
        buf_add_byte(out, *p);
    }
    buf_add_byte(out, '"');
    return true;
}

static bool write_files(const struct words *w, struct buf *out)
{
    const char *listen = w->listen ? w->listen : "127.0.0.1:8080";

    if (w->root == NULL)
        return complain("%s", "file-server needs --root FOLDER");
    if (!is_plain("--listen", listen))
        return false;
    char *path = realpath(w->root, NULL);
    bool good = path != NULL || complain("--root \"%s\": there is no such folder", w->root);
    buf_adds(out, preamble);
    buf_adds(out, "sendfile on;\nserver {\n");
    add_listen(out, listen);
    buf_adds(out, "    root ");
    good = good && add_path(path, out);
    buf_adds(out, ";\n}\n");
    free(path);
    return good;
}

/* --- together ------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    bool (*write)(const struct words *w, struct buf *out);
    const char *usage;
} commands[] = {
    { from_to, write_reverse,
      "Usage: bifrons reverse-proxy --from ADDRESS --to ADDRESS [-e FILE] [--print]\n\n"
      "  --from ADDRESS      where clients connect: 127.0.0.1:8080, :8080 (every address)\n"
      "  --to ADDRESS        the upstream: 10.0.0.2:3000, :3000 (this machine)\n" },
    { forward, write_forward,
      "Usage: bifrons forward-proxy [--listen ADDRESS] [--allow NETWORK] [--deny-list FILE]\n"
      "                             [-e FILE] [--print]\n\n"
      "  --listen ADDRESS    where clients connect (default: 127.0.0.1:3128)\n"
      "  --allow NETWORK     who may use it: 192.168.0.0/16 (default: this machine)\n"
      "  --deny-list FILE    hosts and networks that nobody reaches: one a line, `.a.example`\n"
      "                      with all below it, `#` begins a comment\n" },
    { files, write_files,
      "Usage: bifrons file-server --root FOLDER [--listen ADDRESS] [-e FILE] [--print]\n\n"
      "  --root FOLDER       what is served\n"
      "  --listen ADDRESS    where clients connect (default: 127.0.0.1:8080)\n" },
};

static size_t find_command(const char *name)
{
    size_t i = 0;

    while (i < COUNT(commands) && strcmp(commands[i].name, name) != 0)
        i++;
    return i;
}

bool quick_knows(const char *command)
{
    return find_command(command) < COUNT(commands);
}

static void help(size_t command)
{
    fputs(commands[command].usage, stderr);
    fputs("  -e FILE             the error log (default: standard error)\n"
          "  --print             shows the configuration that this stands for, and exits\n",
          stderr);
}

bool quick_read(int argc, char **argv, struct options *o)
{
    size_t command = find_command(argv[1]);
    struct words words = { 0 };
    struct buf text;

    if (!read_words(argc, argv, &words))
        return false;
    if (words.help != NULL) {
        help(command);
        o->task = TASK_NOTHING;
        return true;
    }
    buf_init(&text, LONGEST_TEXT, NULL);
    bool good = commands[command].write(&words, &text) &&
                (buf_ok(&text) || complain("\"%s\" is too long", words.deny_list));
    if (good) {
        o->quick = true;
        o->task = words.print != NULL ? TASK_PRINT : TASK_RUN;
        o->text = arena_copy(o->arena, buf_view(&text));
        o->file = span_of(argv[1]);
        o->error_log = span_of(words.error_log ? words.error_log : "stderr");
    }
    buf_done(&text);
    return good;
}
