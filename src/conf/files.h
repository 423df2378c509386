#ifndef CONF_FILES_H
#define CONF_FILES_H

#include "base/span.h"
#include "conf/source.h"

struct arena;
struct conf;
struct place;

enum { MOST_FILES = 4096, LARGEST_FILE = 64 << 20, NO_FILE = UINT16_MAX };

struct conf_file {
    struct span name; /* tree arena */
    struct span text; /* the source's */
    bool loaded;
};

/* The files of a configuration; each is read once, however often it is included. */
struct files {
    struct conf_file *all; /* tree arena */
    unsigned count;
    unsigned room;
    uint16_t *slots; /* by name; tree arena */
    unsigned mask;
    struct span folder;    /* of the main file, ends with `/` */
    uint16_t command_line; /* -g; NO_FILE: none */
};

/* The file of this name, added if it is new; NO_FILE: too many. */
uint16_t files_add(struct conf *c, struct span name);
/* Reads a file that files_add gave. False: an error was noted at `place`. */
bool files_load(struct conf *c, uint16_t file, struct place place);
/* Absolute, ended by a zero that `len` does not count. */
struct span files_join(struct arena *arena, struct span folder, struct span path);
/* Does `include` take it for a pattern? */
bool files_is_pattern(struct span path);
/* `open() "F" failed (2: No such file or directory)`: what to say of a load that failed. Tree
 * arena. */
struct span files_reason(struct conf *c, struct span path, enum conf_kind kind, int error,
                         const char *reason);

#endif
