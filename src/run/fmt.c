/* `bifrons fmt`: lays out configurations (conf/format.h). To standard output; --write in place,
 * by a new file that takes the old one's name; with --check it only says which are not laid out. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/os.h"
#include "base/span.h"
#include "conf/excerpt.h"
#include "conf/format.h"
#include "conf/lexer.h"
#include "run/bundle.h"
#include "run/options.h"
#include "run/paths.h"
#include "run/tools.h"
#include "run/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LARGEST_TEXT = 64 << 20, LARGEST_RESULT = 512 << 20 };

enum fmt_task { FMT_PRINT, FMT_CHECK, FMT_WRITE };

struct fmt {
    struct options options; /* -c, -p */
    enum fmt_task task;
    unsigned files; /* so many names stand at the front of argv */
};

static bool complain(const char *format, const char *word)
{
    fputs("bifrons: fmt: ", stderr);
    fprintf(stderr, format, word);
    fputc('\n', stderr);
    return false;
}

static bool complain_of_call(const char *call, const char *path)
{
    fprintf(stderr, "bifrons: fmt: %s(\"%s\") failed (%d: %s)\n", call, path, errno,
            strerrordesc_np(errno));
    return false;
}

static void show_fault(const char *path, struct span text, const struct lexer_fault *f)
{
    struct buf out;
    unsigned line = f->place.line;

    buf_init(&out, 1 << 20, NULL);
    buf_addf(&out, "bifrons: [emerg] %s in ", f->text);
    excerpt_plain(span_of(path), &out);
    buf_addf(&out, ":%u\n", line);
    excerpt_plain(span_of(path), &out);
    buf_addf(&out, ":%u:%u\n", line, f->place.column);
    excerpt_line(text, f->place, &out);
    if (f->opened.line > 0)
        buf_addf(&out, "it was opened in line %u, column %u\n", f->opened.line, f->opened.column);
    fwrite(buf_view(&out).at, 1, buf_view(&out).len, stderr);
    buf_done(&out);
}

static bool write_all(int fd, struct span bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.at, bytes.len);

        if (n < 0 && errno != EINTR)
            return false;
        bytes = span_from(bytes, n > 0 ? (size_t)n : 0);
    }
    return true;
}

/* A file beside the old one, with its owner and mode, takes its name once it is whole. */
static bool fill_and_rename(int fd, const char *made, const char *path, struct span text)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return complain_of_call("stat", path);
    if (fchown(fd, st.st_uid, st.st_gid) < 0 && geteuid() == 0)
        return complain_of_call("fchown", made);
    if (fchmod(fd, st.st_mode & 07777) < 0)
        return complain_of_call("fchmod", made);
    if (!write_all(fd, text) || fsync(fd) < 0)
        return complain_of_call("write", made);
    return rename(made, path) == 0 || complain_of_call("rename", path);
}

static bool replace(const char *name, struct span text)
{
    char *path = realpath(name, NULL), *made = NULL; /* the file, not a symbolic link to it */
    bool good = false;

    if (path == NULL)
        return complain_of_call("realpath", name);
    int fd = asprintf(&made, "%s.XXXXXX", path) < 0 ? -1 : mkostemp(made, O_CLOEXEC);
    if (fd < 0) {
        complain_of_call("open", path);
    } else {
        good = fill_and_rename(fd, made, path, text);
        close(fd);
        if (!good)
            unlink(made);
    }
    free(made);
    free(path);
    return good;
}

static bool deliver(struct fmt *f, const char *path, struct span before, struct span after)
{
    bool same = span_same(before, after);

    switch (f->task) {
    case FMT_PRINT:
        return fwrite(after.at, 1, after.len, stdout) == after.len && fflush(stdout) == 0;
    case FMT_CHECK:
        if (!same)
            printf("%s\n", path);
        return same;
    case FMT_WRITE:
        return same || replace(path, after);
    }
    return false;
}

static bool format_file(struct fmt *f, const char *path)
{
    struct lexer_fault fault;
    struct buf out;
    char *data = NULL;
    ssize_t len = os_read_file(path, LARGEST_TEXT, &data);

    if (len < 0) {
        errno = (int)-len;
        return complain_of_call("open", path);
    }
    struct span text = { data, (size_t)len };
    buf_init(&out, LARGEST_RESULT, NULL);
    bool good = conf_format(text, &out, &fault);
    if (!good)
        show_fault(path, text, &fault);
    else if (!buf_ok(&out))
        good = complain("\"%s\" is too large", path);
    else
        good = deliver(f, path, text, buf_view(&out));
    buf_done(&out);
    free(data);
    return good;
}

static bool read_option(struct fmt *f, int argc, char **argv, int *ret_used)
{
    const char *word = argv[0];

    *ret_used = 1;
    if (strcmp(word, "--check") == 0 || strcmp(word, "--write") == 0) {
        if (f->task != FMT_PRINT)
            return complain("\"%s\": --check and --write are one choice, made once", word);
        f->task = strcmp(word, "--check") == 0 ? FMT_CHECK : FMT_WRITE;
        return true;
    }
    if (strchr("cp", word[1]) == NULL || word[1] == '\0')
        return complain("invalid option: \"%s\"; see bifrons fmt -h", word);
    return options_word(&f->options, word + 1, argc > 1 ? argv[1] : NULL, ret_used);
}

/* The names of files move to the front of argv. */
static bool read_words(struct fmt *f, int argc, char **argv)
{
    for (int i = 2; i < argc;) {
        int used = 1;

        if (argv[i][0] != '-')
            argv[f->files++] = argv[i];
        else if (!read_option(f, argc - i, argv + i, &used))
            return false;
        i += used;
    }
    return f->files < 2 || f->task != FMT_PRINT ||
           complain("%s", "several files need --check or --write");
}

int fmt_main(int argc, char **argv)
{
    struct arena arena;
    struct fmt f = { .options.arena = &arena };

    for (int i = 2; i < argc; i++)
        if (usage_is_wanted(argv[i]))
            return usage_print_command("fmt") ? 0 : 1;
    arena_init(&arena, 16 * 1024, NULL);
    bool good = read_words(&f, argc, argv);
    if (good && f.files == 0)
        good = format_file(&f, paths_of(&f.options).file.at);
    for (unsigned i = 0, given = good ? f.files : 0; i < given; i++)
        good = format_file(&f, argv[i]) && good;
    arena_done(&arena);
    return good ? 0 : 1;
}
