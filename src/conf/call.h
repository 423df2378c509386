#ifndef CONF_CALL_H
#define CONF_CALL_H

#include "base/span.h"

struct conf_list;
struct place;

/* What a setter is given: one line of the configuration, and the means to read it. */
struct conf_call {
    struct conf *conf;
    const struct directive *row;
    const struct conf_node *node;
    struct conf_block *block; /* where it stands */
    struct conf_block *inner; /* of a row that opens a context: the finished inner block */
};

/* Word 0 is the directive's name; beyond the last word: empty. Bytes: the generation arena's. */
struct span conf_word(const struct conf_call *call, unsigned i);
unsigned conf_count(const struct conf_call *call); /* the name counts */
bool conf_is_quoted(const struct conf_call *call, unsigned i);

/* Notes an error at a word; always false, so that a setter can `return conf_refuse(...)`. The text
 * is NGINX's where it has one; " in FILE:LINE", the line and the caret are added. */
bool conf_refuse(struct conf_call *call, unsigned word, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a block that may not stand inside the one around it. If some block is not closed, it
 * is told that this will be the one. */
bool conf_refuse_inside(struct conf_call *call, unsigned word, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void conf_warn(struct conf_call *call, unsigned word, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* At the name, and for the first line of its row only. */
void conf_warn_once(struct conf_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* From a check, or for words inside a raw block. */
bool conf_complain(struct conf *conf, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void conf_caution(struct conf *conf, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Is anybody there to read warnings of what is legal and most likely not meant? They may take time
 * that a start has not. */
bool conf_advises(const struct conf *conf);

/* Lines of `name` in a block replace those of the blocks around it; warns if they leave out a first
 * word that stands there. From a check; only if conf_advises. */
void conf_warn_of_replaced(struct conf *conf, const struct conf_block *block, const char *name);

/* A further line below the error or warning that was noted last. */
void conf_hint(struct conf *conf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* `did you mean "..."?`, if there is something near (conf_nearest). */
void conf_suggest(struct conf *conf, struct span near);

struct place conf_place(const struct conf_call *call, unsigned word);
struct span conf_file_name(const struct conf *conf, uint16_t file);
struct arena *conf_arena(const struct conf_call *call);
struct arena *conf_arena_of(struct conf *conf);
void *conf_user(const struct conf_call *call); /* what conf_build was given */
void *conf_user_of(struct conf *conf);
/* Does a directive of this name stand in the block itself? */
bool conf_stands(const struct conf *conf, const struct conf_block *block, const char *name);
/* Appends a copy of the item. */
bool conf_list_add(struct conf_call *call, struct conf_list *list, const void *item, size_t size);

/* Relative paths: to the prefix, or to the folder of the configuration file. Ended by a zero that
 * `len` does not count. */
struct span conf_prefix_path(const struct conf_call *call, struct span path);
struct span conf_file_path(const struct conf_call *call, struct span path);

/* The name nearest to `word` (few edits) among `names`, for "did you mean"; empty: none is near. */
struct span conf_nearest(struct span word, const struct span *names, size_t count);
/* `did you mean "..."?` of a word of a line; the NULL behind the last name ends them. Of `a=1` only
 * `a=` is compared. False, as conf_refuse. */
bool conf_suggest_one_of(struct conf_call *call, unsigned word, const char *const *names);

#endif
