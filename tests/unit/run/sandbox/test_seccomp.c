/* run/sandbox/seccomp, calls: the program for the kernel is run here, number by number, against the
 * table it was made from; then the kernel itself is asked, by processes that enter the filter. */
#include "run/sandbox/seccomp.h"

#include "run/sandbox/calls.h"
#include "unit/base/unit.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct call_rules *const rules[] = { &calls_common, &calls_machine };

/* What is shipped, also in a sanitized build. */
static struct seccomp_program *make(void)
{
    struct seccomp_program *p = seccomp_new(rules, COUNT(rules), getpid());

    assert_non_null(p);
    return p;
}

/* --- the program, by itself ----------------------------------------------------------------- */

static bool jumps(const struct sock_filter *at, uint32_t value)
{
    return BPF_OP(at->code) == BPF_JEQ ? value == at->k : value >= at->k;
}

/* As the kernel would: what it answers for this call. */
static uint32_t answer(const struct seccomp_program *p, const struct seccomp_data *data)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < p->len; i++) {
        const struct sock_filter *at = &p->code[i];

        switch (BPF_CLASS(at->code)) {
        case BPF_LD:
            memcpy(&value, (const char *)data + at->k, sizeof(value));
            break;
        case BPF_ALU:
            value &= at->k;
            break;
        case BPF_JMP:
            if (BPF_OP(at->code) == BPF_JA)
                i += at->k;
            else
                i += jumps(at, value) ? at->jt : at->jf;
            break;
        default:
            return at->k;
        }
    }
    fail_msg("the program has no end");
    return 0;
}

static uint32_t answer_to(const struct seccomp_program *p, int number, const uint64_t args[3])
{
    struct seccomp_data data = { .nr = number, .arch = calls_architecture };

    memcpy(data.args, args, 3 * sizeof(*args));
    return answer(p, &data);
}

static bool holds(const struct call_group *group, int number)
{
    for (size_t i = 0; i < group->count; i++)
        if (group->numbers[i] == number)
            return true;
    return false;
}

static bool is_checked(int number)
{
    for (size_t i = 0; i < calls_common.checked_count; i++)
        if (calls_common.checked[i].number == number)
            return true;
    return false;
}

static uint32_t wanted(int number)
{
    for (size_t i = 0; i < COUNT(rules); i++) {
        if (holds(&rules[i]->allowed, number))
            return SECCOMP_RET_ALLOW;
        if (holds(&rules[i]->deadly, number))
            return SECCOMP_RET_KILL_PROCESS;
        if (holds(&rules[i]->missing, number))
            return SECCOMP_RET_ERRNO | ENOSYS;
    }
    return SECCOMP_RET_ERRNO | (number >= 0 && number <= CALL_NEWEST ? EPERM : ENOSYS);
}

static void every_number_has_the_fate_of_its_group(void **state)
{
    static const uint64_t nothing[3];
    struct seccomp_program *p = make();

    (void)state;
    for (int number = -3; number < 2000; number++)
        if (!is_checked(number))
            assert_int_equal(answer_to(p, number, nothing), wanted(number));
    assert_int_equal(answer_to(p, 0x40000000 | SYS_write, nothing), SECCOMP_RET_ERRNO | ENOSYS);
    seccomp_free(&p);
}

static void a_number_stands_in_one_group(void **state)
{
    (void)state;
    for (int number = 0; number < CALL_NUMBERS; number++) {
        unsigned groups = is_checked(number);

        for (size_t i = 0; i < COUNT(rules); i++)
            groups +=
                (unsigned)(holds(&rules[i]->allowed, number) + holds(&rules[i]->deadly, number) +
                           holds(&rules[i]->missing, number));
        if (groups > 1)
            fail_msg("system call %d stands in %u groups", number, groups);
    }
}

static void a_call_of_another_machine_is_deadly(void **state)
{
    struct seccomp_program *p = make();
    struct seccomp_data data = { .nr = SYS_write, .arch = AUDIT_ARCH_I386 };

    (void)state;
    assert_int_equal(answer(p, &data), SECCOMP_RET_KILL_PROCESS);
    seccomp_free(&p);
}

static void arguments_are_looked_at(void **state)
{
    const uint64_t ours = (uint64_t)getpid();
    const struct {
        const char *promise;
        int number;
        uint64_t args[3];
        bool good;
    } cases[] = {
        { "TCP", SYS_socket, { AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0 }, true },
        { "UDP", SYS_socket, { AF_INET6, SOCK_DGRAM, IPPROTO_UDP }, true },
        { "a unix socket", SYS_socket, { AF_UNIX, SOCK_STREAM, 0 }, true },
        { "raw IP", SYS_socket, { AF_INET, SOCK_RAW, IPPROTO_TCP }, false },
        { "another protocol", SYS_socket, { AF_INET, SOCK_STREAM, IPPROTO_SCTP }, false },
        { "netlink", SYS_socket, { AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE }, false },
        { "packets", SYS_socket, { AF_PACKET, SOCK_DGRAM, 0 }, false },
        { "a domain in the high half counts for nothing",
          SYS_socket,
          { AF_INET | 1ull << 40, SOCK_STREAM, 0 },
          true },
        { "a thread", SYS_clone, { CLONE_VM | CLONE_THREAD | CLONE_SIGHAND }, true },
        { "a process", SYS_clone, { SIGCHLD }, false },
        { "a signal to ourselves", SYS_tgkill, { ours, ours, SIGABRT }, true },
        { "a signal to another", SYS_tgkill, { ours + 1, ours + 1, SIGABRT }, false },
        { "our own limits", SYS_prlimit64, { 0 }, true },
        { "the limits of another", SYS_prlimit64, { 1 }, false },
        { "our name", SYS_prctl, { PR_SET_NAME }, true },
        { "memory open to others again", SYS_prctl, { PR_SET_DUMPABLE, 1 }, false },
        { "is it a terminal?", SYS_ioctl, { 1, TCGETS }, true },
        { "a byte typed into a terminal", SYS_ioctl, { 1, TIOCSTI }, false },
    };
    struct seccomp_program *p = make();

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        bool good = answer_to(p, cases[i].number, cases[i].args) == SECCOMP_RET_ALLOW;

        if (good != cases[i].good)
            fail_msg("%s: %s", cases[i].promise, good ? "allowed" : "refused");
    }
    seccomp_free(&p);
}

