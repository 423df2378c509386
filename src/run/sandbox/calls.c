/* The system calls that every machine has. */
#include "run/sandbox/calls.h"

#include "base/span.h"

#include <asm/ioctls.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static const uint16_t allowed[] = {
    /* bytes */
    SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_preadv, SYS_pwritev,
    SYS_preadv2, SYS_pwritev2, SYS_lseek, SYS_sendfile, SYS_splice, SYS_tee, SYS_copy_file_range,
    /* sockets; a worker accepts on what was bound for it, and makes no listener of its own */
    SYS_connect, SYS_bind, SYS_accept, SYS_accept4, SYS_sendto, SYS_recvfrom, SYS_sendmsg,
    SYS_recvmsg, SYS_sendmmsg, SYS_recvmmsg, SYS_shutdown, SYS_getsockname, SYS_getpeername,
    SYS_getsockopt, SYS_setsockopt,
    /* descriptors */
    SYS_close, SYS_close_range, SYS_dup, SYS_dup3, SYS_fcntl, SYS_pipe2, SYS_epoll_create1,
    SYS_epoll_ctl, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_ppoll, SYS_pselect6, SYS_eventfd2,
    SYS_signalfd4, SYS_timerfd_create, SYS_timerfd_settime, SYS_timerfd_gettime,
    /* files: landlock and the user's rights say which */
    SYS_openat, SYS_openat2, SYS_newfstatat, SYS_fstat, SYS_statx, SYS_fstatfs, SYS_statfs,
    SYS_readlinkat, SYS_faccessat, SYS_faccessat2, SYS_getdents64, SYS_getcwd, SYS_ftruncate,
    SYS_fallocate, SYS_fadvise64, SYS_readahead, SYS_fsync, SYS_fdatasync, SYS_unlinkat,
    SYS_renameat, SYS_renameat2, SYS_mkdirat, SYS_linkat,
    /* memory; PCRE2's compiler makes pages that can be executed */
    SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_brk, SYS_membarrier,
    /* threads, signals, time */
    SYS_futex, SYS_set_robust_list, SYS_rseq, SYS_sched_yield, SYS_sched_getaffinity, SYS_getcpu,
    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack, SYS_restart_syscall,
    SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday,
    /* about ourselves */
    SYS_getpid, SYS_getppid, SYS_gettid, SYS_getpriority, SYS_getuid, SYS_geteuid, SYS_getgid,
    SYS_getegid, SYS_getrusage, SYS_uname, SYS_sysinfo, SYS_getrandom,
    /* the end */
    SYS_wait4, SYS_waitid, SYS_exit, SYS_exit_group
};

/* Its arguments lie in memory, which a filter cannot read: threads are made by the older clone. */
static const uint16_t missing[] = { SYS_clone3 };

static const uint16_t deadly[] = {
    /* another program, another process's memory */
    SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev,
    SYS_process_madvise, SYS_pidfd_getfd, SYS_kcmp, SYS_perf_event_open, SYS_userfaultfd,
    /* another view of the system */
    SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_setns, SYS_unshare, SYS_open_tree,
    SYS_move_mount, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick, SYS_mount_setattr,
    SYS_open_by_handle_at,
    /* the kernel itself */
    SYS_bpf, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load,
    SYS_kexec_file_load, SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl,
    SYS_settimeofday, SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex, SYS_sethostname,
    SYS_setdomainname, SYS_add_key, SYS_request_key, SYS_keyctl
};

enum { NAME_MEMORY = 0x53564d41 }; /* PR_SET_VMA, by malloc */

static const struct checked_call checked[] = {
    /* TCP, UDP and unix sockets: no raw packets, no netlink */
    { SYS_socket,
      { { .argument = 0, .mask = ~0u, .count = 3, .values = { AF_UNIX, AF_INET, AF_INET6 } },
        { .argument = 1, .mask = 0xf, .count = 2, .values = { SOCK_STREAM, SOCK_DGRAM } },
        { .argument = 2, .mask = ~0u, .count = 3, .values = { 0, IPPROTO_TCP, IPPROTO_UDP } } } },
    { SYS_socketpair, { { .argument = 0, .mask = ~0u, .count = 1, .values = { AF_UNIX } } } },
    /* a thread, never a process */
    { SYS_clone,
      { { .argument = 0, .mask = CLONE_THREAD, .count = 1, .values = { CLONE_THREAD } } } },
    /* abort() and raise(): signals to ourselves alone */
    { SYS_tgkill, { { .argument = 0, .mask = ~0u, .count = 1, .values = { CALL_OURSELVES } } } },
    /* a thread that builds settings gives way to those who serve */
    { SYS_setpriority,
      { { .argument = 0, .mask = ~0u, .count = 1, .values = { PRIO_PROCESS } },
        { .argument = 1, .mask = ~0u, .count = 1, .values = { 0 } } } },
    { SYS_prlimit64,
      { { .argument = 0, .mask = ~0u, .count = 2, .values = { 0, CALL_OURSELVES } } } },
    /* names that help who looks on; nothing that gives rights back */
    { SYS_prctl,
      { { .argument = 0,
          .mask = ~0u,
          .count = 3,
          .values = { PR_SET_NAME, PR_GET_NAME, NAME_MEMORY } } } },
    /* what is asked of sockets, pipes and terminals; never a byte typed into one */
    { SYS_ioctl,
      { { .argument = 1,
          .mask = ~0u,
          .count = 5,
          .values = { FIONREAD, FIONBIO, TCGETS, TIOCGWINSZ, SIOCOUTQ } } } },
};

const struct call_rules calls_common = {
    .allowed = { allowed, COUNT(allowed) },
    .missing = { missing, COUNT(missing) },
    .deadly = { deadly, COUNT(deadly) },
    .checked = checked,
    .checked_count = COUNT(checked),
};
