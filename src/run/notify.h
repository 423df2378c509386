#ifndef RUN_NOTIFY_H
#define RUN_NOTIFY_H

/* What a service manager is told, by the socket that $NOTIFY_SOCKET names (sd_notify): lines like
 * `READY=1`. Without one nothing happens. */
void notify(const char *lines);
/* READY, with our pid: after an upgrade it is another one. */
void notify_ready(void);
void notify_reloading(void);

#endif
