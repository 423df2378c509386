/* Files as answers (nginx-semantics 6.4, 6.5).
 *
 *     /dir/  -> index: the first file of the list that exists, by internal redirect
 *     /file  -> its bytes: small ones from memory with the head, the rest by sendfile
 *     /dir   -> 301 /dir/
 */
#include "fetch/file.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/errlog.h"
#include "base/link.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/types.h"
#include "exchange/carried.h"
#include "exchange/core.h"
#include "exchange/exchange.h"
#include "exchange/generation.h"
#include "exchange/log.h"
#include "exchange/module.h"
#include "exchange/phase.h"
#include "exchange/source.h"
#include "exchange/template.h"
#include "exchange/trace.h"
#include "exchange/variable.h"
#include "exchange/worker.h"
#include "fetch/open_files.h"
#include "net/block.h"
#include "net/io.h"
#include "proto/uri.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct index_name {
    struct template name;
    struct place place;
};

struct file_source {
    struct source source;
    struct block *block; /* pooled; for bytes that go through memory */
    uint64_t at;
    uint64_t left;
    int fd;
    struct open_file *cached; /* whose `fd` is; NULL: ours */
    bool sends_file;          /* the kernel may send the rest */
};

static bool set_index(struct conf_call *call, void *field)
{
    for (unsigned i = 1; i < conf_count(call); i++) {
        struct index_name made = { .place = conf_place(call, i) };

        if (!template_compile(call, i, &made.name) ||
            !conf_list_add(call, field, &made, sizeof(made)))
            return false;
    }
    return true;
}

static const struct conf_type index_type = { .set = set_index,
                                             .size = sizeof(struct conf_list),
                                             .many = true };

enum { ANYWHERE = CTX_HTTP | CTX_SERVER | CTX_LOCATION };

#define FIELD(name) offsetof(struct file_settings, name)

static const struct directive directives[] = {
    { "root", ANYWHERE | CTX_IF, 1, 1, &root_type, FIELD(root), "html", WHOLE,
      "the folder of static files", 0, NULL },
    { "alias", CTX_LOCATION, 1, 1, &root_type, FIELD(root), NULL, WHOLE,
      "the folder or file that stands for the location's name", 0, NULL },
    { "index", ANYWHERE, 1, ANY_ARGS, &index_type, FIELD(index), "index.html", WHOLE,
      "files that answer for a folder", 0, NULL },
    { "etag", ANYWHERE, 1, 1, &conf_flag, FIELD(switches.etag), "on", WHOLE,
      "files are sent with an ETag", 0, NULL },
    { "log_not_found", ANYWHERE, 1, 1, &conf_flag, FIELD(switches.log_not_found), "on", WHOLE,
      "files that are not there stand in the error log", 0, NULL },
    { "disable_symlinks", ANYWHERE, 1, 2, &links_type, FIELD(links), "off", WHOLE,
      "symbolic links that are refused: `on`, `if_not_owner`; up to `from=` they are followed", 0,
      NULL },
    {},
};

const struct file_settings *file_settings_of(const struct exchange *x)
{
    return settings_in(x->block, module_index(x->generation, &file_module));
}

bool file_refuse_rewritten(struct exchange *x, const struct file_settings *own)
{
    if (own->root.kind == ROOT_PLAIN || x->request.path_use != PATH_ALONE)
        return false;
    exchange_refuse(x, 500, "\"alias\" cannot be used where the path was rewritten");
    return true;
}

int file_open(struct exchange *x, const struct file_settings *own, struct span uri, int flags)
{
    return root_open(x, &own->root, &own->links, root_tail(x, &own->root, uri), flags);
}

static struct span file_name(struct exchange *x, const struct file_settings *own)
{
    return root_file(x, &own->root, root_tail(x, &own->root, x->request.uri));
}

/* --- the source ----------------------------------------------------------------------------- */

static enum io file_head(struct source *s)
{
    (void)s; /* the hook has filled it */
    return IO_OK;
}

static enum io read_memory(struct file_source *f, struct part *ret)
{
    struct part piece = { .kind = PART_FILE, .file = f->fd, .offset = f->at, .length = f->left };
    struct span bytes;
    enum io io = source_read_file(f->source.x, &piece, &f->block, &bytes);

