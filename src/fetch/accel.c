/* Answers of an upstream that we act upon ourselves (nginx-semantics 7.3), on the reverse face
 * alone: an origin that a client of the forward face has named is told nothing and obeyed in
 * nothing.
 *
 *     status with an error_page, proxy_intercept_errors   ->  that page
 *     X-Accel-Redirect: /path?args or @name               ->  the phases start again there
 *
 * Owns nothing. */
#include "fetch/accel.h"

#include "base/buf.h"
#include "base/errlog.h"
#include "exchange/carried.h"
#include "exchange/error_page.h"
#include "exchange/exchange.h"
#include "exchange/log.h"
#include "exchange/worker.h"
#include "fetch/attempts.h"
#include "fetch/origin.h"
#include "fetch/proxy.h"
#include "proto/fields.h"
#include "proto/uri.h"

enum { LONGEST_PATH = 64 * 1024 };

/* The answer's fields as they came; hidden ones stand here too. */
static const struct field *told(const struct exchange *x, enum field_id id)
{
    const struct attempts *attempts = attempts_of(x);

    return attempts != NULL && attempts->fields != NULL ? fields_find(attempts->fields, id) : NULL;
}

bool accel_buffers(const struct exchange *x, const struct proxy_settings *own, bool otherwise)
{
    const struct field *f = told(x, FIELD_X_ACCEL_BUFFERING);

    if (f == NULL || exchange_is_forward(x) || (own->ignore_headers & IGNORED_BUFFERING))
        return otherwise;
    if (span_is_caseless(f->value, "no"))
        return false;
    return otherwise || span_is_caseless(f->value, "yes");
}

/* `$upstream_http_*` tells of the answer that was given up, wherever it leads. */
static struct fields *keep_fields(struct exchange *x)
{
    struct fields *kept = arena_alloc(&x->arena, sizeof(*kept));
    const struct fields *seen = attempts_of(x)->fields;

    fields_init(kept, &x->arena, NULL, 0);
    for (unsigned i = 0; i < seen->count; i++)
        fields_add(kept, seen->at[i].name, seen->at[i].value,
                   (enum field_origin)seen->at[i].origin);
    fields_keep(kept);
    return kept;
}

static enum verdict intercept(struct exchange *x)
{
    struct fields *kept = keep_fields(x);
    const struct field *challenge = fields_find(kept, FIELD_WWW_AUTHENTICATE);
    unsigned status = x->response.status;

    if (status == 401 && challenge != NULL)
        carried_add(x, challenge);
    exchange_refuse(x, status, NULL);
    attempts_of(x)->fields = kept;
    return REFUSE;
}

static size_t decoded_length(struct span path)
{
    size_t length = path.len;

    for (size_t i = 0; i < path.len; i++)
        length -= path.at[i] == '%' ? 2 : 0;
    return length;
}

/* Decoded once, as a request's path is; what would climb or holds a control byte leads nowhere. */
static bool read_path(struct exchange *x, struct span where, struct span *ret)
{
    struct span path = where, args = { NULL, 0 };
    struct buf out;

    bool has_args = span_cut(where, '?', &path, &args);
    buf_init(&out, LONGEST_PATH, &x->worker->budget);
    bool good = !path_has_dots(path) && path_normalise(path, false, &out) &&
                out.len == decoded_length(path); /* else there was an encoded dot segment */
    if (has_args) {
        buf_add_byte(&out, '?');
        buf_add(&out, args);
    }
    *ret = arena_copy(&x->arena, buf_view(&out));
    good = good && buf_ok(&out);
    buf_done(&out);
    return good;
}

static bool goes_on(enum field_id id)
{
    switch ((int)id) {
    case FIELD_CONTENT_TYPE:
    case FIELD_SET_COOKIE:
    case FIELD_CONTENT_DISPOSITION:
    case FIELD_CACHE_CONTROL:
    case FIELD_EXPIRES:
    case FIELD_ACCEPT_RANGES:
        return true;
    default:
        return false;
    }
}

static void lead_to_name(struct exchange *x, struct span name)
{
    if (exchange_restart_named(x, name))
        return;
    exchange_log(x, LEVEL_ERROR, 0, "could not find named location \"%.*s\"", (int)name.len,
                 name.at);
    exchange_refuse(x, 500, NULL);
}

static void refuse_unsafe(struct exchange *x)
{
    exchange_log(x, LEVEL_ERROR, 0, "upstream sent an unsafe X-Accel-Redirect");
    exchange_refuse(x, 404, NULL);
}

static enum verdict redirect(struct exchange *x, const struct proxy_settings *own)
{
    struct fields *kept = keep_fields(x);
    struct span where = fields_find(kept, FIELD_X_ACCEL_REDIRECT)->value, path;

    for (unsigned i = 0; i < kept->count; i++)
        if (goes_on((enum field_id)kept->at[i].id))
            carried_add(x, &kept->at[i]);
    decided(x, DECIDED_ACCEL, NEXT, own->target.place, arena_cstr(&x->arena, where));
    if (span_starts(where, "@"))
        lead_to_name(x, where);
    else if (!read_path(x, where, &path) || !exchange_restart_as_get(x, path))
        refuse_unsafe(x);
    attempts_of(x)->fields = kept;
    return REFUSE;
}

enum verdict accel_on_response(struct exchange *x, const void *settings)
{
    const struct proxy_settings *own = settings;

    if (exchange_is_forward(x) || !origin_is(x->source))
        return NEXT;
    if (own->answers.intercept && x->response.status >= 300 &&
        error_page_names(x, x->response.status))
        return intercept(x);
    if (!(own->ignore_headers & IGNORED_REDIRECT) && told(x, FIELD_X_ACCEL_REDIRECT) != NULL)
        return redirect(x, own);
    return NEXT;
}
