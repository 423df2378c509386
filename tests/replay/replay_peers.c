/* The far ends: clients that say what the test tells them to, and backends that answer whole
 * requests with what the test gave them. What came is shown in short, by a reading of HTTP of its
 * own: it shares no code with what is tested. */
#include "replay.h"

#include "base/buf.h"
#include "net/fake.h"

#include <stdio.h>

enum { MOST_BYTES = 512 << 20 };

/* --- HTTP in a few lines ---------------------------------------------------------------------- */

bool span_has(struct span s, const char *text)
{
    return s.len > 0 && memmem(s.at, s.len, text, strlen(text)) != NULL;
}

static bool head_of(struct span bytes, struct span *ret_head, struct span *ret_rest)
{
    const char *end = bytes.len > 0 ? memmem(bytes.at, bytes.len, "\r\n\r\n", 4) : NULL;

    if (end == NULL)
        return false;
    *ret_head = span_first(bytes, (size_t)(end - bytes.at) + 4);
    *ret_rest = span_from(bytes, ret_head->len);
    return true;
}

bool is_chunked(struct span head)
{
    return span_has(head, "\r\nTransfer-Encoding: chunked\r\n");
}

bool content_length(struct span head, size_t *ret)
{
    static const char name[] = "\r\nContent-Length: ";
    const char *at = memmem(head.at, head.len, name, sizeof(name) - 1);

    if (at == NULL)
        return false;
    *ret = strtoul(at + sizeof(name) - 1, NULL, 10);
    return true;
}

size_t unchunk(struct span bytes, struct buf *ret)
{
    struct span left = bytes;

    for (;;) {
        size_t line = span_find(left, '\n');

        if (line == left.len)
            return 0;
        size_t size = strtoul(left.at, NULL, 16);
        left = span_from(left, line + 1);
        if (ret != NULL)
            buf_add(ret, span_first(left, size));
        if (left.len < size + 2)
            return 0;
        left = span_from(left, size + 2);
        if (size == 0)
            return bytes.len - left.len;
    }
}

size_t request_length(struct span bytes)
{
    struct span head, body;
    size_t length = 0;

    if (!head_of(bytes, &head, &body))
        return 0;
    if (is_chunked(head)) {
        length = unchunk(body, NULL);
        return length > 0 ? head.len + length : 0;
    }
    content_length(head, &length);
    return body.len >= length ? head.len + length : 0;
}

size_t peer_unread(const struct fake_peer *p)
{
    size_t sum = 0;

    for (const struct fake_chunk *c = p->first; c != NULL; c = c->next)
        sum += c->len - c->taken;
    return sum;
}

/* --- clients ---------------------------------------------------------------------------------- */

void client_connects(struct replay *r, unsigned c, int port)
{
    assert_true(c < CLIENTS && r->clients[c] == NULL);
    r->clients[c] = fake_connect(&r->loop, port, NULL);
    assert_non_null(r->clients[c]);
}

void client_sends_span(struct replay *r, unsigned c, struct span bytes)
{
    if (r->clients[c] == NULL)
        client_connects(r, c, 8080);
    fake_send(r->clients[c], bytes);
}

void client_sends(struct replay *r, unsigned c, const char *text)
{
    client_sends_span(r, c, span_of(text));
}

void client_leaves(struct replay *r, unsigned c)
{
    fake_send_eof(r->clients[c]);
}

void client_resets(struct replay *r, unsigned c)
{
    fake_reset(r->clients[c]);
}

struct span client_bytes(const struct replay *r, unsigned c)
{
    struct span got = fake_received(r->clients[c]);

    return got.at != NULL ? got : (struct span){ "", 0 };
}

static void add_body(struct span head, struct span body, struct buf *out)
{
    if (body.len == 0 || span_has(head, "text/html"))
        return;
    buf_add_byte(out, ' ');
    buf_add(out, body);
}

