#ifndef FILTER_RANGE_H
#define FILTER_RANGE_H

/* 206 and 416: a single part of an answer of known length. */
extern const struct module range_module;

#endif
