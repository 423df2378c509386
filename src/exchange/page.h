#ifndef EXCHANGE_PAGE_H
#define EXCHANGE_PAGE_H

#include "base/span.h"
#include "exchange/decision.h"

struct exchange;

/* Pages of our own that no `error_page` replaces: for whoever has asked it, or is past it. */

/* An error with its status and NGINX's text. */
void page_error(struct exchange *x, unsigned status);
/* A redirect to `location`, which leaves as it is. */
enum verdict page_redirect(struct exchange *x, unsigned status, struct span location);

#endif
