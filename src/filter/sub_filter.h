#ifndef FILTER_SUB_FILTER_H
#define FILTER_SUB_FILTER_H

/* `sub_filter`: texts replaced in answers. */
extern const struct module sub_filter_module;

#endif
