#ifndef FETCH_GATEWAY_H
#define FETCH_GATEWAY_H

/* `fastcgi_param`, `uwsgi_param`, `scgi_param`. */
extern const struct module gateway_module;

#endif
