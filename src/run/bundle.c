/* Makes and reads bundles. While one is made, the source is the disk, and everything that is asked
 * of it is noted; the settings that are built on the way are only a check, and thrown away.
 *
 *     head | entry 0, entry 1 ... | manifest, file, text ... | names and data of the entries
 *
 * Head and entries name the rest by pieces: where each begins, and how long it is.
 * Whoever reads a bundle maps it, and gives the parser the same answers again. A piece that leads
 * outside of the map reads as empty. */
#include "run/bundle.h"

#include "base/buf.h"
#include "base/os.h"
#include "conf/build.h"
#include "exchange/generation.h"
#include "log/error_log.h"
#include "run/ceiling.h"
#include "run/generation_build.h"
#include "run/manifest.h"
#include "run/privileges.h"
#include "tls/pem.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LARGEST_FILE = 64 * 1024 * 1024, LARGEST_BUNDLE = 1024 * 1024 * 1024, KIND_GLOB = 100 };

static const char magic[8] = "BIFRONS1";

struct piece { /* of the map */
    uint64_t at, len;
};

struct bundle_head {
    char magic[8];
    uint64_t count;
    struct piece manifest, file, text, prefix, globals, error_log;
    uint64_t has_text;
};

struct bundle_entry {
    int64_t kind;            /* enum conf_kind, or KIND_GLOB */
    int64_t result;          /* 0 or -errno */
    struct piece name, data; /* data of a failure: the reason */
};

/* --- from the disk -------------------------------------------------------------------------- */

struct noted { /* one answer of the disk */
    struct noted *next;
    int64_t kind, result;
    struct span name, data; /* heap */
};

struct disk_source {
    struct conf_source source;
    struct noted *first, **last;
    size_t count;
};

static struct span heap_copy(struct span s)
{
    char *copy = malloc(s.len + 1);

    if (copy == NULL)
        abort();
    if (s.len > 0)
        memcpy(copy, s.at, s.len);
    copy[s.len] = '\0';
    return (struct span){ copy, s.len };
}

/* No memory: the process ends. Nobody is served by one that makes bundles. */
static struct noted *note(struct disk_source *d, int64_t kind, struct span name)
{
    struct noted *n = calloc(1, sizeof(*n));

    if (n == NULL)
        abort();
    n->kind = kind;
    n->name = heap_copy(name);
    *d->last = n;
    d->last = &n->next;
    d->count++;
    return n;
}

static const struct noted *find_noted(const struct disk_source *d, int64_t kind, struct span name)
{
    const struct noted *n = d->first;

    while (n != NULL && !(n->kind == kind && span_same(n->name, name)))
        n = n->next;
    return n;
}

/* PEM goes in, DER comes out; the PEM of a key is wiped. */
static int convert(enum conf_kind kind, struct span pem, struct span *ret, char reason[CONF_REASON])
{
    struct buf der;

    buf_init(&der, LARGEST_FILE, NULL);
    bool good =
        kind == CONF_KEY ? tls_key_of_pem(pem, &der, reason) : tls_chain_of_pem(pem, &der, reason);
    if (good)
        *ret = heap_copy(buf_view(&der));
    if (der.data != NULL)
        explicit_bzero(der.data, der.room);
    buf_done(&der);
    return good ? 0 : -EINVAL;
}

static int read_disk(const char *path, enum conf_kind kind, struct span *ret,
                     char reason[CONF_REASON])
{
    char *data = NULL;
    ssize_t len = os_read_file(path, LARGEST_FILE, &data);
    int result = 0;

    if (len < 0)
        return (int)len;
    *ret = (struct span){ data, (size_t)len };
    if (kind == CONF_CHAIN || kind == CONF_KEY) {
        result = convert(kind, (struct span){ data, (size_t)len }, ret, reason);
        explicit_bzero(data, (size_t)len);
        free(data);
    }
    return result;
}

/* Whoever asks again gets the first answer: the text that was checked is the one in the bundle. */
static int disk_load(struct conf_source *s, struct span path, enum conf_kind kind, struct span *ret,
                     char ret_reason[CONF_REASON])
{
    struct disk_source *d = (struct disk_source *)s;
    const struct noted *before = find_noted(d, kind, path);
    char reason[CONF_REASON] = "";

    if (before == NULL) {
        struct noted *n = note(d, kind, path);

        n->result = read_disk(n->name.at, kind, &n->data, reason);
        if (n->result < 0)
            n->data = heap_copy(span_of(reason));
        before = n;
    }
    if (before->result == 0)
        *ret = before->data;
    else if (!span_to_cstr(before->data, CONF_REASON, ret_reason))
        ret_reason[0] = '\0';
    return (int)before->result;
}

