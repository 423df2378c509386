#ifndef RUN_EXAMPLES_H
#define RUN_EXAMPLES_H

/* A line for each directive whose form does not say how it is used; NULL ends them. */
extern const char *const directive_examples[];

#endif
