/* The head of a request: whatever the bytes, the verdict does not depend on how they arrive, and a
 * good head holds only what is promised. The limits are small, so that they are reached. */
#include "proto/fields.h"
#include "proto/h1.h"

#include <stdlib.h>

enum { MOST_FIELDS = 20 };

static const struct h1_limits limits = { .line = 256, .head = 1024, .fields = MOST_FIELDS };

struct verdict {
    enum parse parse;
    enum h1_fault fault;
    size_t taken;
    struct h1_request request;
    struct fields fields;
    struct field room[MOST_FIELDS];
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void parse_into(struct span in, struct verdict *v)
{
    v->fault = H1_FINE;
    v->taken = 0;
    fields_init(&v->fields, NULL, v->room, MOST_FIELDS);
    v->parse = h1_request_parse(in, &limits, &v->fields, &v->request, &v->taken, &v->fault);
}

static bool inside(struct span part, struct span whole)
{
    return part.at >= whole.at && part.len <= whole.len &&
           (size_t)(part.at - whole.at) <= whole.len - part.len;
}

static void check_field(const struct field *f, struct span head)
{
    must(inside(f->name, head) && inside(f->value, head));
    must(is_token(f->name) && is_field_value(f->value));
    must(span_same(span_trim(f->value), f->value));
    must(f->invalid != field_name_is_plain(f->name, false));
    must(f->id == field_id_of(f->name) && f->origin == FROM_CLIENT);
}

static void check_good(struct span in, const struct verdict *v)
{
    const struct h1_request *r = &v->request;
    struct span head = span_first(in, v->taken);

    must(v->taken <= in.len && v->taken <= limits.head && span_ends(head, "\r\n\r\n"));
    must(inside(r->method, head) && is_token(r->method));
    must(inside(r->target, head) && r->target.len > 0);
    for (unsigned i = 0; i < v->fields.count; i++)
        check_field(&v->fields.at[i], head);
    unsigned lengths = fields_count(&v->fields, FIELD_CONTENT_LENGTH);
    unsigned codings = fields_count(&v->fields, FIELD_TRANSFER_ENCODING);
    must(lengths + codings <= 1);
    must((r->framing == BODY_LENGTH) == (lengths == 1));
    must((r->framing == BODY_CHUNKED) == (codings == 1));
    must(r->framing != BODY_LENGTH || r->length <= INT64_MAX);
    must(r->minor == 0 || fields_count(&v->fields, FIELD_HOST) == 1);
    must(!r->keep_alive || !fields_list_has(&v->fields, FIELD_CONNECTION, "close"));
}

/* Up to the deciding byte every prefix asks for more; from there on all agree. */
static void check_cuts(struct span in, const struct verdict *whole)
{
    bool decided = false;
    static struct verdict v;

    for (size_t len = 0; len <= in.len; len++) {
        parse_into(span_first(in, len), &v);
        must(v.parse != PARSE_MORE || !decided);
        if (v.parse == PARSE_MORE)
            continue;
        decided = true;
        must(v.parse == whole->parse && v.fault == whole->fault && v.taken == whole->taken);
        must(v.parse != PARSE_OK || len >= v.taken);
    }
    must(decided == (whole->parse != PARSE_MORE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = { (const char *)data, size };
    static struct verdict v;

    if (size > 2 * limits.head)
        return 0;
    parse_into(in, &v);
    must(v.parse != PARSE_MORE || size < limits.head);
    must((v.fault != H1_FINE) == (v.parse == PARSE_BAD));
    if (v.parse == PARSE_OK)
        check_good(in, &v);
    check_cuts(in, &v);
    return 0;
}
