/* Which words of a configuration are secrets, by the name of what they are given to. */
#include "exchange/secret.h"

#include "base/span.h"
#include "conf/tree.h"
#include "proto/fields.h"

/* Names that are no standard's, of fields and of parameters: X-Api-Key, DB_PASSWORD. */
static const char *const telling[] = { "secret",  "password", "passwd", "token",
                                       "api-key", "api_key",  "apikey" };

static bool tells(struct span name)
{
    for (size_t i = 0; i < COUNT(telling); i++)
        for (size_t at = 0; at < name.len; at++)
            if (span_starts_caseless(span_from(name, at), telling[i]))
                return true;
    return false;
}

bool secret_is_field_value(const struct conf_word *words, unsigned i)
{
    struct span name = words[1].text, value = words[i].text;

    return i == 2 && value.len > 0 && value.at[0] != '$' &&
           (field_is_sensitive(field_id_of(name)) || tells(name));
}
