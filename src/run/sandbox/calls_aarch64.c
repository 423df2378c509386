/* Of aarch64, which has no calls of its own. */
#include "run/sandbox/calls.h"

#include <linux/audit.h>

const struct call_rules calls_machine = { .checked_count = 0 };

const uint32_t calls_architecture = AUDIT_ARCH_AARCH64;
