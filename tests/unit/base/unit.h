/* What every unit test begins with. */
#ifndef TESTS_UNIT_BASE_UNIT_H
#define TESTS_UNIT_BASE_UNIT_H

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* Says both when they differ. */
static inline void assert_span(struct span got, const char *want)
{
    if (!span_is(got, want))
        fail_msg("got \"%.*s\", want \"%s\"", (int)got.len, got.at ? got.at : "", want);
}

#endif
