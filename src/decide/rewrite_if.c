/* `if (CONDITION) { ... }` (nginx-semantics 6.2, 6.3).
 *
 *     ($v)                   neither empty nor "0"
 *     ($v = s) ($v != s)     equal, byte for byte
 *     ($v ~ re) ~* !~ !~*    an expression matches
 *     (-f path) -d -e -x     a file, a folder, one of both, something executable; `!` in front: not
 *
 * Where it holds, the block stands for the location around it from there on, and its own steps run.
 */
#include "base/buf.h"
#include "base/errlog.h"
#include "base/pattern.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/settings.h"
#include "decide/rewrite.h"
#include "decide/rewrite_script.h"
#include "exchange/exchange.h"
#include "exchange/expression.h"
#include "exchange/generation.h"
#include "exchange/log.h"
#include "exchange/template.h"

#include <errno.h>
#include <sys/stat.h>

enum test {
    TEST_TRUE,
    TEST_EQUAL,
    TEST_MATCH,
    TEST_FILE,
    TEST_FOLDER,
    TEST_EITHER,
    TEST_EXECUTABLE
};

struct condition {
    enum test test;
    bool negated;
    struct template subject;             /* a variable, or a path */
    struct template other;               /* TEST_EQUAL */
    const struct expression *expression; /* TEST_MATCH */
    const struct conf_block *block;
    const struct rewrite_settings *inner; /* the block's */
};

/* --- reading -------------------------------------------------------------------------------- */

enum { MOST_WORDS = 3 };

/* What stands between the parentheses. */
struct inside {
    struct span text[MOST_WORDS];
    unsigned word[MOST_WORDS]; /* of the line */
    unsigned count;
};

static bool refuse_condition(struct conf_call *call, unsigned word)
{
    return conf_refuse(call, word, "invalid condition \"%s\"",
                       arena_cstr(conf_arena(call), conf_word(call, word)));
}

/* Word `i` without the parenthesis that opens or closes all. False: it stands alone. */
static bool is_inside(const struct conf_call *call, unsigned i, struct span *ret)
{
    unsigned last = conf_count(call) - 1;
    struct span text = conf_word(call, i);
    bool is_paren = text.len == 1;

    if (i == 1)
        text = span_from(text, 1);
    if (i == last)
        span_chop(&text, ')');
    *ret = text;
    return !((i == 1 || i == last) && is_paren);
}

static bool read_inside(struct conf_call *call, struct inside *ret)
{
    unsigned last = conf_count(call) - 1;

    if (!span_starts(conf_word(call, 1), "("))
        return refuse_condition(call, 1);
    if (!span_ends(conf_word(call, last), ")"))
        return refuse_condition(call, last);
    for (unsigned i = 1; i <= last; i++) {
        struct span text;

        if (!is_inside(call, i, &text))
            continue;
        if (ret->count == MOST_WORDS)
            return refuse_condition(call, ret->word[0]);
        ret->text[ret->count] = text;
        ret->word[ret->count++] = i;
    }
    return ret->count > 0 || refuse_condition(call, 1);
}

static const struct sign {
    const char *text;
    enum test test;
    bool negated, caseless;
} signs[] = {
    { "=", TEST_EQUAL, false, false },       { "!=", TEST_EQUAL, true, false },
    { "~", TEST_MATCH, false, false },       { "~*", TEST_MATCH, false, true },
    { "!~", TEST_MATCH, true, false },       { "!~*", TEST_MATCH, true, true },
    { "-f", TEST_FILE, false, false },       { "!-f", TEST_FILE, true, false },
    { "-d", TEST_FOLDER, false, false },     { "!-d", TEST_FOLDER, true, false },
    { "-e", TEST_EITHER, false, false },     { "!-e", TEST_EITHER, true, false },
    { "-x", TEST_EXECUTABLE, false, false }, { "!-x", TEST_EXECUTABLE, true, false },
};

static const struct sign *sign_of(struct span text, bool file)
{
    for (size_t i = 0; i < COUNT(signs); i++)
        if (span_is(text, signs[i].text) && file == (signs[i].test >= TEST_FILE))
            return &signs[i];
    return NULL;
}

/* $v, $v SIGN VALUE */
static bool read_comparison(struct conf_call *call, const struct inside *in, struct condition *c)
{
    const struct sign *sign = sign_of(in->text[1], false);

    if (!template_compile_text(call, in->word[0], in->text[0], &c->subject))
        return false;
    if (in->count == 2 || c->subject.count != 1)
        return refuse_condition(call, in->word[0]);
    if (in->count == 1)
        return true;
    if (sign == NULL)
        return conf_refuse(call, in->word[1], "unexpected \"%s\" in condition",
                           arena_cstr(conf_arena(call), in->text[1]));
    c->test = sign->test;
    c->negated = sign->negated;
    if (c->test == TEST_EQUAL)
        return template_compile_text(call, in->word[2], in->text[2], &c->other);
    c->expression = expression_new(call, in->word[2], in->text[2], sign->caseless);
    return c->expression != NULL;
}

/* -f PATH; a relative one that is written out begins at the prefix. */
static bool read_file_test(struct conf_call *call, const struct inside *in, struct condition *c)
{
    const struct sign *sign = sign_of(in->text[0], true);
    struct span path = in->text[1];

    if (sign == NULL || in->count != 2)
        return refuse_condition(call, in->word[0]);
    c->test = sign->test;
    c->negated = sign->negated;
    if (!span_starts(path, "$"))
        path = conf_prefix_path(call, path);
    return template_compile_text(call, in->word[1], path, &c->subject);
}

