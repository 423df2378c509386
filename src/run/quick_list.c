/* `--deny-list FILE`: each line is checked here, so that a message names the line of the file.
 *
 *     # a comment
 *     .facebook.com       the host and all below it
 *     ads.example         that host alone
 *     198.51.100.0/24     a network
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/cidr.h"
#include "base/os.h"
#include "base/span.h"
#include "decide/forward/names.h"
#include "decide/forward/nets.h"
#include "run/quick.h"

#include <stdio.h>
#include <stdlib.h>

enum { LONGEST_FILE = 32 << 20 };

struct list_file {
    const char *path;
    unsigned line;
    struct arena arena; /* of the line */
};

static bool check(struct list_file *f, struct span entry)
{
    struct name_pattern pattern;
    struct cidr net;

    if (nets_parse(entry, &net))
        return true;
    const char *fault = name_read(entry, &f->arena, &pattern);
    arena_clear(&f->arena);
    if (fault == NULL)
        return true;
    fprintf(stderr, "bifrons: %s:%u: \"%.*s\" %s\n", f->path, f->line,
            (int)(entry.len < 100 ? entry.len : 100), entry.at, fault);
    return false;
}

static bool add_lines(struct list_file *f, struct span text, struct buf *out, bool *ret_any)
{
    bool good = true, any = false;

    while (text.len > 0) {
        struct span line = span_first(text, span_find(text, '\n'));

        text = span_from(text, line.len + 1);
        f->line++;
        line = span_first(line, span_find(line, '#'));
        span_chop(&line, '\r');
        line = span_trim(line);
        if (line.len == 0)
            continue;
        good = check(f, line) && good;
        buf_adds(out, any ? "    \"" : "list denied {\n    \"");
        buf_add(out, line);
        buf_adds(out, "\";\n"); /* quoted: a host may be called `except` */
        any = true;
    }
    buf_adds(out, any ? "}\n" : "");
    *ret_any = any;
    return good;
}

bool quick_add_list(const char *path, struct buf *out, bool *ret_any)
{
    struct list_file f = { .path = path };
    char *text = NULL;
    ssize_t len = os_read_file(path, LONGEST_FILE, &text);

    if (len < 0) {
        fprintf(stderr, "bifrons: --deny-list \"%s\": %s\n", path, strerrordesc_np((int)-len));
        return false;
    }
    arena_init(&f.arena, 4096, NULL);
    bool good = add_lines(&f, (struct span){ text, (size_t)len }, out, ret_any);
    arena_done(&f.arena);
    free(text);
    return good;
}
