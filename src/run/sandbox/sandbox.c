/* The sandbox, in the order in which its parts can be entered: each takes the right to undo the one
 * before it, and the filter of system calls comes last, because it allows none of the others.
 *
 *     memory closed to others -> capabilities -> landlock -> system calls
 */
#include "run/sandbox/sandbox.h"

#include "base/buf.h"
#include "base/errlog.h"
#include "exchange/generation.h"
#include "run/main_settings.h"
#include "run/sandbox/calls.h"
#include "run/sandbox/capabilities.h"
#include "run/sandbox/landlock.h"
#include "run/sandbox/seccomp.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { LONGEST_PATH = 1024 };

/* --- files ---------------------------------------------------------------------------------- */

static int let_path(struct landlock *l, struct span path,
                    int (*how)(struct landlock *l, const char *path))
{
    char name[LONGEST_PATH];

    return span_to_cstr(path, sizeof(name), name) && name[0] != '\0' ? how(l, name) : 0;
}

static int let_each(struct landlock *l, const struct conf_list *paths,
                    int (*how)(struct landlock *l, const char *path))
{
    const struct placed_path *all = paths->items;
    int failed = 0;

    for (uint32_t i = 0; failed == 0 && i < paths->len; i++)
        failed = let_path(l, all[i].path, how);
    return failed;
}

static int confine_files(const struct generation *g, const struct sandbox_request *request)
{
    struct landlock l;
    int failed = landlock_open(&l);

    if (failed < 0)
        return failed;
    failed = let_each(&l, &g->folders, landlock_let_write);
    if (failed == 0)
        failed = let_each(&l, &g->logs.paths, landlock_let_log);
    if (failed == 0)
        failed = let_path(&l, request->error_log, landlock_let_log);
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

static bool judge(const char *part, int failed, const struct sandbox_request *request,
                  struct buf *messages)
{
    if (failed == 0)
        return true;
    if (is_lacking(failed)) {
        errlog_write(request->log, LEVEL_NOTICE, 0, -failed,
                     "sandbox: this kernel has no %s, the rest of the sandbox stands", part);
        return true;
    }
    buf_addf(messages, "bifrons: [emerg] sandbox: %s failed (%d: %s)\n", part, -failed,
             strerrordesc_np(-failed));
    return false;
}

bool sandbox_enter(const struct generation *g, const struct sandbox_request *request,
                   struct buf *messages)
{
    if (!main_settings_of(g)->sandbox.on) {
        errlog_write(request->log, LEVEL_NOTICE, 0, 0, "sandbox: off");
        return true;
    }
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    capabilities_limit();
    if (!judge("capset()", capabilities_drop(), request, messages))
        return false;
    if (calls_confine_files &&
        !judge("landlock", confine_files(g, request), request, messages))
        return false;
    if (!judge("seccomp", filter_calls(), request, messages))
        return false;
    errlog_write(request->log, LEVEL_INFO, 0, 0, "sandbox: on, capabilities: none");
    return true;
}
