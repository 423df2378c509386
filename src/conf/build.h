#ifndef CONF_BUILD_H
#define CONF_BUILD_H

#include "base/span.h"
#include "conf/settings.h"

struct buf;

/* Reads a configuration and builds the settings of all its blocks:
 *
 *     text -> words -> tree -> rows -> settings
 *
 * All errors of a file come in one run, not only the first. */
struct conf_input {
    struct conf_source *source;
    struct span file;    /* the main file's path */
    struct span text;    /* if at is not NULL: the configuration itself, named `file` */
    struct span prefix;  /* ends with `/` */
    struct span globals; /* the text of -g, or empty */
    const struct conf_module *modules;
    size_t module_count;
    const char *const *later; /* names known, not supported yet; `a_*`: all that begin so */
    struct arena *arena;      /* the settings': the generation's */
    void *user;               /* for the setters */
    bool advice;              /* conf_advises() */
};

enum conf_severity { CONF_ERROR, CONF_WARNING };
/* A block that is not closed makes what follows it misplaced: one mistake, told once. */
enum conf_trouble {
    TROUBLE_OWN,
    TROUBLE_UNCLOSED, /* at the end of a file: some block was never closed */
    TROUBLE_MISPLACED /* it would be right outside the block in which it stands */
};

struct conf_message {
    enum conf_severity severity;
    struct place place; /* line 0: of no place */
    struct span text;
    enum conf_trouble trouble;
    struct span hint; /* a further line that may help: `did you mean "proxy_pass"?`; or empty */
    struct conf_message *next;
};

struct conf; /* holds messages, file names and texts */

/* Never NULL. */
struct conf *conf_build(const struct conf_input *input);
bool conf_is_good(const struct conf *c);           /* no error */
struct conf_block *conf_top(const struct conf *c); /* the main block; generation arena */
/* In the order of files and lines; at most 100 errors and 100 warnings. */
const struct conf_message *conf_messages(const struct conf *c);
/* One message: `bifrons: [emerg] TEXT in FILE:LINE`, then `FILE:LINE:COL`, the source line, the
 * caret, the hint. The source must still live. */
void conf_print_message(const struct conf *c, const struct conf_message *m, struct buf *out);
/* `-T`: the texts that were read, each behind a line `# configuration file PATH:`, and an included
 * one in the place of its `include`: so the whole is one configuration again. What rows call a
 * secret is
 * `***`. For a good conf; the source must still live. */
void conf_dump(struct conf *c, struct buf *out);
unsigned conf_file_count(const struct conf *c); /* names: conf_file_name; 0 is the main file */
struct span conf_file_text(const struct conf *c, uint16_t file);
void conf_free(struct conf **c); /* what lies in the generation arena lives on */

#endif
