/* How a service begins: the configuration is read, what it needs is opened; then a master takes
 * over, or (`master_process off`) this one process serves.
 *
 *     reader -> bundle -> supply: logs, sockets -> master.c | single.c
 */
#include "run/service.h"

#include "base/buf.h"
#include "base/span.h"
#include "run/bundle.h"
#include "run/inherit.h"
#include "run/manifest.h"
#include "run/master.h"
#include "run/options.h"
#include "run/paths.h"
#include "run/pidfile.h"
#include "run/reader.h"
#include "run/single.h"
#include "run/supply.h"
#include "run/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { MOST_MESSAGES = 1024 * 1024 };

static void print_messages(struct buf *messages)
{
    struct span text = buf_view(messages);

    if (text.len > 0)
        fwrite(text.at, 1, text.len, stderr);
    fflush(stderr);
    buf_clear(messages);
}

static struct supply *begin(const struct bundle_request *request, const struct supply *before,
                            enum supply_manner manner, struct buf *messages)
{
    int bundle = reader_read(request, messages);

    if (manner == SUPPLY_PATIENT) /* an address in use takes its time */
        print_messages(messages);
    return bundle >= 0 ? supply_new(bundle, before, manner, messages) : NULL;
}

/* With the sockets that somebody has bound for us, if somebody has. */
static struct supply *begin_to_serve(const struct options *o, const struct bundle_request *request,
                                     struct buf *messages)
{
    struct supply *inherited, *s = NULL;
    pid_t other;

    if (!inherit_sockets(&inherited, messages))
        return NULL;
    s = begin(request, inherited, SUPPLY_PATIENT, messages);
    supply_free(&inherited);
    if (s != NULL && !o->quick && pidfile_read(s->manifest->head.pid, &other) == 0) {
        pidfile_complain(s->manifest, -EBUSY, messages);
        supply_free(&s);
    }
    return s;
}

static int serve(const struct options *o, const struct bundle_request *request, struct supply *s)
{
    const struct manifest_head *m = &s->manifest->head;
    struct terminal terminal = terminal_stay();
    int code;

    /* Who changes its binary must hear of our end. */
    if (m->background && !inherit_has_master() && !terminal_leave(&terminal, &code)) {
        supply_free(&s);
        return code;
    }
    return m->master ? master_run(o, request, s, &terminal) : single_run(o, s, &terminal);
}

int service_run(const struct options *o)
{
    struct bundle_request request = paths_of(o);
    struct buf messages;

    buf_init(&messages, MOST_MESSAGES, NULL);
    struct supply *s = begin_to_serve(o, &request, &messages);
    print_messages(&messages);
    buf_done(&messages);
    return s != NULL ? serve(o, &request, s) : 1;
}

static int send_signal(const char *path, int signal)
{
    pid_t pid = 0;
    int failed = pidfile_read(path, &pid);

    if (failed == -EINVAL) {
        fprintf(stderr, "bifrons: [error] invalid PID number \"\" in \"%s\"\n", path);
    } else if (failed < 0 && failed != -ESRCH) {
        fprintf(stderr, "bifrons: [error] open() \"%s\" failed (%d: %s)\n", path, -failed,
                strerrordesc_np(-failed));
    } else {
        /* Whoever has that number but does not hold the file is somebody else. */
        if (failed == 0 && kill(pid, signal) < 0)
            failed = -errno;
        if (failed < 0)
            fprintf(stderr, "bifrons: [alert] kill(%d, %d) failed (%d: %s)\n", (int)pid, signal,
                    -failed, strerrordesc_np(-failed));
    }
    return failed < 0 ? 1 : 0;
}

int service_signal(const struct options *o)
{
    struct bundle_request request = paths_of(o);
    struct buf messages;

    request.folders = FOLDERS_LEFT;
    buf_init(&messages, MOST_MESSAGES, NULL);
    int bundle = reader_read(&request, &messages);
    struct manifest *m = bundle >= 0 ? bundle_manifest(bundle) : NULL;
    print_messages(&messages);
    buf_done(&messages);
    int code = m != NULL ? send_signal(m->head.pid, o->signal) : 1;
    manifest_free(&m);
    if (bundle >= 0)
        close(bundle);
    return code;
}

/* Of warnings nothing with -q. */
static bool is_worth_saying(struct span messages)
{
    static const char emergency[] = "bifrons: [emerg]";

    while (messages.len > 0) {
        if (span_starts(messages, emergency))
            return true;
        messages = span_from(messages, span_find(messages, '\n') + 1);
    }
    return false;
}

int service_test(const struct options *o)
{
    struct bundle_request request = paths_of(o);
    int width = (int)request.file.len;
    struct buf messages;

    buf_init(&messages, MOST_MESSAGES, NULL);
    struct supply *s = begin(&request, NULL, SUPPLY_TRIAL, &messages);
    if (!o->quiet || is_worth_saying(buf_view(&messages)))
        print_messages(&messages);
    buf_done(&messages);
    if (s != NULL && !o->quiet && s->manifest->head.rights.sandbox == 0)
        fputs("bifrons: sandbox: off\n", stderr);
    if (s != NULL && !o->quiet) {
        buf_init(&messages, MOST_MESSAGES, NULL);
        ceiling_print(&s->manifest->head.ceiling, &messages);
        print_messages(&messages);
        buf_done(&messages);
    }
    if (s == NULL)
        fprintf(stderr, "bifrons: configuration file %.*s test failed\n", width, request.file.at);
    else if (!o->quiet)
        fprintf(stderr,
                "bifrons: the configuration file %.*s syntax is ok\n"
                "bifrons: configuration file %.*s test is successful\n",
                width, request.file.at, width, request.file.at);
    int code = s == NULL ? 1 : 0;
    supply_free(&s);
    return code;
}
