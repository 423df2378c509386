/* Parameters of FastCGI, uwsgi and SCGI applications. They mean something only where a request is
 * passed to one, and a `*_pass` of these is refused: so the stock files of parameters may be
 * included, as they are in NGINX by many who never pass. */
#include "fetch/gateway.h"

#include "base/arena.h"
#include "base/span.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "exchange/module.h"
#include "exchange/secret.h"

static bool set_parameter(struct conf_call *call, void *field)
{
    (void)field;
    return conf_count(call) < 4 || span_is(conf_word(call, 3), "if_not_empty") ||
           conf_refuse(call, 3, "invalid parameter \"%s\"",
                       arena_cstr(conf_arena(call), conf_word(call, 3)));
}

static const struct conf_type parameter_type = { .set = set_parameter,
                                                 .many = true,
                                                 .hides = secret_is_field_value };

enum { PLACES = CTX_HTTP | CTX_SERVER | CTX_LOCATION | CTX_IF };

static const struct directive directives[] = {
    { "fastcgi_param", PLACES, 2, 3, &parameter_type, 0, NULL, NONE,
      "for FastCGI applications: none is passed to yet", 0, NULL },
    { "uwsgi_param", PLACES, 2, 3, &parameter_type, 0, NULL, NONE,
      "for uwsgi applications: none is passed to yet", 0, NULL },
    { "scgi_param", PLACES, 2, 3, &parameter_type, 0, NULL, NONE,
      "for SCGI applications: none is passed to yet", 0, NULL },
    {},
};

const struct module gateway_module = { .name = "gateway", .directives = directives };
