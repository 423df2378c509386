#ifndef SERVE_SSL_MODULE_H
#define SERVE_SSL_MODULE_H

/* `ssl_*`, in servers and forward blocks. */
extern const struct module ssl_module;

#endif
