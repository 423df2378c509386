#ifndef NET_IO_H
#define NET_IO_H

/* How an operation ended. */
enum io { IO_OK, IO_AGAIN, IO_EOF, IO_TIMEOUT, IO_CANCELLED, IO_FAILED };
enum wake { WAKE_DONE, WAKE_TIMEOUT, WAKE_CANCEL };

#endif
