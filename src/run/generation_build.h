#ifndef RUN_GENERATION_BUILD_H
#define RUN_GENERATION_BUILD_H

struct buf;
struct bundle_request;
struct conf_source;
struct generation;
struct worker;

/* From a bundle to a generation: the only way to settings. */

/* Reads what `source` gives and builds a whole tree. The conf (never NULL) says whether it is good,
 * and is the caller's to free; `ret` has one reference, also when it is not good. */
struct conf *generation_make(const struct bundle_request *request, struct conf_source *source,
                             struct generation **ret);
/* All messages of the conf, printed. */
void generation_messages(const struct conf *conf, struct buf *out);

/* A generation from a sealed bundle, not yet started. NULL: messages say why (it was checked when
 * the bundle was made). */
struct generation *generation_build(int bundle_fd, struct buf *messages);
/* Starts its modules in a worker and makes it the newest: what new exchanges begin with. The one
 * before it is let go. `zones`: as zones_take() has them. */
void generation_swap(struct worker *w, struct generation *g, const int *zones);

#endif
