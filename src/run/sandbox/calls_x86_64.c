/* What only x86_64 has: older forms of calls that the C library still makes, and ports. */
#include "base/span.h"
#include "run/sandbox/calls.h"

#include <linux/audit.h>
#include <sys/syscall.h>

static const uint16_t allowed[] = { SYS_open,      SYS_stat,       SYS_lstat,  SYS_access,
                                    SYS_readlink,  SYS_unlink,     SYS_rename, SYS_mkdir,
                                    SYS_rmdir,     SYS_poll,       SYS_select, SYS_pipe,
                                    SYS_dup2,      SYS_epoll_wait, SYS_time,   SYS_getrlimit,
                                    SYS_arch_prctl };

static const uint16_t deadly[] = { SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_uselib };

const struct call_rules calls_machine = {
    .allowed = { allowed, COUNT(allowed) },
    .deadly = { deadly, COUNT(deadly) },
};

const uint32_t calls_architecture = AUDIT_ARCH_X86_64;
