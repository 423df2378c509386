#ifndef SERVE_LISTEN_H
#define SERVE_LISTEN_H

/* `listen`, in server and forward blocks: after its init, generation->listeners is whole. */
extern const struct module listen_module;

#endif
