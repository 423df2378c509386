#ifndef CONF_PARSER_H
#define CONF_PARSER_H

#include "base/span.h"

struct conf;

enum { DEEPEST_BLOCK = 64, DEEPEST_INCLUDE = 64 };

/* Of one configuration; what is included several times counts each time: a few small files can
 * unfold to billions of lines. */
enum { MOST_DIRECTIVES = 4 << 20, MOST_WORDS_IN_ALL = 16 << 20, MOST_TEXT = 256 << 20 };

/* Reads -g, the main file and what they include. All errors are noted; what could be read is
 * returned, in the tree arena: the nodes of the top. */
struct conf_node *parser_read(struct conf *c);
/* One line that is no file's, such as a default: place line 0. Aborts if it cannot be read. */
struct conf_node *parser_line(struct conf *c, struct span text);

#endif
