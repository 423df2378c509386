/* The kinds of values that directives have (nginx-semantics 1.2), with NGINX's words for what is
 * wrong. Each has a setter, which reads word 1 into the field, and what -T prints of the field. */
#include "conf/types.h"

#include "base/arena.h"
#include "base/buf.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/settings.h"
#include "conf/tree.h"

static const uint64_t most = INT64_MAX; /* NGINX's largest number */
static const char a_size[] = "a number of bytes, with k or m behind it if you like: 512, 16k";

/* Word 1 without moving it to the generation arena. */
static struct span value_of(const struct conf_call *call)
{
    return call->node->count > 1 ? call->node->words[1].text : (struct span){ "", 0 };
}

static bool invalid(struct conf_call *call, unsigned word, const char *expected)
{
    conf_refuse(call, word, "\"%s\" directive invalid value", call->row->name);
    conf_hint(call->conf, "expected: %s", expected);
    return false;
}

/* --- reading -------------------------------------------------------------------------------- */

static bool add_digit(uint64_t *value, char digit, uint64_t max)
{
    uint64_t more = (uint64_t)(digit - '0');

    if (more > max || *value > (max - more) / 10)
        return false;
    *value = *value * 10 + more;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool conf_read_number(struct span text, uint64_t max, uint64_t *ret)
{
    uint64_t value = 0;

    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!is_digit(text.at[i]) || !add_digit(&value, text.at[i], max))
            return false;
    *ret = value;
    return true;
}

bool conf_read_size(struct span text, bool giga, uint64_t *ret)
{
    char unit = text.len > 0 ? ascii_lower(text.at[text.len - 1]) : '\0';
    unsigned shift = unit == 'k' ? 10 : unit == 'm' ? 20 : unit == 'g' && giga ? 30 : 0;
    uint64_t value;

    if (shift > 0)
        text.len--;
    if (!conf_read_number(text, most >> shift, &value))
        return false;
    *ret = value << shift;
    return true;
}

static const struct unit {
    const char *name;
    uint64_t ms;
} units[] = {
    /* in the order in which they may stand; the empty name: seconds */
    { "y", 365 * 86400000ull },
    { "M", 30 * 86400000ull },
    { "w", 7 * 86400000ull },
    { "d", 86400000 },
    { "h", 3600000 },
    { "m", 60000 },
    { "s", 1000 },
    { "ms", 1 },
    { "", 1000 },
};

enum { FIRST_UNIT = 0, FIRST_OF_TIME = 2, MILLISECONDS = 7, NO_UNIT = 8 };

/* The unit at the start of the text, of those from `next` on; COUNT(units): none. */
static unsigned find_unit(struct span text, unsigned next)
{
    size_t len = 0;

    while (len < text.len && !is_digit(text.at[len]) && text.at[len] != ' ')
        len++;
    for (unsigned i = next; i < COUNT(units); i++)
        if (span_is(span_first(text, len), units[i].name))
            return i;
    return COUNT(units);
}

/* One number with its unit, off the front of the text. `next`: the largest unit that may come. */
static bool read_part(struct span *text, unsigned *next, bool with_ms, uint64_t *total)
{
    uint64_t value = 0;
    size_t digits = 0;

    while (digits < text->len && is_digit(text->at[digits]))
        if (!add_digit(&value, text->at[digits++], most))
            return false;
    *text = span_from(*text, digits);
    unsigned unit = find_unit(*text, *next);
    if (digits == 0 || unit == COUNT(units) || (unit == MILLISECONDS && !with_ms))
        return false;
    if (unit == NO_UNIT && *next > MILLISECONDS - 1) /* seconds have been said */
        return false;
    if (value > (most - *total) / units[unit].ms)
        return false;
    *text = span_from(*text, strlen(units[unit].name));
    *next = unit + 1;
    *total += value * units[unit].ms;
    return true;
}

static bool read_duration(struct span text, unsigned first, bool with_ms, uint64_t *ret_ms)
{
    uint64_t total = 0;

    if (text.len == 0)
        return false;
    while (text.len > 0) {
        if (!read_part(&text, &first, with_ms, &total))
            return false;
        while (text.len > 0 && *text.at == ' ')
            text = span_from(text, 1);
    }
    *ret_ms = total;
    return true;
}

bool conf_read_time(struct span text, uint64_t *ret_ms)
{
    return read_duration(text, FIRST_OF_TIME, true, ret_ms);
}

