/* run/options, run/quick: the command line (nginx-semantics 2). */
#include "run/options.h"
#include "unit/support.h"

static struct arena arena;
static char said[4096]; /* on stderr by the last read */

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 4096, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

/* Words separated by spaces; `_` stands for an empty word. */
static struct options read_line(const char *line)
{
    char *argv[20] = { (char *)(uintptr_t) "bifrons" };
    char *copy = arena_cstr(&arena, span_of(line));
    int argc = 1, before = dup(STDERR_FILENO), echo = memfd_create("stderr", MFD_CLOEXEC);

    for (char *word = copy; word != NULL && *word != '\0';) {
        char *space = strchr(word, ' ');

        if (space != NULL)
            *space++ = '\0';
        argv[argc++] = strcmp(word, "_") == 0 ? (char *)(uintptr_t) "" : word;
        word = space;
    }
    dup2(echo, STDERR_FILENO);
    struct options o = options_read(argc, argv, &arena);
    fflush(stderr);
    dup2(before, STDERR_FILENO);
    close(before);
    ssize_t n = pread(echo, said, sizeof(said) - 1, 0);
    said[n > 0 ? n : 0] = '\0';
    close(echo);
    return o;
}

static const struct {
    const char *line;
    enum task task;
    const char *file, *prefix, *globals, *error_log;
    bool quiet;
} lines[] = {
    { "", TASK_RUN, "", "", "", "", false },
    { "-t", TASK_TEST, "", "", "", "", false },
    { "-tq", TASK_TEST, "", "", "", "", true },
    { "-t -q", TASK_TEST, "", "", "", "", true },
    { "-s reload", TASK_SIGNAL, "", "", "", "", false },
    { "-sstop", TASK_SIGNAL, "", "", "", "", false },
    { "-v", TASK_VERSION, "", "", "", "", false },
    { "-V", TASK_BUILD_INFO, "", "", "", "", false },
    { "-h", TASK_HELP, "", "", "", "", false },
    { "-?", TASK_HELP, "", "", "", "", false },
    { "-c f", TASK_RUN, "f", "", "", "", false },
    { "-cf", TASK_RUN, "f", "", "", "", false },
    { "-tcf", TASK_TEST, "f", "", "", "", false }, /* joined flags, the last with its value */
    { "-tqc f -p /x -e log -g pid;", TASK_TEST, "f", "/x", "pid;", "log", true },
    { "-c -t", TASK_RUN, "-t", "", "", "", false }, /* a value may look like an option */
    { "-g _", TASK_RUN, "", "", "", "", false },
};

static void words_mean_what_they_mean_to_nginx(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct options o = read_line(lines[i].line);

        if (o.task != lines[i].task || o.quiet != lines[i].quiet || said[0] != '\0')
            fail_msg("%s: task %d, %s", lines[i].line, (int)o.task, said);
        assert_span(o.file, lines[i].file);
        assert_span(o.prefix, lines[i].prefix);
        assert_span(o.globals, lines[i].globals);
        assert_span(o.error_log, lines[i].error_log);
    }
}

