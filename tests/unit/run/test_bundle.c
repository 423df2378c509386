/* run/bundle, run/generation_build: settings come by one way only, text -> sealed bundle ->
 * generation. */
#include "run/bundle.h"
#include "run/main_settings.h"
#include "tls/tls.h"
#include "unit/support.h"
#include "unit/tls/certificates.h"

#include <errno.h>
#include <sys/stat.h>

struct room {
    char folder[64];
    struct buf said;
    struct generation *g;
};

static void write_file(const struct room *r, const char *name, const char *text)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", r->folder, name);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    fclose(f);
}

static int setup(void **state)
{
    struct room *r = calloc(1, sizeof(*r));

    snprintf(r->folder, sizeof(r->folder), "/tmp/bifrons-bundle-XXXXXX");
    buf_init(&r->said, 1 << 20, NULL);
    tls_process_init();
    *state = r;
    return mkdtemp(r->folder) == NULL;
}

static int teardown(void **state)
{
    static const char *const names[] = { "main.conf", "a.inc",   "b.inc",
                                         "cert.pem",  "key.pem", "other.pem" };
    struct room *r = *state;
    char path[128];

    generation_unref(&r->g);
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", r->folder, names[i]);
        unlink(path);
    }
    rmdir(r->folder);
    buf_done(&r->said);
    free(r);
    return 0;
}

/* A bundle of main.conf in the folder. */
static int bundle_of(struct room *r, const char *text)
{
    static char file[128], prefix[80];

    write_file(r, "main.conf", text);
    snprintf(file, sizeof(file), "%s/main.conf", r->folder);
    snprintf(prefix, sizeof(prefix), "%s/", r->folder);
    struct bundle_request request = { .file = span_of(file), .prefix = span_of(prefix) };
    buf_clear(&r->said);
    return bundle_build(&request, &r->said);
}

static const char *said(struct room *r)
{
    buf_add_byte(&r->said, '\0');
    return r->said.data;
}

static void a_bundle_is_sealed_and_has_no_name(void **state)
{
    struct room *r = *state;
    int fd = bundle_of(r, "server { listen 80; }");
    struct stat st;

    assert_true(fd >= 0);
    assert_string_equal(said(r), "");
    assert_int_equal(fcntl(fd, F_GET_SEALS),
                     F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_nlink, 0);
    close(fd);
}

static void all_that_was_read_stands_in_it(void **state)
{
    struct room *r = *state;

    write_file(r, "a.inc", "server { listen 81; server_name a; }");
    write_file(r, "b.inc", "server { listen 82; server_name b; keepalive_timeout 7s; }");
    int fd = bundle_of(r, "keepalive_timeout 5s;\ninclude *.inc;\nserver { listen 80; }\n");
    assert_true(fd >= 0);
    write_file(r, "a.inc", "nonsense"); /* what the disk says now is of no interest */
    write_file(r, "b.inc", "nonsense");
    write_file(r, "main.conf", "nonsense");
    r->g = generation_build(fd, &r->said);
    close(fd);
    if (r->g == NULL)
        fail_msg("%s", said(r));
    assert_int_equal(r->g->servers.len, 3);
    struct conf_block **servers = r->g->servers.items;
    assert_string_equal(servers[0]->label.at, "a");
    assert_int_equal(core_of(servers[0])->keepalive_timeout, 5000);
    assert_string_equal(servers[1]->label.at, "b");
    assert_int_equal(core_of(servers[1])->keepalive_timeout, 7000);
    char want[100];
    snprintf(want, sizeof(want), "%s/b.inc", r->folder);
    assert_span(place_file(r->g, servers[1]->place), want);
    assert_int_equal(servers[1]->place.line, 1);
}

/* Numbers and texts of one, printed. */
static void print_settings(const struct generation *g, struct buf *out)
{
    struct conf_block *const *servers = g->servers.items;
    struct listener *const *listeners = g->listeners.items;
    const struct main_settings *m = main_settings_of(g);

    for (uint32_t i = 0; i < g->servers.len; i++) {
        const struct core_settings *c = core_of(servers[i]);

        buf_addf(out, "%u:%u %s %llu %llu %llu %llu %u %u %.*s %.*s\n", servers[i]->place.line,
                 servers[i]->place.column, servers[i]->label.at,
                 (unsigned long long)c->keepalive_timeout, (unsigned long long)c->max_headers,
                 (unsigned long long)c->client_max_body_size.bytes,
                 (unsigned long long)c->client_body_buffer_size, c->server_tokens, c->tcp.sendfile,
                 (int)c->default_type.len, c->default_type.at,
                 (int)c->client_body_temp_path.path.len, c->client_body_temp_path.path.at);
    }
    for (uint32_t i = 0; i < g->listeners.len; i++)
        buf_addf(out, "%s %u %d %d %u %s\n", listeners[i]->text.at, listeners[i]->socket,
                 listeners[i]->ssl, listeners[i]->backlog, listeners[i]->blocks.len,
                 listeners[i]->fallback->label.at);
    buf_addf(out, "%.*s %.*s %llu\n", (int)m->user.name.len, m->user.name.at, (int)m->pid.path.len,
             m->pid.path.at, (unsigned long long)m->worker_connections);
    buf_add(out, g->dns.hosts);
    buf_add(out, g->dns.resolv_conf);
}

