/* `add_header NAME VALUE [always]` (nginx-semantics 8): on the statuses of its list, or on all with
 * `always`. */
#include "filter/headers.h"

#include "base/arena.h"
#include "base/span.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/settings.h"
#include "exchange/exchange.h"
#include "exchange/filter.h"
#include "exchange/module.h"
#include "exchange/secret.h"
#include "exchange/template.h"
#include "proto/fields.h"

struct added_header {
    struct span name;
    enum field_id id;
    struct template value;
    bool always;
};

struct headers_settings {
    struct conf_list add; /* of struct added_header */
};

static bool set_header(struct conf_call *call, void *field)
{
    struct added_header header = { .name = conf_word(call, 1) };

    if (!is_token(header.name))
        return conf_refuse(call, 1, "\"%s\" is no name of a header field",
                           arena_cstr(conf_arena(call), header.name));
    header.id = field_id_of(header.name);
    if (header.id == FIELD_CONTENT_LENGTH || header.id == FIELD_TRANSFER_ENCODING ||
        header.id == FIELD_CONNECTION) {
        conf_warn(call, 1, "framing of answers is always made by the proxy: no effect");
        return true;
    }
    if (conf_count(call) == 4 && !span_is(conf_word(call, 3), "always"))
        return conf_refuse(call, 3, "invalid parameter \"%s\"",
                           arena_cstr(conf_arena(call), conf_word(call, 3)));
    header.always = conf_count(call) == 4;
    if (!is_field_value(conf_word(call, 2)))
        return conf_refuse(call, 2, "the value of a header field holds a control byte");
    return template_compile(call, 2, &header.value) &&
           conf_list_add(call, field, &header, sizeof(header));
}

static const struct conf_type header_line = { .set = set_header,
                                              .size = sizeof(struct conf_list),
                                              .many = true,
                                              .hides = secret_is_field_value };

static const struct directive directives[] = {
    { "add_header", CTX_HTTP | CTX_SERVER | CTX_LOCATION | CTX_IF | CTX_FORWARD, 2, 3, &header_line,
      offsetof(struct headers_settings, add), NULL, WHOLE, "a header field of answers", 0, NULL },
    {},
};

static bool check(struct conf *conf, struct conf_block *block, void *settings)
{
    (void)settings;
    conf_warn_of_replaced(conf, block, "add_header");
    return true;
}

static bool is_listed(unsigned status)
{
    switch (status) {
    case 200:
    case 201:
    case 204:
    case 206:
    case 301:
    case 302:
    case 303:
    case 304:
    case 307:
    case 308:
        return true;
    default:
        return false;
    }
}

/* Last-Modified and ETag are replaced (by nothing: removed); of all others it is one more line.
 * That of Content-Type says nothing of the body: it is no field of its kind. */
static void add(struct exchange *x, const struct added_header *header)
{
    struct span value = template_value(x, &header->value);

    if (header->id == FIELD_LAST_MODIFIED || header->id == FIELD_ETAG)
        fields_remove(&x->response.fields, header->id);
    if (value.len == 0)
        return;
    struct field *added = fields_add(&x->response.fields, header->name, value, FROM_US);
    if (header->id == FIELD_CONTENT_TYPE)
        added->id = FIELD_OTHER;
}

static bool wants(struct exchange *x, const void *settings)
{
    const struct headers_settings *own = settings;
    const struct added_header *all = own->add.items;

    for (uint32_t i = 0; i < own->add.len; i++)
        if (all[i].always || is_listed(x->response.status))
            add(x, &all[i]);
    return false;
}

static const struct filter filter = { .slot = SLOT_HEADERS, .wants = wants };

const struct module headers_module = {
    .name = "headers",
    .directives = directives,
    .filter = &filter,
    .settings_size = sizeof(struct headers_settings),
    .check = check,
};
