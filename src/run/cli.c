/* The command line: from words to a task. */
#include "run/cli.h"

#include "base/arena.h"
#include "base/span.h"
#include "run/explain.h"
#include "run/options.h"
#include "run/role.h"
#include "run/service.h"
#include "run/tools.h"
#include "run/usage.h"

#include <openssl/crypto.h>
#include <stdio.h>

static int show_version(bool how)
{
    fputs("bifrons version: bifrons/" BIFRONS_VERSION "\n", stderr);
    if (how)
        fprintf(
            stderr,
            "built with %s\nTLS SNI support enabled\nconfiguration language: nginx/1.31.0\n"
            "configure arguments: --prefix=/var/lib/bifrons --conf-path=/etc/bifrons/bifrons.conf "
            "--with-http_ssl_module\n",
            OpenSSL_version(OPENSSL_VERSION));
    return 0;
}

static int dump(const struct options *o)
{
    struct options test = *o;

    test.task = TASK_TEST;
    int code = service_test(&test);
    return code != 0 ? code : tools_dump(o);
}

static int perform(const struct options *o)
{
    switch (o->task) {
    case TASK_RUN:
        return service_run(o);
    case TASK_TEST:
        return service_test(o);
    case TASK_SIGNAL:
        return service_signal(o);
    case TASK_DUMP:
        return dump(o);
    case TASK_VERSION:
        return show_version(false);
    case TASK_BUILD_INFO:
        return show_version(true);
    case TASK_HELP:
        usage_print();
        return 0;
    case TASK_PRINT:
        fwrite(o->text.at, 1, o->text.len, stdout);
        return fflush(stdout) == 0 ? 0 : 1;
    case TASK_NOTHING:
        return 0;
    case TASK_FAIL:
        return 1;
    }
    return 1;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} tools[] = {
    { "fmt", fmt_main },
    { "lint", lint_main },
    { "help", help_main },
};

int cli_main(int argc, char **argv)
{
    struct arena arena;
    int role_code;

    if (role_run(argc, argv, &role_code))
        return role_code;
    if (explain_knows(argc, argv))
        return explain_main(argc, argv);
    for (size_t i = 0; i < COUNT(tools) && argc > 1; i++)
        if (strcmp(argv[1], tools[i].name) == 0)
            return tools[i].run(argc, argv);
    arena_init(&arena, 16 * 1024, NULL);
    struct options o = options_read(argc, argv, &arena);
    int code = perform(&o);
    arena_done(&arena);
    return code;
}
