#ifndef RUN_WORKER_ROLE_H
#define RUN_WORKER_ROLE_H

/* A worker of a master: takes its orders from a channel. The exit code. */
int worker_role(int channel);

#endif
