#ifndef RUN_USAGE_H
#define RUN_USAGE_H

#include <stdbool.h>

/* What the command line knows, for `-h`, the manual page and the completion of shells. Each table
 * ends with a row without name. */
struct usage_option {
    char flag;
    const char *requires; /* of its value: `file name`; NULL: it has none */
    const char *value;    /* as usage shows it */
    const char *help;
};
extern const struct usage_option usage_options[];

struct usage_command {
    const char *name;
    const char *words;   /* that may follow */
    const char *options; /* of these, the long ones, for completion; parted by spaces */
    const char *help;
};
extern const struct usage_command usage_commands[];

/* `-h` */
void usage_print(void);
/* Of one command; false: there is none of this name. */
bool usage_print_command(const char *name);
/* Is it a wish for help? */
bool usage_is_wanted(const char *word);

#endif
