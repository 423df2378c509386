#ifndef FILTER_SUB_FILTER_H
#define FILTER_SUB_FILTER_H

#include "exchange/module.h"

/* `sub_filter`: texts replaced in answers. */
extern const struct module sub_filter_module;

#endif
