/* The sandbox, in the order in which its parts can be entered: each takes the right to undo the one
 * before it, and the filter of system calls comes last, because it allows none of the others.
 *
 *     memory closed to others -> capabilities -> landlock -> system calls
 */
#include "run/sandbox/sandbox.h"

#include "base/buf.h"
#include "base/errlog.h"
#include "base/span.h"
#include "run/manifest.h"
#include "run/sandbox/calls.h"
#include "run/sandbox/capabilities.h"
#include "run/sandbox/landlock.h"
#include "run/sandbox/seccomp.h"

#include <errno.h>
#include <sys/prctl.h>
#include <unistd.h>

/* --- files ---------------------------------------------------------------------------------- */

static int confine_files(const struct manifest *m)
{
    struct landlock l;
    int failed = landlock_open(&l);

    if (failed < 0)
        return failed;
    for (uint32_t i = 0; failed == 0 && i < m->head.folders; i++)
        failed = m->folders[i].use == FOLDER_LOGS ? landlock_let_log(&l, m->folders[i].path)
                                                  : landlock_let_write(&l, m->folders[i].path);
    int entered = landlock_enter(&l);
    return failed < 0 ? failed : entered;
}

/* --- system calls --------------------------------------------------------------------------- */

static int filter_calls(void)
{
    const struct call_rules *const rules[] = { &calls_common, &calls_machine, &calls_build };

    if (calls_architecture == 0)
        return -ENOSYS;
    struct seccomp_program *p = seccomp_new(rules, COUNT(rules), getpid());
    int failed = p == NULL ? -E2BIG : seccomp_enter(p);
    seccomp_free(&p);
    return failed;
}

/* --- all of it ------------------------------------------------------------------------------ */

/* A kernel may lack a part, be told not to have it, or be played by an emulator. */
static bool is_lacking(int failed)
{
    return failed == -ENOSYS || failed == -EOPNOTSUPP || failed == -EINVAL;
}

static bool judge(const char *part, int failed, int *ret_lacking, struct buf *messages)
{
    *ret_lacking = is_lacking(failed) ? failed : 0;
    if (failed == 0 || is_lacking(failed))
        return true;
    buf_addf(messages, "bifrons: [emerg] sandbox: %s failed (%d: %s)\n", part, -failed,
             strerrordesc_np(-failed));
    return false;
}

bool sandbox_enter(const struct manifest *m, struct sandbox_report *ret, struct buf *messages)
{
    *ret = (struct sandbox_report){ .on = m->head.rights.sandbox != 0 };
    if (!ret->on)
        return true;
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    capabilities_limit();
    return judge("capset()", capabilities_drop(), &ret->capabilities, messages) &&
           (!calls_confine_files || judge("landlock", confine_files(m), &ret->files, messages)) &&
           judge("seccomp", filter_calls(), &ret->calls, messages);
}

static void say_lacking(const struct errlog *log, const char *part, int lacking)
{
    if (lacking < 0)
        errlog_write(log, LEVEL_NOTICE, 0, -lacking,
                     "sandbox: this kernel has no %s, the rest of the sandbox stands", part);
}

void sandbox_say(const struct sandbox_report *r, const struct errlog *log)
{
    if (!r->on) {
        errlog_write(log, LEVEL_NOTICE, 0, 0, "sandbox: off");
        return;
    }
    say_lacking(log, "capset()", r->capabilities);
    say_lacking(log, "landlock", r->files);
    say_lacking(log, "seccomp", r->calls);
    errlog_write(log, LEVEL_INFO, 0, 0, "sandbox: on, capabilities: none");
}
