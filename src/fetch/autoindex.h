#ifndef FETCH_AUTOINDEX_H
#define FETCH_AUTOINDEX_H

/* `autoindex`: folders without an index as lists; without it, 403. */
extern const struct module autoindex_module;

#endif
