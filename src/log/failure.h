#ifndef LOG_FAILURE_H
#define LOG_FAILURE_H

#include "base/span.h"
#include "conf/settings.h"

/* A log that could not be opened. */
struct log_failure {
    struct span path;   /* generation arena */
    struct place place; /* of its line; line 0: a default */
    int error;          /* errno; 0: none failed */
};

#endif