static void built_twice_from_one_bundle_the_settings_are_equal(void **state)
{
    struct room *r = *state;
    struct buf first, second;
    int fd = bundle_of(
        r, "user root; pid x.pid; error_log stderr warn; events { worker_connections 77; }\n"
           "http { default_type a/b; sendfile on; client_max_body_size 3m;\n"
           "server { listen 80 backlog=9; listen 127.0.0.1:80; server_name one; max_headers 9; }\n"
           "server { listen [::1]:81 default_server; server_name two; server_tokens off; } }\n");

    if (fd < 0)
        fail_msg("%s", said(r));
    buf_init(&first, 1 << 20, NULL);
    buf_init(&second, 1 << 20, NULL);
    for (int i = 0; i < 2; i++) {
        generation_unref(&r->g);
        r->g = generation_build(fd, &r->said);
        assert_non_null(r->g);
        print_settings(r->g, i == 0 ? &first : &second);
    }
    close(fd);
    assert_true(buf_ok(&first));
    assert_true(span_same(buf_view(&first), buf_view(&second)));
    assert_true(span_starts(buf_view(&first), "3:1 one 75000 9 3145728 16384 1 1 a/b "));
    buf_done(&first);
    buf_done(&second);
}

static void certificates_stand_in_it_as_der_and_keys_not_as_text(void **state)
{
    struct room *r = *state;
    struct made made = make_certificate("a.example", EVP_EC_gen("P-256"), NULL);
    char *certificate = certificate_pem(&made), *key = key_pem(&made, NULL);

    write_file(r, "cert.pem", certificate);
    write_file(r, "key.pem", key);
    int fd = bundle_of(
        r, "server { listen 443 ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem; }");
    if (fd < 0)
        fail_msg("%s", said(r));
    struct bundle_source source;
    assert_int_equal(bundle_open(&source, fd), 0);
    for (size_t i = 0; i + 11 < source.map.len; i++)
        assert_memory_not_equal(source.map.at + i, "PRIVATE KEY", 11);
    bundle_close(&source);
    r->g = generation_build(fd, &r->said);
    assert_non_null(r->g);
    close(fd);
    free(certificate);
    free(key);
    made_done(&made);
}

static void a_missing_certificate_is_an_error_at_its_place(void **state)
{
    struct room *r = *state;
    char want[400];

    assert_int_equal(bundle_of(r, "server {\n  listen 443 ssl;\n  ssl_certificate nosuch.pem;\n"
                                  "  ssl_certificate_key key.pem;\n}\n"),
                     -1);
    snprintf(want, sizeof(want),
             "No such file or directory) in %1$s/main.conf:3\n%1$s/main.conf:3:19\n  "
             "ssl_certificate nosuch.pem;\n"
             "                  ^\n",
             r->folder);
    assert_has(said(r), want);
    assert_has(said(r), "nosuch.pem\"");
    assert_has(said(r), "main.conf:4:23\n"); /* all errors of a run, not only the first */
}

static void a_key_of_another_certificate_is_an_error(void **state)
{
    struct room *r = *state;
    struct made one = make_certificate("a", EVP_EC_gen("P-256"), NULL),
                two = make_certificate("b", EVP_EC_gen("P-256"), NULL);
    char *certificate = certificate_pem(&one), *key = key_pem(&two, NULL),
         *own = certificate_pem(&two);

    write_file(r, "cert.pem", certificate);
    write_file(r, "key.pem", key);
    write_file(r, "other.pem", own);
    assert_int_equal(
        bundle_of(
            r, "server { listen 443 ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem; }"),
        -1);
    assert_has(said(r), "SSL_CTX_use_PrivateKey(");
    assert_int_equal(
        bundle_of(
            r, "server { listen 443 ssl; ssl_certificate key.pem; ssl_certificate_key key.pem; }"),
        -1);
    int fd = bundle_of(
        r, "server { listen 443 ssl; ssl_certificate other.pem; ssl_certificate_key key.pem; }");
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(bundle_of(r, "server { listen 443 ssl; }"), -1);
    assert_has(said(r), "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive");
    free(certificate);
    free(key);
    free(own);
    made_done(&one);
    made_done(&two);
}

static void what_is_no_bundle_is_refused(void **state)
{
    struct room *r = *state;
    struct bundle_source source;
    char head[200] = "BIFRONS1\xff\xff\xff\xff\xff\xff\xff\x0f";
    int fd = memfd_create("not one", MFD_CLOEXEC);

    assert_int_equal(bundle_open(&source, fd), -EINVAL);
    assert_int_equal(write(fd, head, sizeof(head)),
                     sizeof(head)); /* more entries than there are bytes */
    assert_int_equal(bundle_open(&source, fd), -EINVAL);
    head[8] = head[9] = head[10] = head[11] = head[12] = head[13] = head[14] = head[15] = 0;
    head[0] = 'b';
    assert_int_equal(pwrite(fd, head, sizeof(head), 0), sizeof(head));
    assert_int_equal(bundle_open(&source, fd), -EINVAL);
    buf_clear(&r->said);
    assert_null(generation_build(fd, &r->said));
    assert_string_equal(said(r), "bifrons: [emerg] the bundle cannot be read\n");
    close(fd);
    assert_int_equal(bundle_open(&source, fd), -EBADF);
}

int main(void)
{
#define IN_ROOM(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        IN_ROOM(a_bundle_is_sealed_and_has_no_name),
        IN_ROOM(all_that_was_read_stands_in_it),
        IN_ROOM(built_twice_from_one_bundle_the_settings_are_equal),
        IN_ROOM(certificates_stand_in_it_as_der_and_keys_not_as_text),
        IN_ROOM(a_missing_certificate_is_an_error_at_its_place),
        IN_ROOM(a_key_of_another_certificate_is_an_error),
        IN_ROOM(what_is_no_bundle_is_refused),
    };

    return cmocka_run_group_tests_name("bundle", tests, NULL, NULL);
}
