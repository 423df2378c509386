/* The reader of a configuration. Two memory files are made before it starts, so nothing has to be
 * said between parent and child but its end.
 *
 *     parent --fork--> child: bundle_build_to(bundle), messages -> said, exit 0 | 1 | a crash
 *            <--------
 */
#include "run/reader.h"

#include "base/buf.h"
#include "base/os.h"
#include "base/span.h"
#include "run/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_SAID = 1024 * 1024, GIVES_WAY = 10 };

static void close_files(struct reader *r)
{
    close(r->bundle);
    close(r->said);
    *r = (struct reader){ .pid = 0, .bundle = -1, .said = -1 };
}

__attribute__((noreturn)) static void be_the_child(const struct reader *r,
                                                   const struct bundle_request *request)
{
    sigset_t none;
    struct buf messages;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "bifrons-reader");
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (nice(GIVES_WAY) < 0) /* whoever serves goes first */
        errno = 0;
    buf_init(&messages, MOST_SAID, NULL);
    bool good = bundle_build_to(request, r->bundle, &messages);
    os_write_whole(r->said, buf_view(&messages));
    _exit(good ? 0 : 1);
}

int reader_start(struct reader *r, const struct bundle_request *request)
{
    *r = (struct reader){ .bundle = os_memory_file("bifrons-bundle"),
                          .said = os_memory_file("bifrons-messages") };
    int failed = r->bundle < 0 ? r->bundle : r->said < 0 ? r->said : 0;
    pid_t pid = failed == 0 ? fork() : -1;

    if (pid == 0)
        be_the_child(r, request);
    if (failed == 0 && pid < 0)
        failed = -errno;
    if (failed < 0)
        close_files(r);
    else
        r->pid = pid;
    return failed;
}

static void add_said(int fd, struct buf *messages)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > MOST_SAID)
        return;
    char *text = malloc((size_t)st.st_size);
    if (text == NULL)
        abort();
    ssize_t got = pread(fd, text, (size_t)st.st_size, 0);
    buf_add(messages, (struct span){ text, got > 0 ? (size_t)got : 0 });
    free(text);
}

int reader_end(struct reader *r, int status, struct buf *messages)
{
    int bundle = -1;

    add_said(r->said, messages);
    if (WIFSIGNALED(status))
        buf_addf(messages, "bifrons: [emerg] the configuration reader crashed (signal %d)\n",
                 WTERMSIG(status));
    else if (WEXITSTATUS(status) > 1)
        buf_addf(messages, "bifrons: [emerg] the configuration reader failed (exit code %d)\n",
                 WEXITSTATUS(status));
    else if (WEXITSTATUS(status) == 0)
        bundle = fcntl(r->bundle, F_DUPFD_CLOEXEC, 3);
    close_files(r);
    return bundle;
}

void reader_stop(struct reader *r)
{
    if (r->pid == 0)
        return;
    kill(r->pid, SIGKILL);
    while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    close_files(r);
}

int reader_read(const struct bundle_request *request, struct buf *messages)
{
    struct reader r;
    int status = 0, failed = reader_start(&r, request);

    if (failed < 0) {
        buf_addf(messages, "bifrons: [emerg] the configuration reader cannot start (%d: %s)\n",
                 -failed, strerrordesc_np(-failed));
        return -1;
    }
    while (waitpid(r.pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return reader_end(&r, status, messages);
}
