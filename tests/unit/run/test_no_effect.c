/* Directives of nginx-semantics 1.6: accepted, without an effect; their values are read. */
#include "unit/support.h"

enum at { MAIN, EVENTS, HTTP, SERVER };

static const struct {
    const char *before, *behind;
} frames[] = {
    [MAIN] = { "access_log off;", "" },
    [EVENTS] = { "access_log off; events {", "}" },
    [HTTP] = { "http { access_log off;", "}" },
    [SERVER] = { "access_log off; server { listen 80;", "}" },
};

static const char on_off[] = "it must be \"on\" or \"off\"";
static const char value[] = "directive invalid value", level[] = "invalid value \"";
static const char number[] = "directive invalid number";

static const struct {
    const char *name;
    enum at at;
    const char *good, *bad, *said; /* bad: NULL, if any word will do */
} directives[] = {
    { "accept_mutex", EVENTS, "off", "no", on_off },
    { "accept_mutex_delay", EVENTS, "500ms", "x", value },
    { "aio_write", SERVER, "on", "yes", on_off },
    { "client_body_temp_path", SERVER, "/tmp 1 2", "/tmp 0", level },
    { "connection_pool_size", SERVER, "512", "x", value },
    { "directio_alignment", SERVER, "4k", "x", value },
    { "fastcgi_temp_path", SERVER, "/t 1 2 3", "/t 1 x", level },
    { "gzip_buffers", HTTP, "16 8k", "x 8k", value },
    { "http2_chunk_size", SERVER, "8k", "x", value },
    { "http2_pool_size", SERVER, "4k", "x", value },
    { "http2_recv_buffer_size", HTTP, "256k", "x", value },
    { "lock_file", MAIN, "logs/lock", NULL, NULL },
    { "map_hash_bucket_size", HTTP, "64", "x", number },
    { "map_hash_max_size", HTTP, "2048", "x", number },
    { "msie_padding", SERVER, "off", "yes", on_off },
    { "msie_refresh", SERVER, "off", "yes", on_off },
    { "multi_accept", EVENTS, "on", "yes", on_off },
    { "pcre_jit", MAIN, "on", "yes", on_off },
    { "postpone_output", SERVER, "1460", "x", value },
    { "proxy_headers_hash_bucket_size", HTTP, "128", "x", number },
    { "proxy_headers_hash_max_size", SERVER, "512", "x", number },
    { "proxy_temp_path", HTTP, "/t 3 3 3", "/t 9 9", level },
    { "quic_gso", SERVER, "on", "yes", on_off },
    { "read_ahead", SERVER, "0", "x", value },
    { "referer_hash_bucket_size", SERVER, "64", "x", number },
    { "referer_hash_max_size", SERVER, "2048", "x", number },
    { "request_pool_size", HTTP, "4k", "x", value },
    { "scgi_temp_path", SERVER, "/t", "/t 0", level },
    { "send_lowat", SERVER, "0", "x", value },
    { "sendfile_max_chunk", SERVER, "512k", "x", value },
    { "server_names_hash_bucket_size", HTTP, "64", "x", number },
    { "server_names_hash_max_size", HTTP, "512", "x", number },
    { "subrequest_output_buffer_size", SERVER, "8k", "x", value },
    { "tcp_nopush", HTTP, "on", "yes", on_off },
    { "timer_resolution", MAIN, "100ms", "x", value },
    { "types_hash_bucket_size", SERVER, "64", "x", number },
    { "types_hash_max_size", HTTP, "2048", "x", number },
    { "use", EVENTS, "epoll", "nosuch", "invalid event type \"nosuch\"" },
    { "uwsgi_temp_path", SERVER, "/t", "/t 10", level },
    { "variables_hash_bucket_size", HTTP, "64", "x", number },
    { "variables_hash_max_size", HTTP, "1024", "x", number },
    { "worker_rlimit_core", MAIN, "500g", "x", value },
};

static const char *load(struct stage *s, size_t i, const char *words)
{
    char text[200];

    snprintf(text, sizeof(text), "%s %s %s; %s", frames[directives[i].at].before,
             directives[i].name, words, frames[directives[i].at].behind);
    return stage_load(s, text);
}

static void each_is_taken_and_a_bad_value_is_refused(void **state)
{
    for (size_t i = 0; i < COUNT(directives); i++) {
        const char *said = load(*state, i, directives[i].good);

        if (strstr(said, "[emerg]") != NULL)
            fail_msg("%s: %s", directives[i].name, said);
        if (directives[i].bad == NULL)
            continue;
        said = load(*state, i, directives[i].bad);
        if (strstr(said, directives[i].said) == NULL)
            fail_msg("%s %s: %s", directives[i].name, directives[i].bad, said);
    }
}

static void what_is_later_is_known_by_family_too(void **state)
{
    struct stage *s = *state;

    assert_has(stage_load(s, "fastcgi_buffer_size 4k;"),
               "\"fastcgi_buffer_size\" directive is known, not supported yet");
    assert_has(stage_load(s, "server { dav_methods PUT; }"), "\"dav_methods\" directive is known");
    assert_has(stage_load(s, "davmethods PUT;"), "unknown directive \"davmethods\"");
    assert_has(stage_load(s, "upstream u { server a; http2_chunk_size 8k; }"),
               "\"http2_chunk_size\" directive is not allowed here");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(each_is_taken_and_a_bad_value_is_refused),
        STAGED(what_is_later_is_known_by_family_too),
    };

    return cmocka_run_group_tests_name("no_effect", tests, NULL, NULL);
}
