/* A configuration takes the place of another.
 *
 *     asked -> reader (a child) -> next supply: logs, sockets -> orders to the workers
 *           -> all are READY -> what only the supply before held is closed -> answered
 *
 * Until the next supply stands nothing has changed, and whatever fails is said to the log and to
 * whoever asked. One at a time: what is asked for meanwhile comes after it, once. */
#include "base/buf.h"
#include "base/errlog.h"
#include "base/span.h"
#include "run/master.h"
#include "run/notify.h"
#include "run/reader.h"
#include "run/supply.h"
#include "run/terminal.h"

enum { MOST_MESSAGES = 1024 * 1024 };

/* --- what it says --------------------------------------------------------------------------- */

/* `bifrons: [level] text`: the level, and what is left. */
static enum level level_of(struct span *line)
{
    struct span word = span_from(*line, sizeof("bifrons: [") - 1);
    size_t end = span_find(word, ']');
    enum level level;

    if (!level_parse(span_first(word, end), &level))
        return LEVEL_EMERG;
    *line = span_from(word, end + 2);
    return level;
}

/* Each message is one record; the place, the line and the caret below it are for people. */
static void log_messages(const struct master *m, struct span text)
{
    struct span line;

    while (text.len > 0) {
        line = span_first(text, span_find(text, '\n'));
        text = span_from(text, line.len + 1);
        if (!span_starts(line, "bifrons: ["))
            continue;
        enum level level = level_of(&line);
        master_log(m, level, 0, "%.*s", (int)line.len, line.at);
    }
}

static void answer(struct master *m, struct span failure)
{
    struct reload *r = &m->reload;
    void (*tell)(void *, struct span) = r->answer;

    r->answer = NULL;
    if (tell != NULL)
        tell(r->arg, failure);
}

/* It is over, whatever came of it. */
static void end(struct master *m, struct span failure)
{
    notify_ready();
    answer(m, failure);
}

/* --- steps ---------------------------------------------------------------------------------- */

static bool is_busy(const struct master *m)
{
    return m->reload.reader.pid != 0 || m->reload.before != NULL || m->state == MASTER_STARTS;
}

static void begin(struct master *m)
{
    m->reload.again = false;
    notify_reloading();
    int failed = reader_start(&m->reload.reader, &m->request);
    if (failed == 0)
        return;
    master_log(m, LEVEL_ALERT, -failed, "the configuration reader cannot start");
    end(m, span_of("the configuration reader cannot start"));
}

void master_reload(struct master *m, void (*tell)(void *arg, struct span failure), void *arg)
{
    answer(m, span_of("another reload has come first"));
    m->reload.answer = tell;
    m->reload.arg = arg;
    m->reload.again = true;
    if (!is_busy(m))
        begin(m);
}

void reload_read(struct master *m, int status)
{
    struct buf messages;

    buf_init(&messages, MOST_MESSAGES, NULL);
    int bundle = reader_end(&m->reload.reader, status, &messages);
    struct supply *next =
        bundle >= 0 ? supply_new(bundle, m->supply, SUPPLY_AT_ONCE, &messages) : NULL;
    log_messages(m, buf_view(&messages));
    if (next == NULL) {
        end(m, buf_view(&messages));
    } else {
        m->reload.before = m->supply;
        m->supply = next;
        supply_open_errors(next, &m->logs);
        children_order(m);
    }
    buf_done(&messages);
    if (next == NULL && m->reload.again)
        begin(m);
}

/* Those whose places there are no more: the others have adopted their sockets by now. */
void reload_check(struct master *m)
{
    struct reload *r = &m->reload;

    if (!children_are_ready(m))
        return;
    if (m->state == MASTER_STARTS)
        master_is_ready(m);
    if (r->before != NULL) {
        children_leave_surplus(m);
        supply_announce(m->supply, r->before);
        supply_free(&r->before);
        master_log(m, LEVEL_NOTICE, 0, "reconfigured");
        end(m, (struct span){ NULL, 0 });
    }
    if (r->again && !is_busy(m))
        begin(m);
}

void reload_failed(struct master *m, struct span failure)
{
    log_messages(m, failure);
    if (m->state == MASTER_STARTS) {
        terminal_say(&m->terminal, failure);
        master_stop(m, MASTER_FAILED);
        return;
    }
    end(m, failure);
}

void reload_stop(struct master *m)
{
    reader_stop(&m->reload.reader);
    supply_free(&m->reload.before);
    m->reload.again = false;
    answer(m, span_of("the service ends"));
}
