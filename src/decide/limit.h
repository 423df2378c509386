#ifndef DECIDE_LIMIT_H
#define DECIDE_LIMIT_H

#include "conf/types.h"

#include <stdbool.h>
#include <stdint.h>

struct conf_call;
struct template;

/* What limit_conn and limit_req have in common. */

struct exchange;
struct zone_line;

extern const struct conf_name limit_levels[];  /* of *_log_level */
extern const struct conf_range limit_statuses; /* of *_status */

/* The status of a refusal: as `said`, or (0) what the face says. */
unsigned limit_status(const struct exchange *x, uint64_t said);
bool limit_refuse_word(struct conf_call *call, unsigned word); /* invalid parameter; false */
/* No zone of that name was declared before. `line->of` begins with the template of its key. */
bool limit_zone_is_new(struct conf_call *call, const struct zone_line *line);
/* A key that clients write as they like, or leave out, limits nobody who knows it. */
void limit_warn_of_key(struct conf_call *call, const struct template *key);

#endif