    if (io != IO_OK)
        return io;
    f->at += bytes.len;
    f->left -= bytes.len;
    *ret = (struct part){ .kind = PART_MEMORY, .last = f->left == 0, .bytes = bytes };
    return IO_OK;
}

/* The first bytes travel in one send with the head; what remains is the kernel's. */
static enum io file_read(struct source *s, struct part *ret)
{
    struct file_source *f = CONTAINER(s, struct file_source, source);

    if (f->left == 0)
        return IO_EOF;
    if (!f->sends_file || f->block == NULL)
        return read_memory(f, ret);
    *ret = (struct part){
        .kind = PART_FILE, .last = true, .file = f->fd, .offset = f->at, .length = f->left
    };
    f->at += f->left;
    f->left = 0;
    return IO_OK;
}

static void file_narrow(struct source *s, uint64_t offset, uint64_t length)
{
    struct file_source *f = CONTAINER(s, struct file_source, source);

    f->at = offset;
    f->left = length;
}

static void file_close(struct source *s)
{
    struct file_source *f = CONTAINER(s, struct file_source, source);

    if (f->cached != NULL)
        open_file_put(f->cached);
    else
        close(f->fd);
    block_unref(f->block);
}

static const struct source_ops file_ops = {
    .head = file_head, .read = file_read, .narrow = file_narrow, .close = file_close
};

/* --- answering ------------------------------------------------------------------------------ */

/* `fd` is the source's, unless it is the cache's. */
static enum verdict answer_file(struct exchange *x, const struct file_settings *own, int fd,
                                struct open_file *cached, const struct file_facts *facts)
{
    struct file_source *f = arena_zalloc(&x->arena, sizeof(*f));
    struct span type = exchange_type(x);

    f->source = (struct source){ .ops = &file_ops, .x = x };
    f->fd = fd;
    f->cached = cached;
    f->left = facts->size;
    f->sends_file = source_may_send_files(x);
    x->response.status = 200;
    x->response.length = f->left;
    x->response.last_modified = facts->modified;
    x->response.accept_ranges = true;
    if (type.len > 0)
        response_add(x, "Content-Type", type);
    response_add(x, "Last-Modified", (struct span){ facts->date, HTTP_DATE_LENGTH });
    if (own->switches.etag)
        response_add(x, "ETag", span_of(facts->etag));
    exchange_source(x, &f->source);
    return ANSWER;
}

/* Relative links on the page of a folder need the slash. */
static enum verdict redirect_to_folder(struct exchange *x)
{
    struct buf url;

    buf_init(&url, 64 * 1024, &x->worker->budget);
    if (span_starts(x->request.uri, "//") && !x->core->redirects.absolute)
        buf_add(&url, (struct span)SPAN("/.")); /* or the first name would be taken for a host */
    uri_escape(x->request.uri, ESCAPE_URI, &url);
    buf_add_byte(&url, '/');
    if (x->request.args.len > 0) {
        buf_add_byte(&url, '?');
        buf_add(&url, x->request.args);
    }
    struct span location = arena_copy(&x->arena, buf_view(&url));
    buf_done(&url);
    return exchange_redirect(x, 301, location);
}

void file_tell(struct exchange *x, const struct file_settings *own, int error)
{
    const struct root *root = &own->root;

    if (trace_of(x) == NULL)
        return;
    trace_say(x, DECIDED_SOURCE, error == 0 ? ANSWER : REFUSE, root->place, "file %s",
              file_name(x, own).at);
    trace_why(x, "%s %.*s%s%s", root->kind == ROOT_PLAIN ? "root" : "alias",
              (int)root->path.text.len, root->path.text.at, error != 0 ? ": " : "",
              error != 0 ? strerrordesc_np(error) : "");
}

enum verdict file_refuse(struct exchange *x, const struct file_settings *own, int error)
{
    bool missing = error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG;
    bool forbidden = error == EACCES || error == ELOOP || error == EPERM;

