#ifndef FILTER_INPUT_H
#define FILTER_INPUT_H

#include "exchange/source.h"

/* What a filter that changes bodies reads: the inner source's parts as bytes in memory, pieces of
 * files among them: the kernel cannot change what it sends. */
struct input {
    struct source *inner; /* owned */
    struct part part;     /* what is left of the last one */
    struct block *file;   /* owned: what was read of a piece of a file; NULL: none was needed */
};

void input_init(struct input *in, struct source *inner);
void input_close(struct input *in);
/* Something is left of a part, the end is known, or the inner source would not wait. */
bool input_ready(const struct input *in);
/* Nothing will come: known only if the last part said so. */
bool input_is_over(const struct input *in);
/* At most `most` bytes, good until the next read. IO_EOF: the body is complete. */
enum io input_read(struct input *in, size_t most, struct span *ret);
/* A part as it is, once `input_read` is no longer asked. */
enum io input_pass(struct input *in, struct part *ret);

#endif
