/* A rehearsed exchange on paper: a table with a line for each decision, or one JSON document. */
#include "base/address.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/span.h"
#include "conf/settings.h"
#include "exchange/decision.h"
#include "exchange/generation.h"
#include "exchange/template.h"
#include "exchange/trace.h"
#include "run/explain.h"

enum { WIDEST_SUBJECT = 44, WIDEST_HOW = 64 };

static const char *verdict_name(enum verdict v)
{
    switch (v) {
    case NEXT:
        return "next";
    case PASS:
        return "pass";
    case ANSWER:
        return "answer";
    case REFUSE:
        return "refuse";
    }
    return "";
}

/* --- the table ------------------------------------------------------------------------------ */

struct widths {
    size_t what, subject, how;
};

static size_t wider(size_t most, size_t width, size_t limit)
{
    return width > most && width <= limit ? width : most;
}

/* `rule` is said once: a rule's text begins with it. */
static struct span subject_of(const struct trace_line *l)
{
    const char *name = decided_name(l->what);
    bool twice = span_starts(l->subject, name) && l->subject.len > strlen(name) &&
                 l->subject.at[strlen(name)] == ' ';

    if (l->subject.len == 0)
        return l->how;
    return twice ? span_from(l->subject, strlen(name) + 1) : l->subject;
}

static struct span how_of(const struct trace_line *l)
{
    return l->subject.len == 0 ? (struct span){ NULL, 0 } : l->how;
}

/* A long rule is cut: its place says where all of it stands. */
static bool is_cut(const struct trace_line *l)
{
    return l->what == DECIDED_RULE && subject_of(l).len > WIDEST_SUBJECT;
}

static size_t shown_length(const struct trace_line *l)
{
    return is_cut(l) ? WIDEST_SUBJECT : subject_of(l).len;
}

static struct widths widths_of(const struct trace *t)
{
    struct widths w = { 0 };

    for (const struct trace_line *l = t->first; l != NULL; l = l->next) {
        w.what = wider(w.what, strlen(decided_name(l->what)), WIDEST_SUBJECT);
        w.subject = wider(w.subject, shown_length(l), WIDEST_SUBJECT);
        w.how = wider(w.how, l->place.line > 0 ? how_of(l).len : 0, WIDEST_HOW);
    }
    return w;
}

/* A terminal that shows it stays unharmed. */
static void add_cell(struct span text, size_t width, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];

        if (c < 0x20 || c == 0x7f)
            buf_addf(out, "\\x%02X", c);
        else
            buf_add_byte(out, (char)c);
    }
    for (size_t i = text.len; i < width; i++)
        buf_add_byte(out, ' ');
    buf_adds(out, "  ");
}

static void add_subject(const struct trace_line *l, size_t width, struct buf *out)
{
    if (!is_cut(l)) {
        add_cell(subject_of(l), width, out);
        return;
    }
    buf_add(out, span_first(subject_of(l), WIDEST_SUBJECT - 3));
    buf_adds(out, "...  "); /* so the column is as wide as it gets */
}

static void add_row(const struct exchange *x, const struct trace_line *l, const struct widths *w,
                    struct span folder, struct buf *out)
{
    struct span file = place_file(x->generation, l->place);
    size_t cut = span_same(span_first(file, folder.len), folder) ? folder.len : 0;

    add_cell(span_of(decided_name(l->what)), w->what, out);
    add_subject(l, w->subject, out);
    add_cell(how_of(l), l->place.line > 0 ? w->how : 0, out);
    if (l->place.line > 0) {
        buf_add(out, span_from(file, cut));
        buf_addf(out, ":%u", l->place.line);
    }
    while (out->len > 0 && out->data[out->len - 1] == ' ')
        out->len--;
    buf_add_byte(out, '\n');
}

static void print_table(const struct exchange *x, struct span folder, struct buf *out)
{
    const struct trace *t = trace_of(x);
    struct widths w = widths_of(t);

    for (const struct trace_line *l = t->first; l != NULL; l = l->next)
        add_row(x, l, &w, folder, out);
}

/* --- JSON ----------------------------------------------------------------------------------- */

static void add_member(const char *name, struct span value, struct buf *out)
{
    buf_addf(out, "\"%s\": ", name);
    json_add_string(value, out);
}

static void add_place(const struct exchange *x, struct place place, struct buf *out)
{
    if (place.line == 0) {
        buf_adds(out, "\"file\": null, \"line\": null");
        return;
    }
    add_member("file", place_file(x->generation, place), out);
    buf_addf(out, ", \"line\": %u", place.line);
}

