#ifndef FILTER_CONDITIONAL_H
#define FILTER_CONDITIONAL_H

/* 304 and 412, by If-Modified-Since, If-None-Match and their kin. */
extern const struct module conditional_module;

#endif
