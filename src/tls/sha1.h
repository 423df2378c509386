#ifndef TLS_SHA1_H
#define TLS_SHA1_H

#include "base/span.h"

/* For protocols that fix it (RFC 6455 4.2.2); it protects nothing. False: no memory. */
enum { SHA1_SIZE = 20 };
bool sha1(struct span bytes, unsigned char ret[SHA1_SIZE]);

#endif
