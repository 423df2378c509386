#ifndef EXCHANGE_REQUEST_VARIABLES_H
#define EXCHANGE_REQUEST_VARIABLES_H

#include "exchange/variable.h"

/* `$uri`, `$host`, `$status` ...: what an exchange knows by itself (nginx-semantics 10). */
extern const struct variable request_variables[];

#endif
