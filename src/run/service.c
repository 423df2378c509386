/* How a service begins: the configuration is read, what it needs is opened; then a master takes
 * over, or (`master_process off`) this one process serves.
 *
 *     reader -> bundle -> supply: logs, sockets -> master.c | single.c
 */
#include "run/service.h"

#include "run/master.h"
#include "run/paths.h"
#include "run/reader.h"
#include "run/single.h"
#include "run/supply.h"

#include <stdio.h>

enum { MOST_MESSAGES = 1024 * 1024 };

static void print_messages(struct buf *messages)
{
    struct span text = buf_view(messages);

    if (text.len > 0)
        fwrite(text.at, 1, text.len, stderr);
    fflush(stderr);
    buf_clear(messages);
}

static struct supply *begin(const struct bundle_request *request, enum supply_manner manner,
                            struct buf *messages)
{
    int bundle = reader_read(request, messages);

    if (manner == SUPPLY_PATIENT) /* an address in use takes its time */
        print_messages(messages);
    return bundle >= 0 ? supply_new(bundle, NULL, manner, messages) : NULL;
}

int service_run(const struct options *o)
{
    struct bundle_request request = paths_of(o);
    struct buf messages;

    buf_init(&messages, MOST_MESSAGES, NULL);
    struct supply *s = begin(&request, SUPPLY_PATIENT, &messages);
    print_messages(&messages);
    buf_done(&messages);
    if (s == NULL)
        return 1;
    return s->manifest->head.master ? master_run(o, &request, s) : single_run(o, s);
}

/* Of warnings nothing with -q. */
static bool is_worth_saying(struct span messages)
{
    static const char emergency[] = "bifrons: [emerg]";

    while (messages.len > 0) {
        if (span_starts(messages, emergency))
            return true;
        messages = span_from(messages, span_find(messages, '\n') + 1);
    }
    return false;
}

int service_test(const struct options *o)
{
    struct bundle_request request = paths_of(o);
    int width = (int)request.file.len;
    struct buf messages;

    buf_init(&messages, MOST_MESSAGES, NULL);
    struct supply *s = begin(&request, SUPPLY_TRIAL, &messages);
    if (!o->quiet || is_worth_saying(buf_view(&messages)))
        print_messages(&messages);
    buf_done(&messages);
    if (s == NULL)
        fprintf(stderr, "bifrons: configuration file %.*s test failed\n", width, request.file.at);
    else if (!o->quiet)
        fprintf(stderr,
                "bifrons: the configuration file %.*s syntax is ok\n"
                "bifrons: configuration file %.*s test is successful\n",
                width, request.file.at, width, request.file.at);
    int code = s == NULL ? 1 : 0;
    supply_free(&s);
    return code;
}