static int disk_glob(struct conf_source *s, struct span pattern, struct span *ret)
{
    struct disk_source *d = (struct disk_source *)s;
    const struct noted *before = find_noted(d, KIND_GLOB, pattern);

    if (before == NULL) {
        struct noted *n = note(d, KIND_GLOB, pattern);
        struct buf lines;
        glob_t found;

        buf_init(&lines, LARGEST_FILE, NULL);
        if (glob(n->name.at, 0, NULL, &found) == 0) {
            for (size_t i = 0; i < found.gl_pathc; i++) {
                buf_adds(&lines, found.gl_pathv[i]);
                buf_add_byte(&lines, '\n');
            }
            globfree(&found);
        }
        n->data = heap_copy(buf_view(&lines));
        buf_done(&lines);
        before = n;
    }
    *ret = before->data;
    return 0;
}

static void forget_noted(struct disk_source *d)
{
    while (d->first != NULL) {
        struct noted *dead = d->first;

        d->first = dead->next;
        if (dead->data.at != NULL)
            explicit_bzero((void *)(uintptr_t)dead->data.at, dead->data.len);
        free((void *)(uintptr_t)dead->data.at);
        free((void *)(uintptr_t)dead->name.at);
        free(dead);
    }
}

void bundle_inspect(const struct bundle_request *request,
                    void (*look)(struct conf *conf, void *arg), void *arg)
{
    struct disk_source d = { .source = { disk_load, disk_glob } };
    struct generation *g = NULL;

    d.last = &d.first;
    struct conf *conf = generation_make(request, &d.source, &g);
    look(conf, arg);
    generation_unref(&g);
    conf_free(&conf);
    forget_noted(&d);
}

/* --- writing -------------------------------------------------------------------------------- */

static struct piece put(struct buf *out, struct span bytes)
{
    struct piece piece = { out->len, bytes.len };

    buf_add(out, bytes);
    buf_add_byte(out, '\0'); /* paths are handed to the system as they stand */
    return piece;
}

static void put_entries(const struct disk_source *d, struct bundle_entry *entries, struct buf *out)
{
    for (const struct noted *n = d->first; n != NULL; n = n->next, entries++) {
        entries->kind = n->kind;
        entries->result = n->result;
        entries->name = put(out, n->name);
        entries->data = put(out, n->data);
    }
}

static struct piece put_manifest(const struct generation *g, struct span error_log, struct buf *out)
{
    size_t before = out->len;

    manifest_write(g, error_log, out);
    return (struct piece){ before, out->len - before };
}

/* Head and entries name what follows them, so their room is left open and filled last. */
static int write_bundle(const struct bundle_request *r, const struct disk_source *d,
                        const struct generation *g, int fd)
{
    size_t entries_size = d->count * sizeof(struct bundle_entry);
    struct bundle_entry *entries = calloc(d->count + 1, sizeof(*entries));
    struct bundle_head head = { .count = d->count, .has_text = r->text.at != NULL };
    struct buf out;
    int failed = -EFBIG;

    if (entries == NULL)
        return -ENOMEM;
    memcpy(head.magic, magic, sizeof(magic));
    buf_init(&out, LARGEST_BUNDLE, NULL);
    buf_reserve(&out, sizeof(head) + entries_size);
    out.len = sizeof(head) + entries_size;
    head.manifest = put_manifest(g, r->error_log, &out);
    head.file = put(&out, r->file);
    head.text = put(&out, r->text);
    head.prefix = put(&out, r->prefix);
    head.globals = put(&out, r->globals);
    head.error_log = put(&out, r->error_log);
    put_entries(d, entries, &out);
    if (buf_ok(&out)) {
        memcpy(out.data, &head, sizeof(head));
        if (entries_size > 0)
            memcpy(out.data + sizeof(head), entries, entries_size);
        failed = os_write_whole(fd, buf_view(&out));
        failed = failed == 0 ? os_memory_seal(fd) : failed;
        explicit_bzero(out.data, out.room);
    }
    buf_done(&out);
    free(entries);
    return failed;
}

static bool make_folders(const struct bundle_request *request, const struct generation *g,
                         struct buf *messages)
{
    struct folder_request folders = { .prefix = request->prefix,
                                      .error_log = error_logs_standard(g, request->error_log),
                                      .pid = request->folders == FOLDERS_AND_PID };

    return request->folders == FOLDERS_LEFT || privileges_make_folders(g, &folders, messages);
}