bool conf_read_seconds(struct span text, uint64_t *ret_ms)
{
    return read_duration(text, FIRST_UNIT, false, ret_ms);
}

/* --- setters -------------------------------------------------------------------------------- */

static bool set_flag(struct conf_call *call, void *field)
{
    struct span value = value_of(call);
    bool on = span_is_caseless(value, "on");

    if (!on && !span_is_caseless(value, "off"))
        return conf_refuse(
            call, 1, "invalid value \"%.*s\" in \"%s\" directive, it must be \"on\" or \"off\"",
            (int)value.len, value.at, call->row->name);
    *(bool *)field = on;
    return true;
}

static bool refuse_number(struct conf_call *call)
{
    conf_refuse(call, 1, "\"%s\" directive invalid number", call->row->name);
    conf_hint(call->conf, "expected: digits");
    return false;
}

static bool set_number(struct conf_call *call, void *field)
{
    const struct conf_range *range = call->row->extra;
    uint64_t value;

    if (!conf_read_number(value_of(call), most, &value))
        return refuse_number(call);
    if (range != NULL && range->max >= most && value < range->min)
        return conf_refuse(call, 1, "value must be equal to or greater than %llu",
                           (unsigned long long)range->min);
    if (range != NULL && (value < range->min || value > range->max))
        return conf_refuse(call, 1, "value must be between %llu and %llu",
                           (unsigned long long)range->min, (unsigned long long)range->max);
    *(uint64_t *)field = value;
    return true;
}

static bool set_size(struct conf_call *call, void *field)
{
    return conf_read_size(value_of(call), false, field) || invalid(call, 1, a_size);
}

static bool set_offset(struct conf_call *call, void *field)
{
    return conf_read_size(value_of(call), true, field) ||
           invalid(call, 1,
                   "a number of bytes, with k, m or g behind it if you like: 512, 16k, 1g");
}

static bool set_time(struct conf_call *call, void *field)
{
    return conf_read_time(value_of(call), field) ||
           invalid(call, 1, "a time, largest unit first: 30s, 1h30m, 500ms");
}

static bool set_seconds(struct conf_call *call, void *field)
{
    return conf_read_seconds(value_of(call), field) ||
           invalid(call, 1, "a time in whole seconds, largest unit first: 30s, 1h30m, 1y");
}

static bool set_text(struct conf_call *call, void *field)
{
    *(struct span *)field = conf_word(call, 1);
    return true;
}

static bool set_path(struct conf_call *call, void *field)
{
    struct placed_path *path = field;

    *path = (struct placed_path){ conf_prefix_path(call, value_of(call)), conf_place(call, 0) };
    return true;
}

/* FOLDER [LEVEL [LEVEL [LEVEL]]]: how many digits the name of a folder has at each level. */
static bool set_temp_path(struct conf_call *call, void *field)
{
    uint64_t left = 9, digits; /* NGINX's bound of all together */

    for (unsigned i = 2; i < conf_count(call); i++) {
        if (!conf_read_number(conf_word(call, i), left, &digits) || digits == 0)
            return conf_refuse(call, i, "invalid value \"%s\"",
                               arena_cstr(conf_arena(call), conf_word(call, i)));
        left -= digits;
    }
    return set_path(call, field);
}

/* The name that word `word` is. NULL: refused. */
static const struct conf_name *read_name(struct conf_call *call, unsigned word)
{
    const struct conf_name *names = call->row->extra;
    struct span value = conf_word(call, word), all[32];
    size_t count = 0;

    for (const struct conf_name *n = names; n->name != NULL; n++)
        if (span_is_caseless(value, n->name))
            return n;
    conf_refuse(call, word, "invalid value \"%.*s\"", (int)value.len, value.at);

    while (count < COUNT(all) && names[count].name != NULL) {
        all[count] = span_of(names[count].name);
        count++;
    }
    conf_suggest(call->conf, conf_nearest(value, all, count));
    return NULL;
}

static bool set_choice(struct conf_call *call, void *field)
{
    const struct conf_name *name = read_name(call, 1);

    if (name != NULL)
        *(unsigned *)field = name->value;
    return name != NULL;
}

static bool set_choices(struct conf_call *call, void *field)
{
    unsigned *bits = field;

    for (unsigned i = 1; i < conf_count(call); i++) {
        const struct conf_name *name = read_name(call, i);

        if (name == NULL)
            return false;
        if (*bits & name->value)
            conf_warn(call, i, "duplicate value \"%s\"", name->name);
        *bits |= name->value;
    }
    return true;
}

