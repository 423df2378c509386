#ifndef SERVE_SSL_MODULE_H
#define SERVE_SSL_MODULE_H

#include "exchange/module.h"

/* `ssl_*`, in servers and forward blocks. */
extern const struct module ssl_module;

#endif