bool bundle_build_to(const struct bundle_request *request, int fd, struct buf *messages)
{
    struct disk_source d = { .source = { disk_load, disk_glob } };
    struct generation *g = NULL;

    d.last = &d.first;
    struct conf *conf = generation_make(request, &d.source, &g);
    bool fits = conf_is_good(conf) && ceiling_check(g, conf);
    generation_messages(conf, messages);
    bool good = fits && make_folders(request, g, messages);
    int failed = good ? write_bundle(request, &d, g, fd) : 0;
    if (failed < 0)
        buf_addf(messages, "bifrons: [emerg] the bundle could not be made: %s\n",
                 strerrordesc_np(-failed));
    generation_unref(&g);
    conf_free(&conf);
    forget_noted(&d);
    return good && failed == 0;
}

int bundle_build(const struct bundle_request *request, struct buf *messages)
{
    int fd = os_memory_file("bifrons-bundle");

    if (fd < 0) {
        buf_addf(messages, "bifrons: [emerg] memfd_create() failed (%d: %s)\n", -fd,
                 strerrordesc_np(-fd));
        return -1;
    }
    if (bundle_build_to(request, fd, messages))
        return fd;
    close(fd);
    return -1;
}

/* --- reading -------------------------------------------------------------------------------- */

static struct span piece_of(struct span map, struct piece p)
{
    if (p.at > map.len || p.len > map.len - p.at)
        return (struct span){ "", 0 };
    return (struct span){ map.at + p.at, (size_t)p.len };
}

static const struct bundle_entry *find_entry(const struct bundle_source *b, int64_t kind,
                                             struct span name)
{
    const struct bundle_head *head = (const struct bundle_head *)(const void *)b->map.at;
    const struct bundle_entry *entries =
        (const struct bundle_entry *)(const void *)(b->map.at + sizeof(*head));

    for (uint64_t i = 0; i < head->count; i++)
        if (entries[i].kind == kind && span_same(piece_of(b->map, entries[i].name), name))
            return &entries[i];
    return NULL;
}

/* What was not asked for while the bundle was made is not there: no disk stands behind it. */
static int map_load(struct conf_source *s, struct span path, enum conf_kind kind, struct span *ret,
                    char ret_reason[CONF_REASON])
{
    struct bundle_source *b = (struct bundle_source *)s;
    const struct bundle_entry *e = find_entry(b, kind, path);

    if (e == NULL)
        return -ENOENT;
    struct span data = piece_of(b->map, e->data);
    if (e->result == 0)
        *ret = data;
    else if (!span_to_cstr(data, CONF_REASON, ret_reason))
        ret_reason[0] = '\0';
    return (int)e->result;
}

static int map_glob(struct conf_source *s, struct span pattern, struct span *ret)
{
    struct bundle_source *b = (struct bundle_source *)s;
    const struct bundle_entry *e = find_entry(b, KIND_GLOB, pattern);

    if (e == NULL)
        return -ENOENT;
    *ret = piece_of(b->map, e->data);
    return 0;
}

int bundle_open(struct bundle_source *s, int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if ((size_t)st.st_size < sizeof(struct bundle_head))
        return -EINVAL;
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    madvise(map, (size_t)st.st_size, MADV_DONTDUMP);
    const struct bundle_head *head = map;
    *s = (struct bundle_source){ .source = { map_load, map_glob },
                                 .map = { map, (size_t)st.st_size } };
    if (memcmp(head->magic, magic, sizeof(magic)) != 0 ||
        head->count > (s->map.len - sizeof(*head)) / sizeof(struct bundle_entry)) {
        bundle_close(s);
        return -EINVAL;
    }
    s->request = (struct bundle_request){ .file = piece_of(s->map, head->file),
                                          .prefix = piece_of(s->map, head->prefix),
                                          .globals = piece_of(s->map, head->globals),
                                          .error_log = piece_of(s->map, head->error_log) };
    if (head->has_text)
        s->request.text = piece_of(s->map, head->text);
    return 0;
}

struct manifest *bundle_manifest(int fd)
{
    struct bundle_source b;
    struct manifest *m;

    if (!os_memory_is_sealed(fd) || bundle_open(&b, fd) < 0)
        return NULL;
    const struct bundle_head *head = (const struct bundle_head *)(const void *)b.map.at;
    m = manifest_read(piece_of(b.map, head->manifest));
    bundle_close(&b);
    return m;
}

void bundle_close(struct bundle_source *s)
{
    if (s->map.at != NULL)
        munmap((void *)(uintptr_t)s->map.at, s->map.len);
    s->map = (struct span){ NULL, 0 };
}
