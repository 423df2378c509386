/* The way to the background.
 *
 *     parent --fork--> child: setsid, streams lead nowhere, starts ... ready --1 byte--> parent: 0
 *                                                       ends before that --EOF--> parent: 1
 */
#include "run/terminal.h"

#include "base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct terminal terminal_stay(void)
{
    return (struct terminal){ .messages = STDERR_FILENO, .ready = -1 };
}

static struct terminal detach(int ready)
{
    struct terminal t = { .messages = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3), .ready = ready };
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);

    setsid();
    for (int fd = 0; nowhere >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(nowhere, fd);
    if (nowhere > STDERR_FILENO)
        close(nowhere);
    return t;
}

bool terminal_leave(struct terminal *ret, int *ret_code)
{
    int ends[2];
    char byte;
    ssize_t got;
    pid_t pid = pipe2(ends, O_CLOEXEC) == 0 ? fork() : -1;

    if (pid == 0) {
        close(ends[0]);
        *ret = detach(ends[1]);
        return true;
    }
    *ret_code = 1;
    if (pid < 0) {
        fprintf(stderr, "bifrons: [emerg] fork() failed (%d: %s)\n", errno, strerrordesc_np(errno));
        return false;
    }
    close(ends[1]);
    do
        got = read(ends[0], &byte, 1);
    while (got < 0 && errno == EINTR);
    *ret_code = got == 1 ? 0 : 1;
    return false;
}

void terminal_say(const struct terminal *t, struct span text)
{
    if (t->messages >= 0)
        os_write_whole(t->messages, text);
}

void terminal_ready(struct terminal *t)
{
    if (t->ready < 0)
        return;
    os_write_whole(t->ready, span_of("\n"));
    close(t->ready);
    close(t->messages);
    *t = (struct terminal){ .messages = -1, .ready = -1 };
}