    file_tell(x, own, error);
    if (!missing || own->switches.log_not_found)
        exchange_log(x, missing || forbidden ? LEVEL_ERROR : LEVEL_CRIT, error,
                     "open() \"%s\" failed", file_name(x, own).at);
    return exchange_refuse(x, missing ? 404 : forbidden ? 403 : 500, NULL);
}

/* A FIFO, a socket, a device: never waited for, never read. */
static enum verdict refuse_special(struct exchange *x)
{
    exchange_log(x, LEVEL_CRIT, 0, "\"%.*s\" is not a regular file", (int)x->request.uri.len,
                 x->request.uri.at);
    return exchange_refuse(x, 404, NULL);
}

/* The same settings and the same rest of the path mean the same file. */
static bool may_be_cached(const struct exchange *x, const struct file_settings *own)
{
    return open_files_of(x) != NULL && template_is_literal(&own->root.path) && trace_of(x) == NULL;
}

static enum verdict answer_known(struct exchange *x, const struct file_settings *own,
                                 struct open_file *known)
{
    int error = known->error;

    if (error == 0)
        return answer_file(x, own, known->fd, known, &known->facts);
    open_file_put(known);
    return file_refuse(x, own, error);
}

/* The cache takes the descriptor over if it keeps the file; else the source closes it. */
static enum verdict answer_opened(struct exchange *x, const struct file_settings *own,
                                  struct span tail, int fd, const struct stat *st)
{
    struct file_facts *facts = arena_alloc(&x->arena, sizeof(*facts));
    struct open_file *kept = NULL;

    file_facts_of(st, facts);
    if (may_be_cached(x, own))
        kept = open_file_keep(x, own, tail, fd, 0, facts);
    return answer_file(x, own, fd, kept, facts);
}

/* That a file is not there may be kept, too (open_file_cache_errors). */
static enum verdict refuse_unopened(struct exchange *x, const struct file_settings *own,
                                    struct span tail, int error)
{
    struct open_file *kept = NULL;

    if (may_be_cached(x, own))
        kept = open_file_keep(x, own, tail, -1, error, NULL);
    if (kept != NULL)
        open_file_put(kept);
    return file_refuse(x, own, error);
}

/* O_NONBLOCK: opening a FIFO would wait for a writer. What it is, is asked of the descriptor, not
 * of the name: between two looks at a name it may be another file. */
static enum verdict open_and_answer(struct exchange *x, const struct file_settings *own,
                                    struct span tail)
{
    int fd = root_open(x, &own->root, &own->links, tail, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    bool post = x->request.method_id == METHOD_POST;
    struct stat st;

    if (fd == -ENXIO)
        return refuse_special(x);
    if (fd < 0)
        return refuse_unopened(x, own, tail, -fd);
    if (fstat(fd, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))) {
        close(fd);
        return refuse_special(x);
    }
    file_tell(x, own, 0);
    if (S_ISREG(st.st_mode) && !post)
        return answer_opened(x, own, tail, fd, &st);
    close(fd);
    return S_ISDIR(st.st_mode) ? redirect_to_folder(x) : exchange_refuse(x, 405, NULL);
}

static enum verdict serve_file(struct exchange *x, const void *settings)
{
    const struct file_settings *own = settings;
    enum method method = x->request.method_id;

    if (exchange_is_forward(x))
        return NEXT;
    if (method != METHOD_GET && method != METHOD_HEAD && method != METHOD_POST) {
        file_tell(x, own, 0);
        if (trace_of(x) != NULL)
            trace_why(x, "a file answers GET and HEAD alone");
        return exchange_refuse(x, 405, NULL);
    }
    if (span_ends(x->request.uri, "/"))
        return NEXT;
    if (file_refuse_rewritten(x, own))
        return REFUSE;
    struct span tail = root_tail(x, &own->root, x->request.uri);
    struct open_file *known = may_be_cached(x, own) ? open_file_find(x, own, tail) : NULL;
    if (known != NULL && method != METHOD_POST)
        return answer_known(x, own, known);
    if (known != NULL)
        open_file_put(known);
    return open_and_answer(x, own, tail);
}

/* --- index ---------------------------------------------------------------------------------- */

