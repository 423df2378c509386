#ifndef LOG_SYSLOG_H
#define LOG_SYSLOG_H

#include "base/span.h"

#include <sys/socket.h>

struct conf_call;

/* Records for a syslog server: one datagram each, over UDP or a unix socket. */
struct syslog {
    struct sockaddr_storage address;
    socklen_t address_length;
    unsigned facility, severity;
    char tag[33];
    bool without_host;
};

/* Reads `syslog:server=ADDRESS[,facility=F][,tag=T][,severity=S][,nohostname]`. */
bool syslog_read(struct conf_call *call, unsigned word, struct syslog *ret);
/* A socket to it, non-blocking, or -errno. */
int syslog_open(const struct syslog *to);
/* One record, of at most 2 KiB, or 1 KiB where that is too long; what is cut ends in `...`. Never
 * waits. `local_time` as in `struct clock`. 0 or -errno: it is lost. */
int syslog_send(int fd, const struct syslog *to, const char *local_time, struct span text);

#endif
