#ifndef DECIDE_ACCESS_H
#define DECIDE_ACCESS_H

/* `allow`, `deny`: by the client's address. */
extern const struct module access_module;

#endif
