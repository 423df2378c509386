/* What the fields of a head say of its body and its connection (RFC 9112 6 and 9.3), and what the
 * faults are called. Whatever two readers could understand in two ways is refused here. */
#include "base/span.h"
#include "proto/fields.h"
#include "proto/framing.h"
#include "proto/h1.h"
#include "proto/h1_head.h"

enum { MOST_LENGTH_DIGITS = 20, MOST_OPTIONS = 64 };

static const struct {
    unsigned status;
    const char *text;
} faults[H1_FAULTS] = {
    [H1_FINE] = { 200, "a good head" },
    [H1_BAD_LINE_END] = { 400, "a line that does not end in CR LF" },
    [H1_BAD_METHOD] = { 400, "invalid method" },
    [H1_BAD_TARGET] = { 400, "invalid request target" },
    [H1_BAD_VERSION] = { 400, "invalid version" },
    [H1_VERSION_UNSUPPORTED] = { 505, "a version other than HTTP/1" },
    [H1_BAD_STATUS_LINE] = { 400, "invalid status line" },
    [H1_BAD_FIELD_NAME] = { 400, "invalid header name" },
    [H1_BAD_FIELD_VALUE] = { 400, "invalid header value" },
    [H1_FOLDED] = { 400, "a header line that begins with a space" },
    [H1_LINE_TOO_LONG] = { 414, "too long first line" },
    [H1_FIELD_TOO_LONG] = { 494, "too long header line" },
    [H1_TOO_MANY_FIELDS] = { 494, "too many header lines" },
    [H1_HEAD_TOO_LONG] = { 494, "too big header" },
    [H1_BAD_LENGTH] = { 400, "invalid \"Content-Length\" header" },
    [H1_TWO_LENGTHS] = { 400, "duplicate \"Content-Length\" header" },
    [H1_LENGTH_AND_CODING] = { 400, "\"Content-Length\" and \"Transfer-Encoding\" together" },
    [H1_BAD_CODING] = { 400, "invalid \"Transfer-Encoding\" header" },
    [H1_UNKNOWN_CODING] = { 501, "unknown \"Transfer-Encoding\"" },
    [H1_CODING_IN_10] = { 400, "HTTP/1.0 with \"Transfer-Encoding\" header" },
    [H1_REPEATED] = { 400, "duplicate header line" },
    [H1_BAD_EXPECT] = { 417, "unknown \"Expect\" header" },
    [H1_EMPTY_LINES] = { 400, "empty lines in place of a request" },
    [H1_NO_HOST] = { 400, "HTTP/1.1 request without \"Host\" header" },
};

unsigned h1_fault_status(enum h1_fault fault)
{
    return faults[fault].status;
}

const char *h1_fault_text(enum h1_fault fault)
{
    return faults[fault].text;
}

/* 1*DIGIT (RFC 9110 8.6), at most INT64_MAX: what a length can be for any reader behind us. */
static enum h1_fault read_length(struct span text, uint64_t *ret_length)
{
    uint64_t length = 0;

    if (text.len == 0 || text.len > MOST_LENGTH_DIGITS)
        return H1_BAD_LENGTH;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.at[i] - '0';

        if (digit > 9 || length > ((uint64_t)INT64_MAX - digit) / 10)
            return H1_BAD_LENGTH;
        length = length * 10 + digit;
    }
    *ret_length = length;
    return H1_FINE;
}

/* `chunked`, or why not (SMUG-36 to SMUG-46). 501 is for one coding that could be somewhere, alone
 * or before `chunked`; what could be read in two ways is 400. */
static enum h1_fault read_coding(struct span text)
{
    struct span first = text, last = { NULL, 0 };
    bool pair = span_cut(text, ',', &first, &last);

    first = span_trim(first);
    if (!is_token(first))
        return H1_BAD_CODING;
    bool chunked = span_is_caseless(first, "chunked");
    if (pair)
        return !chunked && span_is_caseless(span_trim(last), "chunked") ? H1_UNKNOWN_CODING
                                                                        : H1_BAD_CODING;
    return chunked ? H1_FINE : H1_UNKNOWN_CODING;
}

static enum h1_fault read_framing(unsigned minor, struct h1_meaning *m)
{
    if (m->length != NULL && m->coding != NULL)
        return H1_LENGTH_AND_CODING;
    if (m->coding != NULL && minor == 0)
        return H1_CODING_IN_10;
    if (m->length != NULL) {
        m->framing = BODY_LENGTH;
        return read_length(m->length->value, &m->bytes);
    }
    if (m->coding != NULL) {
        m->framing = BODY_CHUNKED;
        return read_coding(m->coding->value);
    }
    return H1_FINE;
}

/* `count`: members of all Connection lines so far. */
static enum h1_fault read_options(struct span list, unsigned *count, uint32_t *options)
{
    struct span word;

    while (span_next_member(&list, &word)) {
        if (++*count > MOST_OPTIONS)
            return H1_BAD_FIELD_VALUE;
        if (span_is_caseless(word, "close"))
            *options |= H1_CLOSE;
        else if (span_is_caseless(word, "keep-alive"))
            *options |= H1_KEEP_ALIVE;
    }
    return H1_FINE;
}

static enum h1_fault note_first(const struct field *field, enum h1_fault twice,
                                const struct field **first)
{
    if (*first != NULL)
        return twice;
    *first = field;
    return H1_FINE;
}

/* Those that a request may hold once, besides the ones that are noted: a bit for each. */
static const uint8_t once[FIELD_IDS] = {
    [FIELD_IF_MODIFIED_SINCE] = 1, [FIELD_IF_UNMODIFIED_SINCE] = 2,
    [FIELD_IF_MATCH] = 4,          [FIELD_IF_NONE_MATCH] = 8,
    [FIELD_IF_RANGE] = 16,         [FIELD_CONTENT_RANGE] = 32,
    [FIELD_AUTHORIZATION] = 64,    [FIELD_PROXY_AUTHORIZATION] = 128,
};

enum h1_fault h1_understand(const struct fields *fields, unsigned minor, bool request,
                            struct h1_meaning *ret)
{
    struct h1_meaning m = { .framing = BODY_NONE };
    enum h1_fault fault = H1_FINE;
    uint32_t seen = 0;
    unsigned options = 0;

    for (unsigned i = 0; i < fields->count && fault == H1_FINE; i++) {
        const struct field *field = &fields->at[i];

        if (field->id == FIELD_CONTENT_LENGTH) {
            fault = note_first(field, H1_TWO_LENGTHS, &m.length);
        } else if (field->id == FIELD_TRANSFER_ENCODING) {
            fault = note_first(field, H1_BAD_CODING, &m.coding);
        } else if (field->id == FIELD_CONNECTION) {
            fault = read_options(field->value, &options, &m.options);
        } else if (request && field->id == FIELD_HOST) {
            fault = note_first(field, H1_REPEATED, &m.host);
        } else if (request && field->id == FIELD_EXPECT) {
            fault = note_first(field, H1_REPEATED, &m.expect);
        } else if (request) {
            fault = seen & once[field->id] ? H1_REPEATED : H1_FINE;
            seen |= once[field->id];
        }
    }
    if (fault == H1_FINE)
        fault = read_framing(minor, &m);
    if (fault == H1_FINE)
        *ret = m;
    return fault;
}

bool h1_keeps_alive(const struct h1_meaning *m, unsigned minor)
{
    if (m->options & H1_CLOSE)
        return false;
    return minor > 0 || m->options & H1_KEEP_ALIVE;
}
