#ifndef DECIDE_SERVER_H
#define DECIDE_SERVER_H

/* `server`, `server_name`: which server of a listener a host belongs to. */
extern const struct module server_module;

#endif