static void label_block(struct conf_call *call)
{
    struct buf text;

    buf_init(&text, 4096, NULL);
    for (unsigned i = 1; i < conf_count(call); i++) {
        buf_adds(&text, i > 1 ? " " : "");
        buf_add(&text, conf_word(call, i));
    }
    struct span label = buf_ok(&text) ? buf_view(&text) : span_of("(...)");
    call->inner->label = (struct span){ arena_cstr(conf_arena(call), label), label.len };
    buf_done(&text);
}

static enum flow take_if(struct run *run, const struct step *s);

static bool set_if(struct conf_call *call, void *field)
{
    struct condition *c = arena_zalloc(conf_arena(call), sizeof(*c));
    struct inside in = { .count = 0 };

    if (!read_inside(call, &in))
        return false;
    bool compares = in.text[0].len > 1 && in.text[0].at[0] == '$';
    if (!(compares ? read_comparison(call, &in, c) : read_file_test(call, &in, c)))
        return false;
    c->block = call->inner;
    c->inner = settings_in(call->inner, module_index(conf_user(call), &rewrite_module));
    label_block(call);
    return script_add(call, field, take_if, c);
}

const struct conf_type rewrite_if_block = { .set = set_if,
                                            .size = sizeof(struct conf_list),
                                            .many = true };

/* --- asking --------------------------------------------------------------------------------- */

enum answer { ANSWER_NO, ANSWER_YES, ANSWER_NONE /* 500 */ };

static enum answer answer_of(bool holds)
{
    return holds ? ANSWER_YES : ANSWER_NO;
}

static enum answer is_equal(struct run *run, const struct condition *c)
{
    struct span other;

    if (!script_value(run, &c->other, &other))
        return ANSWER_NONE;
    return answer_of(span_same(template_value(run->x, &c->subject), other));
}

static enum answer is_match(struct run *run, const struct condition *c)
{
    switch (script_match(run, c->expression, template_value(run->x, &c->subject))) {
    case PATTERN_NO:
        return ANSWER_NO;
    case PATTERN_MATCH:
        return ANSWER_YES;
    case PATTERN_LIMIT:
        return ANSWER_NONE;
    }
    return ANSWER_NONE;
}

static unsigned climbs_in(struct span path)
{
    unsigned climbs = 0;
    struct span part;

    while (span_cut(path, '/', &part, &path))
        climbs += span_is(part, "..");
    return climbs + span_is(path, "..");
}

/* A value climbs further than what the configuration wrote out: a client often chooses it, and
 * could ask for any file of this machine whether it is there. */
static bool climbs(struct run *run, const struct condition *c, struct span path)
{
    struct span root, rest = path;

    if (variable_value(run->x, span_of("document_root"), &root) &&
        span_same(span_first(path, root.len), root))
        rest = span_from(path, root.len);
    return climbs_in(rest) > climbs_in(c->subject.text);
}

static bool is_of_kind(enum test test, mode_t mode)
{
    switch (test) {
    case TEST_FILE:
        return S_ISREG(mode);
    case TEST_FOLDER:
        return S_ISDIR(mode);
    case TEST_EITHER:
        return S_ISREG(mode) || S_ISDIR(mode);
    case TEST_EXECUTABLE:
        return (mode & S_IXUSR) != 0;
    case TEST_TRUE:
    case TEST_EQUAL:
    case TEST_MATCH:
        break;
    }
    return false;
}

static enum answer is_there(struct run *run, const struct condition *c)
{
    struct span path;
    struct stat st;

    if (!script_value(run, &c->subject, &path))
        return ANSWER_NONE;
    if (climbs(run, c, path) || span_find(path, '\0') < path.len)
        return ANSWER_NO;
    const char *name = arena_cstr(&run->x->arena, path);
    if (stat(name, &st) == 0)
        return answer_of(is_of_kind(c->test, st.st_mode));
    if (errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG)
        exchange_log(run->x, LEVEL_ERROR, errno, "stat() \"%s\" failed", name);
    return ANSWER_NO;
}

static enum answer holds(struct run *run, const struct condition *c)
{
    struct span value;

    switch (c->test) {
    case TEST_TRUE:
        value = template_value(run->x, &c->subject);
        return answer_of(value.len > 0 && !span_is(value, "0"));
    case TEST_EQUAL:
        return is_equal(run, c);
    case TEST_MATCH:
        return is_match(run, c);
    case TEST_FILE:
    case TEST_FOLDER:
    case TEST_EITHER:
    case TEST_EXECUTABLE:
        return is_there(run, c);
    }
    return ANSWER_NONE;
}

static enum flow take_if(struct run *run, const struct step *s)
{
    const struct condition *c = s->what;
    enum answer answer = holds(run, c);

    if (answer == ANSWER_NONE)
        return script_end(run, exchange_refuse(run->x, 500, NULL));
    if ((answer == ANSWER_YES) == c->negated)
        return FLOW_ON;
    decided(run->x, DECIDED_IF, NEXT, s->place, c->block->label.at);
    if (c->block->context == CTX_IF)
        exchange_enter(run->x, c->block);
    return script_run(run, c->inner);
}