/* All of them together: who uses them counts in 32 bits. */
static const uint64_t LARGEST_BUFFERS = 1 << 30;

static bool set_buffers(struct conf_call *call, void *field)
{
    struct conf_buffers buffers;
    struct span size = call->node->count > 2 ? call->node->words[2].text : (struct span){ "", 0 };

    if (!conf_read_number(value_of(call), most, &buffers.count) || buffers.count == 0)
        return invalid(call, 1, "a number of buffers, then the size of each: 4 8k");
    if (!conf_read_size(size, false, &buffers.size) || buffers.size == 0 ||
        buffers.size > LARGEST_BUFFERS / buffers.count)
        return invalid(call, 2, a_size);
    *(struct conf_buffers *)field = buffers;
    return true;
}

/* What has no effect is read all the same: a value that NGINX refuses is a mistake here too. */
static bool is_good_value(const struct conf_call *call)
{
    const struct conf_type *type = call->row->extra;
    struct directive row = *call->row;
    struct conf_call reading = *call;
    union {
        bool flag;
        uint64_t number;
        struct conf_buffers buffers;
        struct span text;
        struct placed_path path;
    } unused;

    row.extra = NULL; /* it is ours, not the type's */
    reading.row = &row;
    return type == NULL || type->set(&reading, &unused);
}

static bool set_nothing(struct conf_call *call, void *field)
{
    (void)field;
    if (!is_good_value(call))
        return false;
    conf_warn_once(call, "\"%s\" is accepted and has no effect", call->row->name);
    return true;
}

/* --- printing ------------------------------------------------------------------------------- */

static void print_flag(const void *field, struct buf *out)
{
    buf_adds(out, *(const bool *)field ? "on" : "off");
}

static void print_number(const void *field, struct buf *out)
{
    buf_add_decimal(out, *(const uint64_t *)field);
}

static void print_size(const void *field, struct buf *out)
{
    uint64_t value = *(const uint64_t *)field;
    unsigned shift = value == 0 ? 0 : value % (1 << 20) == 0 ? 20 : value % (1 << 10) == 0 ? 10 : 0;

    buf_add_decimal(out, value >> shift);
    buf_adds(out, shift == 20 ? "m" : shift == 10 ? "k" : "");
}

static void print_time(const void *field, struct buf *out)
{
    uint64_t ms = *(const uint64_t *)field;
    bool whole = ms % 1000 == 0;

    buf_add_decimal(out, whole ? ms / 1000 : ms);
    buf_adds(out, whole ? "s" : "ms");
}

static void print_buffers(const void *field, struct buf *out)
{
    const struct conf_buffers *buffers = field;

    buf_add_decimal(out, buffers->count);
    buf_adds(out, " ");
    print_size(&buffers->size, out);
}

const struct conf_type conf_flag = { .set = set_flag, .size = sizeof(bool), .print = print_flag };
const struct conf_type conf_number = { .set = set_number,
                                       .size = sizeof(uint64_t),
                                       .print = print_number };
const struct conf_type conf_size = { .set = set_size,
                                     .size = sizeof(uint64_t),
                                     .print = print_size };
const struct conf_type conf_offset = { .set = set_offset,
                                       .size = sizeof(uint64_t),
                                       .print = print_size };
const struct conf_type conf_time = { .set = set_time,
                                     .size = sizeof(uint64_t),
                                     .print = print_time };
const struct conf_type conf_seconds = { .set = set_seconds,
                                        .size = sizeof(uint64_t),
                                        .print = print_time };
const struct conf_type conf_text = { .set = set_text, .size = sizeof(struct span) };
const struct conf_type conf_path = { .set = set_path, .size = sizeof(struct placed_path) };
const struct conf_type conf_temp_path = { .set = set_temp_path,
                                          .size = sizeof(struct placed_path) };
const struct conf_type conf_choice = { .set = set_choice, .size = sizeof(unsigned) };
const struct conf_type conf_choices = { .set = set_choices,
                                        .size = sizeof(unsigned),
                                        .many = true };
const struct conf_type conf_buffers = { .set = set_buffers,
                                        .size = sizeof(struct conf_buffers),
                                        .print = print_buffers };
const struct conf_type conf_nothing = { .set = set_nothing };
