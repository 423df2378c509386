/* The reading side of filters. Owns the inner source, and a block for pieces of files. */
#include "filter/input.h"

#include "base/span.h"
#include "exchange/source.h"
#include "exchange/turn.h"

void input_init(struct input *in, struct source *inner)
{
    *in = (struct input){ .inner = inner };
}

void input_close(struct input *in)
{
    block_unref(in->file);
    in->inner->ops->close(in->inner);
}

bool input_is_over(const struct input *in)
{
    return in->part.last && part_length(&in->part) == 0;
}

bool input_ready(const struct input *in)
{
    return part_length(&in->part) > 0 || in->part.last || in->inner->ops->ready == NULL ||
           in->inner->ops->ready(in->inner);
}

/* A part with something in it. */
static enum io next_part(struct input *in)
{
    if (part_length(&in->part) > 0)
        return IO_OK;
    if (input_is_over(in))
        return IO_EOF;
    enum io io = in->inner->ops->read(in->inner, &in->part);
    if (io == IO_EOF)
        in->part = (struct part){ .last = true };
    return io;
}

static enum io read_file(struct input *in, size_t most, struct span *ret)
{
    struct part piece = in->part;

    if (piece.length > most)
        piece.length = most;
    enum io io = source_read_file(in->inner->x, &piece, &in->file, ret);
    if (io != IO_OK)
        return io;
    in->part.offset += ret->len;
    in->part.length -= ret->len;
    return IO_OK;
}

enum io input_read(struct input *in, size_t most, struct span *ret)
{
    enum io io = next_part(in);

    if (io != IO_OK)
        return io;
    if (in->part.kind == PART_FILE)
        return read_file(in, most, ret);
    *ret = span_first(in->part.bytes, most);
    in->part.bytes = span_from(in->part.bytes, ret->len);
    return IO_OK;
}

enum io input_pass(struct input *in, struct part *ret)
{
    enum io io = next_part(in);

    if (io != IO_OK)
        return io;
    *ret = in->part;
    in->part = (struct part){ .last = in->part.last };
    return IO_OK;
}
