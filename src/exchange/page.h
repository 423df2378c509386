#ifndef EXCHANGE_PAGE_H
#define EXCHANGE_PAGE_H

#include "exchange/exchange.h"

/* Pages of our own that no `error_page` replaces: for whoever has asked it, or is past it. */

/* An error with its status and NGINX's text. */
void page_error(struct exchange *x, unsigned status);
/* A redirect to `location`, which leaves as it is. */
enum verdict page_redirect(struct exchange *x, unsigned status, struct span location);

#endif