static void a_table_that_does_not_fit_is_refused(void **state)
{
    static const struct checked_call many[40] = { { .number = SYS_read } };
    const struct call_rules wild = { .checked = many, .checked_count = COUNT(many) };
    const struct call_rules *const list[] = { &wild };

    (void)state;
    assert_null(seccomp_new(list, 1, getpid()));
}

/* --- the kernel ----------------------------------------------------------------------------- */

struct attempt {
    const char *promise;
    long number, args[4];
    int signal; /* that it dies by; 0: it lives */
    int error;  /* that it gets; 0: none */
};

enum { NOT_ENTERED = 200 };

static void make_attempt(const struct attempt *a)
{
    struct seccomp_program *p = seccomp_new(rules, COUNT(rules), getpid());

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || p == NULL || seccomp_enter(p) < 0)
        _exit(NOT_ENTERED);
    long got = syscall(a->number, a->args[0], a->args[1], a->args[2], a->args[3], 0, 0);
    _exit(got < 0 ? errno : 0);
}

static void try_each(const struct attempt *attempts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int status = 0;
        pid_t child = fork();

        if (child == 0)
            make_attempt(&attempts[i]);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_ENTERED)
            skip(); /* a kernel, or an emulator, without it */
        int died = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        int error = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
        if (died != attempts[i].signal || error != attempts[i].error)
            fail_msg("%s: signal %d, error %d", attempts[i].promise, died, error);
    }
}

static void what_no_worker_does_is_its_end(void **state)
{
    static const char program[] = "/bin/true";
    const struct attempt attempts[] = {
        { "execve", SYS_execve, { (long)program }, SIGSYS, 0 },
        { "execveat", SYS_execveat, { -1, (long)program }, SIGSYS, 0 },
        { "ptrace", SYS_ptrace, { 0 }, SIGSYS, 0 },
        { "process_vm_readv", SYS_process_vm_readv, { getppid() }, SIGSYS, 0 },
        { "mount", SYS_mount, { 0 }, SIGSYS, 0 },
        { "bpf", SYS_bpf, { 0 }, SIGSYS, 0 },
        { "unshare", SYS_unshare, { CLONE_NEWUSER }, SIGSYS, 0 },
        { "open_by_handle_at", SYS_open_by_handle_at, { -1 }, SIGSYS, 0 },
        { "keyctl", SYS_keyctl, { 0 }, SIGSYS, 0 },
    };

    (void)state;
    try_each(attempts, COUNT(attempts));
}

static void what_is_not_needed_is_refused(void **state)
{
    const struct attempt attempts[] = {
        { "socket(AF_NETLINK)", SYS_socket, { AF_NETLINK, SOCK_RAW, 0 }, 0, EPERM },
        { "socket(AF_PACKET)", SYS_socket, { AF_PACKET, SOCK_RAW, 0 }, 0, EPERM },
        { "kill", SYS_kill, { getppid(), SIGTERM }, 0, EPERM },
        { "listen", SYS_listen, { -1 }, 0, EPERM },
        { "a process", SYS_clone, { SIGCHLD }, 0, EPERM },
        { "fchmodat", SYS_fchmodat, { -1 }, 0, EPERM },
        { "setuid", SYS_setuid, { 0 }, 0, EPERM },
        { "clone3", SYS_clone3, { 0 }, 0, ENOSYS },
        { "io_uring", SYS_io_uring_setup, { 1 }, 0, EPERM },
        { "a call of the future", CALL_NEWEST + 1, { 0 }, 0, ENOSYS },
        { "a second filter", SYS_seccomp, { 0 }, 0, EPERM },
    };

    (void)state;
    try_each(attempts, COUNT(attempts));
}

static void what_a_proxy_does_goes_on(void **state)
{
    const struct attempt attempts[] = {
        { "a socket", SYS_socket, { AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 }, 0, 0 },
        { "our number", SYS_getpid, { 0 }, 0, 0 },
        { "memory", SYS_madvise, { 0 }, 0, 0 },
        { "a file", SYS_openat, { -1, (long)"/etc/hosts", 0 }, 0, 0 },
    };

    (void)state;
    try_each(attempts, COUNT(attempts));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_has_the_fate_of_its_group),
        cmocka_unit_test(a_number_stands_in_one_group),
        cmocka_unit_test(a_call_of_another_machine_is_deadly),
        cmocka_unit_test(arguments_are_looked_at),
        cmocka_unit_test(a_table_that_does_not_fit_is_refused),
        { .name = "PROC-27-what-no-worker-does-is-its-end",
          .test_func = what_no_worker_does_is_its_end },
        { .name = "PROC-27-what-is-not-needed-is-refused",
          .test_func = what_is_not_needed_is_refused },
        cmocka_unit_test(what_a_proxy_does_goes_on),
    };
    return cmocka_run_group_tests_name("run_sandbox_seccomp", tests, NULL, NULL);
}
