/* A build with sanitizers or counters: at its end the search for leaks stops its own threads by
 * ptrace, a symbolizer is run, and findings are written wherever they were told to be. The other
 * rules stand, so that tests of such a build still meet them. */
#include "base/span.h"
#include "run/sandbox/calls.h"

#include <sys/syscall.h>

static const uint16_t allowed[] = { SYS_ptrace,  SYS_clone,  SYS_execve,
                                    SYS_kill,    SYS_tgkill, SYS_prctl,
                                    SYS_mincore, SYS_mlock,  SYS_memfd_create };

const struct call_rules calls_build = { .allowed = { allowed, COUNT(allowed) } };

const bool calls_confine_files = false;
