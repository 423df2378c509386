#ifndef DECIDE_REWRITE_H
#define DECIDE_REWRITE_H

extern const struct module rewrite_module;

#endif
