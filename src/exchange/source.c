/* What sources share. Owns nothing. */
#include "exchange/source.h"

#include "base/errlog.h"
#include "exchange/client.h"
#include "exchange/core.h"
#include "exchange/exchange.h"
#include "exchange/fault.h"
#include "exchange/log.h"
#include "exchange/worker.h"
#include "net/block.h"
#include "net/conn.h"
#include "net/loop.h"

#include <errno.h>
#include <unistd.h>

bool source_may_send_files(const struct exchange *x)
{
    const struct conn *conn = x->client->ops->conn(x->client);

    return x->core->tcp.sendfile && conn != NULL && conn_plain(conn);
}

/* Never by mapping: a file that shrank would kill us. */
enum io source_read_file(struct exchange *x, const struct part *file, struct block **block,
                         struct span *ret)
{
    if (*block == NULL)
        *block = block_get(&x->worker->loop->blocks);
    if (*block == NULL) {
        x->fault = FAULT_PROXY_INTERNAL_ERROR;
        return IO_FAILED;
    }
    size_t want = file->length < BLOCK_SIZE ? (size_t)file->length : BLOCK_SIZE;
    ssize_t got = pread(file->file, (*block)->data, want, (off_t)file->offset);
    if (got <= 0) {
        exchange_log(x, LEVEL_ERROR, got < 0 ? errno : 0,
                     "a file became shorter while it was sent");
        x->fault = FAULT_PROXY_INTERNAL_ERROR;
        return IO_FAILED;
    }
    *ret = (struct span){ (*block)->data, (size_t)got };
    return IO_OK;
}
