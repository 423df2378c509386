#ifndef FETCH_PROXY_REDIRECT_H
#define FETCH_PROXY_REDIRECT_H

#include "conf/settings.h"

struct conf;

/* `proxy_redirect`: what becomes of an upstream's Location and Refresh (nginx-semantics 7.3). */
struct exchange;
struct proxy_settings;

struct proxy_redirects {
    struct conf_list lines; /* of struct redirect_line; without any: as `default` */
    bool off;
};

extern const struct conf_type proxy_redirect_type; /* field: struct proxy_redirects */

/* `default` stands for what is written in proxy_pass: there it must be known. */
bool proxy_redirect_check(struct conf *conf, const struct proxy_settings *own);
/* Of the answer in x->response. */
void proxy_redirect(struct exchange *x, const struct proxy_settings *own);

#endif
