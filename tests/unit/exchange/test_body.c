/* exchange/body: a request's body in memory up to client_body_buffer_size, beyond it in a file
 * without a name. */
#include "exchange/body.h"
#include "unit/support.h"

/* A client that gives its body in pieces of a size, then ends in a way. */
struct giver {
    struct client client;
    const char *bytes;
    size_t left, piece;
    enum io end;
};

static enum io give(struct client *c, struct part *ret)
{
    struct giver *g = CONTAINER(c, struct giver, client);
    size_t n = g->left < g->piece ? g->left : g->piece;

    if (n == 0)
        return g->end;
    *ret = (struct part){ .kind = PART_MEMORY, .bytes = { g->bytes, n } };
    g->bytes += n;
    g->left -= n;
    return IO_OK;
}

static const struct conn *no_conn(const struct client *c)
{
    (void)c;
    return NULL;
}

static const struct client_ops giver_ops = { .read_body = give, .conn = no_conn };

static char bytes[40000];

/* Spools `length` bytes; the body is x's. */
static enum io spool(struct stage *s, size_t length, size_t piece, enum io end)
{
    struct exchange *x = stage_get(s, "/");
    struct giver g = { .client = { .ops = &giver_ops, .x = x },
                       .bytes = bytes,
                       .left = length,
                       .piece = piece,
                       .end = end };

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 7 ^ i >> 8);
    x->client = &g.client;
    enum io io = body_spool(x);
    x->client = &s->client;
    return io;
}

static void body_is_whole(const struct body *b, size_t length)
{
    static char block[BLOCK_SIZE];
    struct span piece;
    uint64_t at = 0;

    assert_int_equal(b->length, length);
    for (enum io io; (io = body_piece(b, at, block, &piece)) != IO_EOF; at += piece.len) {
        assert_int_equal(io, IO_OK);
        assert_true(piece.len > 0 && at + piece.len <= length);
        assert_memory_equal(piece.at, bytes + at, piece.len);
    }
    assert_int_equal(at, length);
}

static const struct {
    size_t length, piece;
    bool in_file;
} sizes[] = {
    { 0, 100, false },    { 1, 1, false },       { 1000, 1000, false },  { 1000, 7, false },
    { 1001, 1001, true }, { 1001, 1000, true },  { 1001, 1, true },      { 1001, 501, true },
    { 39999, 13, true },  { 39999, 1000, true }, { 40000, 16896, true },
};

static void up_to_the_buffer_it_stays_in_memory(void **state)
{
    struct stage *s = *state;

    stage_server(s, "client_body_buffer_size 1000; client_body_temp_path /tmp;");
    for (size_t i = 0; i < COUNT(sizes); i++) {
        assert_int_equal(spool(s, sizes[i].length, sizes[i].piece, IO_EOF), IO_OK);
        if (body_in_file(s->x->body) != sizes[i].in_file)
            fail_msg("%zu bytes in pieces of %zu: %s", sizes[i].length, sizes[i].piece,
                     sizes[i].in_file ? "in memory" : "in a file");
        body_is_whole(s->x->body, sizes[i].length);
    }
    int file = s->x->body->spool.fd;
    stage_end_exchange(s);
    assert_int_equal(fcntl(file, F_GETFD), -1); /* closed */
    /* the pooled exchange and its first chunk */
    assert_int_equal(s->worker.budget.used, sizeof(struct exchange) + 8192);
}

static void without_any_buffer_it_goes_to_the_file(void **state)
{
    struct stage *s = *state;

    stage_server(s, "client_body_buffer_size 0; client_body_temp_path /tmp;");
    assert_int_equal(spool(s, 100, 10, IO_EOF), IO_OK);
    assert_true(body_in_file(s->x->body));
    body_is_whole(s->x->body, 100);
}

static void a_chunked_body_is_cut_at_the_limit(void **state)
{
    struct stage *s = *state;

    stage_server(s, "client_max_body_size 2000; client_body_temp_path /tmp;");
    assert_int_equal(spool(s, 2000, 100, IO_EOF), IO_OK);
    assert_int_equal(spool(s, 2001, 100, IO_EOF), IO_FAILED);
    assert_int_equal(s->x->fault, FAULT_BODY_TOO_LARGE);
    assert_has(stage_log(s),
               "client intended to send too large chunked body: 2001 bytes, client: 192.0.2.7");
    stage_server(s, "client_max_body_size 0; client_body_temp_path /tmp;");
    assert_int_equal(spool(s, 40000, 100, IO_EOF), IO_OK);
}

static void how_it_ended_is_told(void **state)
{
    stage_server(*state, "client_body_temp_path /tmp;");
    assert_int_equal(spool(*state, 10, 10, IO_FAILED), IO_FAILED);
    assert_int_equal(spool(*state, 10, 10, IO_CANCELLED), IO_CANCELLED);
    assert_int_equal(spool(*state, 10, 10, IO_TIMEOUT), IO_TIMEOUT);
}

static void without_a_folder_it_is_our_fault(void **state)
{
    struct stage *s = *state;

    stage_server(s, "client_body_buffer_size 10; client_body_temp_path /nonexistent;");
    assert_int_equal(spool(s, 11, 11, IO_EOF), IO_FAILED);
    assert_int_equal(s->x->fault, FAULT_STORAGE);
    assert_has(stage_log(s), "[crit]");
    assert_has(stage_log(s), "open() \"/nonexistent\" failed (2: No such file or directory)");
}

static void over_the_budget_it_is_our_fault(void **state)
{
    struct stage *s = *state;

    stage_server(s, "client_body_temp_path /tmp;");
    struct exchange *x = stage_get(s, "/");
    struct giver g = { .client = { .ops = &giver_ops, .x = x },
                       .bytes = bytes,
                       .left = 9000,
                       .piece = 100,
                       .end = IO_EOF };
    s->worker.budget.max = s->worker.budget.used + 2000;
    x->client = &g.client;
    assert_int_equal(body_spool(x), IO_FAILED);
    x->client = &s->client;
    assert_int_equal(x->fault, FAULT_PROXY_INTERNAL_ERROR);
    s->worker.budget.max = SIZE_MAX / 2;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(up_to_the_buffer_it_stays_in_memory), STAGED(without_any_buffer_it_goes_to_the_file),
        STAGED(a_chunked_body_is_cut_at_the_limit),  STAGED(how_it_ended_is_told),
        STAGED(without_a_folder_it_is_our_fault),    STAGED(over_the_budget_it_is_our_fault),
    };

    return cmocka_run_group_tests_name("body", tests, NULL, NULL);
}