/* Takes one answer off `left` and shows it. */
static void show_answer(struct span *left, bool closed, struct buf *out)
{
    struct span head, body;
    struct buf data;
    size_t taken = 0;
    bool whole = true;

    if (!head_of(*left, &head, &body)) {
        buf_adds(out, "CUT");
        *left = span_from(*left, left->len);
        return;
    }
    buf_init(&data, MOST_BYTES, NULL);
    buf_add(out, span_first(span_from(head, 9), 3));
    bool bare = head.at[9] == '1' || span_starts(span_from(head, 9), "304") ||
                span_starts(span_from(head, 9), "204") || span_has(head, "Connection established");
    if (bare) {
        taken = 0;
    } else if (is_chunked(head)) {
        taken = unchunk(body, &data);
        whole = taken > 0;
        add_body(head, buf_view(&data), out);
    } else {
        taken = body.len;
        bool known = content_length(head, &taken);
        whole = body.len >= taken && (known || closed);
        add_body(head, span_first(body, taken), out);
    }
    buf_done(&data);
    if (!whole)
        buf_adds(out, " CUT");
    *left = whole ? span_from(body, taken) : (struct span){ "", 0 };
}

const char *client_got(struct replay *r, unsigned c)
{
    const struct fake_peer *p = r->clients[c];
    struct span left = client_bytes(r, c);
    struct buf out;

    buf_init(&out, MOST_BYTES, NULL);
    while (left.len > 0) {
        show_answer(&left, fake_is_closed(p), &out);
        if (left.len > 0 || fake_is_closed(p))
            buf_adds(&out, "; ");
    }
    if (fake_is_closed(p))
        buf_adds(&out, fake_was_reset(p) ? "RESET" : "END");
    const char *text = arena_cstr(&r->scratch, buf_view(&out));
    buf_done(&out);
    return text;
}

/* --- backends --------------------------------------------------------------------------------- */

static void give_answer(struct backend_conn *c)
{
    struct backend *b = c->backend;

    if (b->answer_count == 0)
        return;
    unsigned i = b->answered < b->answer_count ? b->answered++ : b->answer_count - 1;
    const struct backend_answer *a = &b->answers[i];
    fake_send(c->peer, a->text);
    if (a->then == THEN_CLOSE)
        fake_send_eof(c->peer);
    else if (a->then == THEN_RESET)
        fake_reset(c->peer);
}

static void on_data(void *arg, struct fake_peer *p)
{
    struct backend_conn *c = arg;
    struct span all = fake_received(p);
    size_t length;

    while ((length = request_length(span_from(all, c->seen))) > 0) {
        c->seen += length;
        c->backend->requests++;
        give_answer(c);
    }
}

static void on_connect(void *arg, struct fake_peer *p)
{
    struct backend *b = arg;

    assert_true(b->conn_count < BACKEND_CONNS);
    struct backend_conn *c = &b->conns[b->conn_count++];
    *c = (struct backend_conn){ .backend = b, .peer = p };
    if (b->window > 0)
        fake_window(p, b->window);
    fake_on_data(p, on_data, c);
}

struct backend *backend_at(struct replay *r, const struct address *at, int error)
{
    struct backend *b = calloc(1, sizeof(*b));

    assert_non_null(b);
    b->replay = r;
    b->next = r->backends;
    r->backends = b;
    fake_origin(&r->loop, at, error, on_connect, b);
    return b;
}

struct backend *backend_new(struct replay *r, unsigned n, int error)
{
    struct address at = { .family = AF_INET, .port = 80, .ip = { 10, 0, 0, (uint8_t)n } };

    return backend_at(r, &at, error);
}

void backend_answers_span(struct backend *b, struct span text, enum then then)
{
    assert_true(b->answer_count < BACKEND_ANSWERS);
    b->answers[b->answer_count++] = (struct backend_answer){ text, then };
}

void backend_answers(struct backend *b, const char *text, enum then then)
{
    backend_answers_span(b, span_of(text), then);
}

void backend_sends(struct backend *b, unsigned i, const char *text)
{
    assert_true(i < b->conn_count);
    fake_send(b->conns[i].peer, span_of(text));
}

void backend_ends(struct backend *b, unsigned i, enum then how)
{
    assert_true(i < b->conn_count);
    if (how == THEN_CLOSE)
        fake_send_eof(b->conns[i].peer);
    else if (how == THEN_RESET)
        fake_reset(b->conns[i].peer);
}

bool backend_is_closed(const struct backend *b, unsigned i)
{
    return i < b->conn_count && fake_is_closed(b->conns[i].peer);
}

const char *backend_got(struct backend *b, unsigned i)
{
    assert_true(i < b->conn_count);
    return arena_cstr(&b->replay->scratch, fake_received(b->conns[i].peer));
}
