#ifndef FILTER_HEADERS_H
#define FILTER_HEADERS_H

/* `add_header`: fields of answers. */
extern const struct module headers_module;

#endif