static struct span joined(struct exchange *x, struct span folder, struct span name)
{
    char *path = arena_alloc(&x->arena, folder.len + name.len + 1);

    memcpy(path, folder.at, folder.len);
    memcpy(path + folder.len, name.at, name.len);
    return (struct span){ path, folder.len + name.len };
}

/* A folder that is there may still be listed. */
static enum verdict no_index(struct exchange *x, const struct file_settings *own)
{
    int folder = file_open(x, own, x->request.uri, O_PATH | O_DIRECTORY);

    if (folder < 0)
        return file_refuse(x, own, -folder);
    close(folder);
    return NEXT;
}

static enum verdict lead_to(struct exchange *x, const struct index_name *name, struct span path)
{
    decided(x, DECIDED_INDEX, NEXT, name->place, arena_cstr(&x->arena, path));
    if (trace_of(x) != NULL)
        trace_why(x, "internal redirect: a location is looked for again");
    return exchange_restart(x, path, x->request.args);
}

static enum verdict try_index(struct exchange *x, const void *settings)
{
    const struct file_settings *own = settings;
    const struct index_name *names = own->index.items;
    enum method method = x->request.method_id;

    if (exchange_is_forward(x) || !span_ends(x->request.uri, "/") ||
        (method != METHOD_GET && method != METHOD_HEAD && method != METHOD_POST))
        return NEXT;
    if (file_refuse_rewritten(x, own))
        return REFUSE;
    struct span folder = root_tail(x, &own->root, x->request.uri);
    for (uint32_t i = 0; i < own->index.len; i++) {
        struct span name = template_value(x, &names[i].name);

        if (span_starts(name, "/")) /* untested */
            return path_has_dots(name) ? exchange_refuse(x, 404, NULL)
                                       : lead_to(x, &names[i], name);
        int fd = root_open(x, &own->root, &own->links, joined(x, folder, name), O_PATH);
        if (fd >= 0) {
            close(fd);
            return lead_to(x, &names[i], joined(x, x->request.uri, name));
        }
        if (fd == -EACCES || fd == -ELOOP)
            return file_refuse(x, own, -fd);
    }
    return no_index(x, own);
}

static void open_roots(struct worker *w, struct generation *g, void *settings)
{
    (void)w, (void)settings;
    roots_open(g);
}

static void close_roots(struct worker *w, struct generation *g, void *settings)
{
    (void)w, (void)settings;
    roots_close(g);
}

/* --- variables ------------------------------------------------------------------------------ */

static bool get_document_root(struct exchange *x, struct span arg, struct span *ret)
{
    (void)arg;
    if (x->block == NULL)
        return false;
    *ret = root_path(x, &file_settings_of(x)->root);
    return true;
}

static bool get_realpath_root(struct exchange *x, struct span arg, struct span *ret)
{
    (void)arg;
    if (x->block == NULL)
        return false;
    struct span path = root_path(x, &file_settings_of(x)->root);
    char *real = realpath(path.at, NULL);
    if (real == NULL) {
        exchange_log(x, LEVEL_CRIT, errno, "realpath() \"%s\" failed", path.at);
        return false;
    }
    *ret = arena_copy(&x->arena, span_of(real));
    free(real);
    return true;
}

static bool get_request_filename(struct exchange *x, struct span arg, struct span *ret)
{
    (void)arg;
    if (x->block == NULL)
        return false;
    *ret = file_name(x, file_settings_of(x));
    return true;
}

static const struct variable variables[] = {
    { "document_root", NO_FAMILY, get_document_root, "what `root` or `alias` names" },
    { "realpath_root", NO_FAMILY, get_realpath_root, "the same with its symbolic links resolved" },
    { "request_filename", NO_FAMILY, get_request_filename, "the file that the path names" },
    {},
};

static const struct hook hooks[] = {
    { .phase = PHASE_CONTENT, .run = try_index },
    { .phase = PHASE_CONTENT, .run = serve_file },
    {},
};

const struct module file_module = {
    .name = "file",
    .directives = directives,
    .variables = variables,
    .hooks = hooks,
    .settings_size = sizeof(struct file_settings),
    .start = open_roots,
    .stop = close_roots,
};
