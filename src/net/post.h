#ifndef NET_POST_H
#define NET_POST_H

#include "net/sock.h"

/* What another thread tells a loop: a call, made in the loop's thread in a later turn. */
struct post { /* embed it; the loop's from loop_post until its call */
    struct post *next;
    void (*fn)(struct post *p);
};

struct postbox {
    struct sock sock;   /* an eventfd */
    struct post *first; /* newest first; atomic */
};

/* 0 or -errno. */
int postbox_open(struct postbox *b, struct loop *l);
void postbox_close(struct postbox *b); /* nobody posts any more; a turn of the loop ends it */
/* From any thread. */
void loop_post(struct postbox *b, struct post *p);

#endif