static void add_decision(const struct exchange *x, const struct trace_line *l, struct buf *out)
{
    buf_addf(out, "{\"what\": \"%s\", \"verdict\": \"%s\", ", decided_name(l->what),
             verdict_name(l->verdict));
    add_member("subject", l->subject, out);
    buf_adds(out, ", ");
    add_member("how", l->how, out);
    buf_adds(out, ", ");
    add_place(x, l->place, out);
    buf_adds(out, "}");
}

/* The one that holds at the end: the last of its kind. */
static void add_last(const struct exchange *x, const char *name, enum decided what, struct buf *out)
{
    const struct trace_line *found = NULL;

    for (const struct trace_line *l = trace_of(x)->first; l != NULL; l = l->next)
        if (l->what == what)
            found = l;
    buf_addf(out, "  \"%s\": ", name);
    if (found != NULL && (found->place.line > 0 || what == DECIDED_SOURCE))
        add_decision(x, found, out);
    else
        buf_adds(out, "null");
    buf_adds(out, ",\n");
}

static void add_request(const struct exchange *x, const struct question *q, struct buf *out)
{
    struct buf client = { .max = 64 };

    buf_addf(out, "  \"face\": \"%s\",\n  \"request\": {", q->way.forward ? "forward" : "reverse");
    add_member("method", q->method, out);
    buf_adds(out, ", ");
    add_member("url", q->url, out);
    buf_adds(out, ", ");
    address_print_ip(&x->client_address, &client);
    add_member("client", buf_view(&client), out);
    buf_adds(out, "},\n");
    buf_done(&client);
}

/* What the forward face says of itself, in the words of its variables. */
static void add_variable(struct exchange *x, const char *variable, struct buf *out)
{
    struct span value;

    buf_addf(out, "  \"%s\": ", variable + strlen("forward_"));
    if (variable_value(x, span_of(variable), &value))
        json_add_string(value, out);
    else
        buf_adds(out, "null");
    buf_adds(out, ",\n");
}

static bool is_open(const struct trace *t)
{
    for (const struct trace_line *l = t->first; l != NULL; l = l->next)
        if (l->what == DECIDED_ADDRESS && l->verdict == NEXT)
            return true;
    return false;
}

static void add_forward(struct exchange *x, struct buf *out)
{
    struct span verdict = { "error", 5 }; /* nothing that rules could be asked about */

    if (is_open(trace_of(x))) /* until an address is known, all may still be refused */
        verdict = span_of("open");
    else
        variable_value(x, span_of("forward_verdict"), &verdict);
    buf_adds(out, "  ");
    add_member("verdict", verdict, out);
    buf_adds(out, ",\n");
    add_variable(x, "forward_rule", out);
    add_variable(x, "forward_stage", out);
    add_variable(x, "forward_reason", out);
    add_variable(x, "forward_category", out);
}

static void add_response(const struct exchange *x, struct buf *out)
{
    const struct fields *fields = &x->response.fields;

    if (x->response.status == 0) {
        buf_adds(out, "  \"status\": null,\n  \"headers\": [],\n");
        return;
    }
    buf_addf(out, "  \"status\": %u,\n  \"headers\": [", x->response.status);
    for (unsigned i = 0; i < fields->count; i++) {
        buf_adds(out, i > 0 ? ", [" : "[");
        json_add_string(fields->at[i].name, out);
        buf_adds(out, ", ");
        json_add_string(fields->at[i].value, out);
        buf_adds(out, "]");
    }
    buf_adds(out, "],\n");
}

static void print_json(struct exchange *x, const struct question *q, struct buf *out)
{
    buf_adds(out, "{\n");
    add_request(x, q, out);
    add_last(x, "listener", DECIDED_LISTENER, out);
    if (q->way.forward) {
        add_forward(x, out);
    } else {
        add_last(x, "server", DECIDED_SERVER, out);
        add_last(x, "location", DECIDED_LOCATION, out);
        add_last(x, "upstream", DECIDED_UPSTREAM, out);
    }
    add_last(x, "source", DECIDED_SOURCE, out);
    add_response(x, out);
    buf_adds(out, "  \"decisions\": [\n");
    for (const struct trace_line *l = trace_of(x)->first; l != NULL; l = l->next) {
        buf_adds(out, "    ");
        add_decision(x, l, out);
        buf_adds(out, l->next != NULL ? ",\n" : "\n");
    }
    buf_adds(out, "  ]\n}\n");
}

void explain_print(struct exchange *x, const struct question *q, struct span folder,
                   struct buf *out)
{
    if (q->wish.json)
        print_json(x, q, out);
    else
        print_table(x, folder, out);
}
