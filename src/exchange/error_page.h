#ifndef EXCHANGE_ERROR_PAGE_H
#define EXCHANGE_ERROR_PAGE_H

#include <stdbool.h>

struct exchange;

/* `error_page`, `recursive_error_pages` (nginx-semantics 6.7): what is sent instead of a page of
 * ours. Every error passes exchange_refuse, and exchange_refuse asks here. */
extern const struct module error_page_module;

/* There is a line for this status in the block in force, and it may still be used: the exchange was
 * restarted, or another source is set. False: the status gets a page of ours. */
bool error_page_answers(struct exchange *x, unsigned status);
/* There is a line for this status, used up or not: for upstreams' errors. */
bool error_page_names(const struct exchange *x, unsigned status);

#endif
