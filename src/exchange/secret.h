#ifndef EXCHANGE_SECRET_H
#define EXCHANGE_SECRET_H

#include <stdbool.h>

struct conf_word;

/* For conf_type.hides, of rows like `proxy_set_header NAME VALUE`: is word `i` the value of a field
 * that holds a credential, by its name? A value that is only a variable is none yet. */
bool secret_is_field_value(const struct conf_word *words, unsigned i);

#endif