static const struct {
    const char *line, *said;
} refused[] = {
    { "-z", "bifrons: invalid option: \"z\"\n" },
    { "-tz", "bifrons: invalid option: \"z\"\n" },
    { "-", "bifrons: invalid option: \"-\"\n" },
    { "-t extra", "bifrons: invalid option: \"extra\"\n" },
    { "-c", "bifrons: option \"-c\" requires file name\n" },
    { "-p", "bifrons: option \"-p\" requires directory name\n" },
    { "-e", "bifrons: option \"-e\" requires file name\n" },
    { "-g", "bifrons: option \"-g\" requires parameter\n" },
    { "-s", "bifrons: option \"-s\" requires signal\n" },
    { "-s sing", "bifrons: invalid option: \"-s sing\"\n" },
    { "nosuch", "bifrons: unknown command \"nosuch\"; see bifrons -h\n" },
    { "reverse-proxy", "bifrons: reverse-proxy needs --from ADDRESS and --to ADDRESS\n" },
    { "reverse-proxy --from :80",
      "bifrons: reverse-proxy needs --from ADDRESS and --to ADDRESS\n" },
    { "reverse-proxy --from", "bifrons: option \"--from\" requires a value\n" },
    { "reverse-proxy --listen :80", "bifrons: invalid option: \"--listen\"\n" },
    { "reverse-proxy --from :80;x --to :81", "bifrons: invalid value \":80;x\" of \"--from\"\n" },
    { "reverse-proxy --from :80 --to a{b", "bifrons: invalid value \"a{b\" of \"--to\"\n" },
    { "reverse-proxy --from :80 --to https://a",
      "bifrons: reverse-proxy: \"https://a\" is not supported: --to takes HOST:PORT or "
      "http://HOST:PORT\n" },
    { "reverse-proxy --from :80 --to http://https://a",
      "bifrons: reverse-proxy: \"http://https://a\" is not supported: --to takes HOST:PORT or "
      "http://HOST:PORT\n" },
    { "forward-proxy --allow everyone",
      "bifrons: \"everyone\" is neither an address nor a network\n" },
    { "forward-proxy --listen :80$x", "bifrons: invalid value \":80$x\" of \"--listen\"\n" },
    { "forward-proxy --deny-list /nonexistent/f",
      "bifrons: --deny-list \"/nonexistent/f\": No such file or directory\n" },
    { "forward-proxy --allow ::1 --allow ::2", "bifrons: option \"--allow\" is given twice\n" },
    { "file-server", "bifrons: file-server needs --root FOLDER\n" },
    { "file-server --root /nonexistent",
      "bifrons: --root \"/nonexistent\": there is no such folder\n" },
    { "file-server --root / --listen :80;", "bifrons: invalid value \":80;\" of \"--listen\"\n" },
    { "file-server --root . --browse", "bifrons: \"--browse\" is known, not supported yet\n" },
    { "file-server --print --print --root .", "bifrons: option \"--print\" is given twice\n" },
    { "forward-proxy --to :80", "bifrons: invalid option: \"--to\"\n" },
};

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct options o = read_line(refused[i].line);

        if (o.task != TASK_FAIL)
            fail_msg("%s was taken", refused[i].line);
        assert_string_equal(said, refused[i].said);
    }
}

/* Whatever the words are: the text that they become is a good configuration. */
static void a_quick_command_is_a_good_configuration(void **state)
{
    static const char *const good[] = {
        "reverse-proxy --from :8080 --to 127.0.0.1:3000",
        "reverse-proxy --from 127.0.0.1:0 --to :3000",
        "reverse-proxy --from [::1]:8080 --to http://[::1]:3000",
        "reverse-proxy -e log --to 10.0.0.1 --from 8080",
        "forward-proxy",
        "forward-proxy --listen 127.0.0.1:0",
        "forward-proxy --listen :3128 --allow 10.0.0.0/8",
        "forward-proxy --allow ::1 -e log",
        "file-server --root /",
        "file-server --root . --listen :8080 -e log",
    };
    struct stage *s = *state;

    arena_init(&arena, 4096, NULL);
    for (size_t i = 0; i < COUNT(good); i++) {
        struct options o = read_line(good[i]);

        assert_int_equal(o.task, TASK_RUN);
        assert_true(o.quick);
        assert_string_equal(said, "");
        const char *messages = stage_load(s, arena_cstr(&arena, o.text));
        if (messages[0] != '\0')
            fail_msg("%s: %s", good[i], messages);
        assert_int_equal(stage_listener(s, 0)->forward, strncmp(good[i], "forward", 7) == 0);
    }
    assert_span(read_line("reverse-proxy --from 1 --to 2 -e x").error_log, "x");
    assert_span(read_line("forward-proxy").error_log, "stderr");
    assert_span(read_line("forward-proxy").file, "forward-proxy"); /* messages name it so */
    assert_int_equal(read_line("forward-proxy --print").task, TASK_PRINT);
    assert_int_equal(read_line("file-server -h").task, TASK_NOTHING);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(words_mean_what_they_mean_to_nginx, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_said, setup, teardown),
        STAGED(a_quick_command_is_a_good_configuration),
    };

    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
