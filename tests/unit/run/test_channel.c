/* run/channel, run/order, run/manifest: what passes between master and worker, and what is refused
 * of it (PROC-28). */
#include "run/bundle.h"
#include "run/channel.h"
#include "run/manifest.h"
#include "unit/support.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/mman.h>

static int ends[2];

static int setup(void **state)
{
    (void)state;
    return channel_open(ends);
}

static int teardown(void **state)
{
    (void)state;
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static int some_file(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void an_order_arrives_whole(void **state)
{
    struct order sent, got;
    struct frame f;
    int fds[FRAME_MOST], failed;

    (void)state;
    order_init(&sent);
    order_init(&got);
    sent.serial = 7;
    sent.slot = 3;
    memset(&sent.seed, 0x5a, sizeof(sent.seed));
    sent.bundle = some_file();
    for (uint32_t i = 0; i < FRAME_MOST + 5; i++) /* more than one frame holds */
        order_list_add(&sent.sockets, (struct order_item){ i, 100 + i }, some_file());
    order_list_add(&sent.logs, (struct order_item){ 9, 1 }, some_file());
    assert_int_equal(channel_send_order(ends[0], &sent), 0);
    while ((failed = channel_receive(ends[1], &f, fds)) == 0)
        assert_true(channel_take(&f, fds, &got));
    assert_int_equal(failed, -EAGAIN);
    assert_true(got.bundle >= 0);
    assert_int_equal(got.serial, 7);
    assert_int_equal(got.slot, 3);
    assert_memory_equal(&got.seed, &sent.seed, sizeof(sent.seed));
    assert_int_equal(got.sockets.count, FRAME_MOST + 5);
    assert_int_equal(got.sockets.items[FRAME_MOST + 1].id, 100 + FRAME_MOST + 1);
    assert_int_equal(got.logs.count, 1);
    assert_int_equal(got.logs.items[0].number, 9);
    order_done(&sent);
    order_done(&got);
}

static void what_is_no_frame_is_refused(void **state)
{
    static char garbage[sizeof(struct frame) * 2];
    struct frame f = { .kind = FRAME_READY };
    int fds[FRAME_MOST];

    (void)state;
    assert_int_equal(channel_receive(ends[1], &f, fds), -EAGAIN);
    assert_int_equal(send(ends[0], garbage, 1, 0), 1);
    assert_int_equal(channel_receive(ends[1], &f, fds), -EPROTO);
    assert_int_equal(send(ends[0], garbage, sizeof(garbage), 0), sizeof(garbage));
    assert_int_equal(channel_receive(ends[1], &f, fds), -EPROTO);
    assert_int_equal(send(ends[0], garbage, sizeof(f), 0), sizeof(f)); /* kind 0 */
    assert_int_equal(channel_receive(ends[1], &f, fds), -EPROTO);
    f = (struct frame){ .kind = FRAME_READY, .count = 2 }; /* without descriptors */
    assert_int_equal(send(ends[0], &f, sizeof(f), 0), sizeof(f));
    assert_int_equal(channel_receive(ends[1], &f, fds), -EPROTO);
    close(ends[0]);
    assert_int_equal(channel_receive(ends[1], &f, fds), -EPIPE);
    ends[0] = dup(ends[1]);
}

static void descriptors_that_nobody_asked_for_are_closed(void **state)
{
    struct frame f = { .kind = FRAME_READY, .count = 1 };
    int fd = some_file(), fds[FRAME_MOST], next = dup(fd);

    (void)state;
    close(next); /* where the next descriptor will be */
    f.kind = 99;
    assert_int_equal(channel_send(ends[0], &f, &fd), 0);
    assert_int_equal(channel_receive(ends[1], &f, fds), -EPROTO);
    assert_int_equal(fcntl(next, F_GETFD), -1);
    close(fd);
}

static struct manifest *manifest_of(struct stage *s, const char *text, struct buf *bytes)
{
    assert_string_equal(stage_load(s, text), "");
    buf_init(bytes, 1 << 24, NULL);
    manifest_write(s->worker.generation, (struct span){ NULL, 0 }, bytes);
    return manifest_read(buf_view(bytes));
}

static void a_manifest_says_what_the_master_needs(void **state)
{
    struct buf bytes;
    struct manifest *m = manifest_of(
        *state,
        "user www web; worker_processes 3; pid /run/x.pid; error_log /var/e.log warn;\n"
        "error_log syslog:server=127.0.0.1 info; worker_shutdown_timeout 5s;\n"
        "access_log /var/a.log;\nserver { listen 127.0.0.1:8080 backlog=7; listen [::1]:8081;\n"
        "error_log /var/s.log; access_log /var/a.log; }",
        &bytes);

    assert_non_null(m);
    assert_int_equal(m->head.workers, 3);
    assert_string_equal(m->head.rights.user, "www");
    assert_string_equal(m->head.rights.group, "web");
    assert_string_equal(m->head.pid, "/run/x.pid");
    assert_int_equal(m->head.shutdown_ms, 5000);
    assert_true(m->head.master && !m->head.background);
    assert_int_equal(m->head.listeners, 2);
    assert_int_equal(m->listeners[0].backlog, 7);
    assert_int_equal(m->listeners[0].place.line, 4);
    assert_int_equal(m->listeners[1].address.port, 8081);
    assert_int_equal(m->head.errors, 2);
    assert_int_equal(m->errors[0].level, LEVEL_WARN);
    assert_string_equal(m->logs[m->errors[0].log].path, "/var/e.log");
    assert_int_equal(m->errors[1].log, NO_LOG);
    assert_int_equal(m->head.logs, 3); /* each file once */
    manifest_free(&m);
    buf_done(&bytes);
}

static void a_manifest_that_lies_is_none(void **state)
{
    struct buf bytes;
    struct manifest *m =
        manifest_of(*state, "error_log /e; access_log off; server { listen 80; }", &bytes);
    struct manifest_head *head = (struct manifest_head *)(void *)bytes.data;

    assert_non_null(m);
    manifest_free(&m);
    for (size_t len = 0; len < bytes.len; len += 97)
        assert_null(manifest_read(span_first(buf_view(&bytes), len)));
    head->listeners = UINT32_MAX;
    assert_null(manifest_read(buf_view(&bytes)));
    head->listeners = 1;
    head->workers = 0;
    assert_null(manifest_read(buf_view(&bytes)));
    head->workers = 1;
    memset(head->pid, 'x', sizeof(head->pid));
    assert_null(manifest_read(buf_view(&bytes)));
    buf_done(&bytes);
}

static void a_bundle_that_can_still_change_is_none(void **state)
{
    int fd = memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    (void)state;
    assert_null(bundle_manifest(fd));
    assert_int_equal(write(fd, "BIFRONS1", 8), 8);
    assert_null(bundle_manifest(fd));
    close(fd);
}

int main(void)
{
#define ON_CHANNEL(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        ON_CHANNEL(an_order_arrives_whole),
        ON_CHANNEL(what_is_no_frame_is_refused),
        ON_CHANNEL(descriptors_that_nobody_asked_for_are_closed),
        STAGED(a_manifest_says_what_the_master_needs),
        STAGED(a_manifest_that_lies_is_none),
        STAGED(a_bundle_that_can_still_change_is_none),
    };

    return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
