/* A client that is not there: what is left of a tunnel's exchange while its pump runs has this one.
 */
#include "exchange/nobody.h"

#include "exchange/client.h"
#include "net/io.h"

#include <stddef.h>

static enum io nobody_read_head(struct client *c)
{
    (void)c;
    return IO_EOF;
}

static enum io nobody_read_body(struct client *c, struct part *ret)
{
    (void)c, (void)ret;
    return IO_EOF;
}

static enum io nobody_send(struct client *c)
{
    (void)c;
    return IO_OK;
}

static bool nobody_drop_head(struct client *c)
{
    (void)c;
    return false;
}

static enum io nobody_send_part(struct client *c, const struct part *p)
{
    (void)c, (void)p;
    return IO_OK;
}

static enum io nobody_send_interim(struct client *c, unsigned status, const struct fields *fields)
{
    (void)c, (void)status, (void)fields;
    return IO_OK;
}

static void nobody_watch(struct client *c, bool on)
{
    (void)c, (void)on;
}

static struct conn *nobody_take(struct client *c, void (**ret_on_closed)(void *), void **ret_arg)
{
    (void)c, (void)ret_on_closed, (void)ret_arg;
    return NULL;
}

static const struct conn *nobody_conn(const struct client *c)
{
    (void)c;
    return NULL;
}

const struct client_ops nobody_ops = {
    .read_head = nobody_read_head,
    .read_body = nobody_read_body,
    .send_head = nobody_send,
    .drop_head = nobody_drop_head,
    .flush = nobody_send,
    .send_part = nobody_send_part,
    .send_end = nobody_send,
    .send_interim = nobody_send_interim,
    .watch = nobody_watch,
    .take = nobody_take,
    .conn = nobody_conn,
};
