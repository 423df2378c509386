/* Workers: how they are started, heard, and replaced.
 *
 *     slot 0, 1 ...   each wants one child that has the newest order
 *     child           ORDERED --READY--> SERVES --a newer one serves in its slot, QUIT--> LEAVES
 *
 * A child may die in every state; the slot then is empty, and filled anew: at once if the child had
 * served for a while, else after a pause that doubles. */
#include "base/errlog.h"
#include "base/span.h"
#include "run/channel.h"
#include "run/manifest.h"
#include "run/master.h"
#include "run/order.h"
#include "run/role.h"
#include "run/supply.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FIRST_PAUSE_MS = 100, LONGEST_PAUSE_MS = 10000, SERVED_A_WHILE_MS = 1000 };

/* --- giving orders -------------------------------------------------------------------------- */

static void lose(struct master *m, struct child *c, const char *why, int error)
{
    master_log(m, LEVEL_ALERT, error, "worker process %d %s, killed", (int)c->pid, why);
    kill(c->pid, SIGKILL);
}

static void tell(struct master *m, struct child *c, enum frame_kind kind)
{
    struct frame f = { .kind = kind };
    int failed = c->channel >= 0 ? channel_send(c->channel, &f, NULL) : 0;

    if (failed < 0 && failed != -EPIPE && failed != -ECONNRESET)
        lose(m, c, "does not listen", -failed);
}

static void give_order(struct master *m, struct child *c)
{
    struct order o;

    supply_order(m->supply, c->slot, c->place, &o);
    int failed = c->channel >= 0 ? channel_send_order(c->channel, &o) : 0;
    order_done(&o);
    c->serial = m->supply->serial;
    c->state = CHILD_ORDERED;
    if (failed < 0 && failed != -EPIPE && failed != -ECONNRESET)
        lose(m, c, "does not take its order", -failed);
}

static void ask_to_leave(struct master *m, struct child *c, bool graceful)
{
    c->state = CHILD_LEAVES;
    tell(m, c, graceful ? FRAME_QUIT : FRAME_STOP);
}

void children_order(struct master *m)
{
    const struct supply *now = m->supply, *before = m->reload.before;

    /* Rights that were given up do not come back: then successors are started instead. */
    if (!manifest_same_rights(now->manifest, before->manifest))
        return;
    for (struct child *c = m->children; c != NULL; c = c->next)
        if (c->state != CHILD_LEAVES && c->slot < now->manifest->head.workers &&
            c->place < now->manifest->head.places) /* else a successor gets one that there is */
            give_order(m, c);
}

void children_send_logs(struct master *m)
{
    for (struct child *c = m->children; c != NULL; c = c->next) {
        struct order o;

        if (c->serial != m->supply->serial || c->channel < 0)
            continue; /* one that leaves by an older order keeps what it has */
        supply_order(m->supply, c->slot, c->place, &o);
        int failed = channel_send_logs(c->channel, &o);
        order_done(&o);
        if (failed < 0 && failed != -EPIPE && failed != -ECONNRESET)
            lose(m, c, "does not take its logs", -failed);
    }
}

void children_end(struct master *m, bool graceful)
{
    for (struct child *c = m->children; c != NULL; c = c->next)
        ask_to_leave(m, c, graceful);
}

void children_leave_surplus(struct master *m)
{
    for (struct child *c = m->children; c != NULL; c = c->next)
        if (c->slot >= m->supply->manifest->head.workers && c->state != CHILD_LEAVES)
            ask_to_leave(m, c, true);
}

void children_kill(struct master *m)
{
    for (struct child *c = m->children; c != NULL; c = c->next)
        kill(c->pid, SIGKILL);
}

/* --- starting ------------------------------------------------------------------------------- */

static const struct child *child_in(const struct master *m, unsigned slot)
{
    const struct child *c = m->children;

    while (c != NULL &&
           (c->slot != slot || c->state == CHILD_LEAVES || c->serial != m->supply->serial))
        c = c->next;
    return c;
}

bool children_are_ready(const struct master *m)
{
    for (unsigned slot = 0; slot < m->supply->manifest->head.workers; slot++) {
        const struct child *c = child_in(m, slot);

        if (c == NULL || c->state != CHILD_SERVES)
            return false;
    }
    return true;
}

static bool anybody_serves(const struct master *m)
{
    const struct child *c = m->children;

    while (c != NULL && c->state != CHILD_SERVES)
        c = c->next;
    return c != NULL;
}

static void pause_slot(struct slot *s, uint64_t longest)
{
    uint64_t pause = (uint64_t)FIRST_PAUSE_MS << (s->failures < 8 ? s->failures : 8);

    s->failures++;
    s->again = master_now() + (pause < longest ? pause : longest);
}

/* What a dead worker held in its place is given back by the next one that gets it. The last place
 * is for all for whom there is none. */
static unsigned free_place(const struct master *m)
{
    for (unsigned place = 0; place + 1 < m->supply->manifest->head.places; place++) {
        const struct child *c = m->children;

        while (c != NULL && c->place != place)
            c = c->next;
        if (c == NULL)
            return place;
    }
    return m->supply->manifest->head.places - 1;
}

static int start(struct master *m, unsigned slot)
{
    struct child *c = calloc(1, sizeof(*c));
    int ends[2], failed = c != NULL ? channel_open(ends) : -ENOMEM;

    if (failed < 0) {
        free(c);
        return failed;
    }
    pid_t pid = role_start(ROLE_WORKER, ends[1]);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        free(c);
        return pid;
    }
    *c = (struct child){
        .next = m->children, .pid = pid, .channel = ends[0], .slot = slot, .place = free_place(m)
    };
    m->children = c;
    master_log(m, LEVEL_NOTICE, 0, "start worker process %d", (int)pid);
    give_order(m, c);
    return 0;
}

uint64_t children_start(struct master *m)
{
    uint64_t look = UINT64_MAX;

    if (m->upgrade.resting)
        return look;
    for (unsigned i = 0; i < m->supply->manifest->head.workers; i++) {
        struct slot *s = &m->slots[i];

        if (child_in(m, i) != NULL)
            continue;
        int failed = s->again <= master_now() ? start(m, i) : 0;
        if (failed < 0) {
            master_log(m, LEVEL_ALERT, -failed, "a worker process cannot be started");
            pause_slot(s, LONGEST_PAUSE_MS);
        }
        if (child_in(m, i) == NULL && s->again < look)
            look = s->again;
    }
    return look;
}

/* --- hearing -------------------------------------------------------------------------------- */

/* It serves: whoever had its place may go. */
static void take_over(struct master *m, struct child *c)
{
    c->state = CHILD_SERVES;
    if (c->ready == 0)
        c->ready = master_now();
    for (struct child *other = m->children; other != NULL; other = other->next)
        if (other != c && other->slot == c->slot && other->state != CHILD_LEAVES)
            ask_to_leave(m, other, true);
}

static void obey(struct master *m, struct child *c, struct frame *f)
{
    if (f->serial != c->serial || c->state != CHILD_ORDERED)
        return; /* the answer to an order that was overtaken */
    f->text[FRAME_TEXT - 1] = '\0';
    if (f->kind == FRAME_READY) {
        take_over(m, c);
        reload_check(m);
        return;
    }
    ask_to_leave(m, c, true);
    pause_slot(&m->slots[c->slot], LONGEST_PAUSE_MS);
    reload_failed(m, span_of(f->text));
}

void children_hear(struct master *m, struct child *c)
{
    int fds[FRAME_MOST];
    struct frame f;
    int failed;

    while ((failed = channel_receive(c->channel, &f, fds)) == 0) {
        for (uint32_t i = 0; i < f.count; i++)
            close(fds[i]);
        if (f.count > 0 || (f.kind != FRAME_READY && f.kind != FRAME_FAILED)) {
            failed = -EPROTO;
            break;
        }
        obey(m, c, &f);
    }
    if (failed == -EAGAIN)
        return;
    if (failed == -EPROTO)
        lose(m, c, "sent what is no frame", 0);
    close(c->channel);
    c->channel = -1;
}

/* --- their death ---------------------------------------------------------------------------- */

static void note_death(struct master *m, const struct child *c)
{
    struct slot *s = &m->slots[c->slot];

    if (c->state == CHILD_LEAVES)
        return;
    if (c->ready == 0) {
        pause_slot(s, LONGEST_PAUSE_MS);
    } else if (master_now() - c->ready >= SERVED_A_WHILE_MS || s->failures == 0) {
        s->failures = master_now() - c->ready >= SERVED_A_WHILE_MS ? 0 : 1;
        s->again = 0;
    } else {
        pause_slot(s, anybody_serves(m) ? LONGEST_PAUSE_MS : FIRST_PAUSE_MS);
    }
}

static void say_death(struct master *m, pid_t pid, int status)
{
    if (WIFSIGNALED(status))
        master_log(m, LEVEL_ALERT, 0, "worker process %d exited on signal %d%s", (int)pid,
                   WTERMSIG(status), WCOREDUMP(status) ? " (core dumped)" : "");
    else
        master_log(m, LEVEL_NOTICE, 0, "worker process %d exited with code %d", (int)pid,
                   WEXITSTATUS(status));
}

static void bury(struct master *m, pid_t pid, int status)
{
    struct child **at = &m->children;

    while (*at != NULL && (*at)->pid != pid)
        at = &(*at)->next;
    struct child *dead = *at;
    if (dead == NULL)
        return;
    say_death(m, pid, status);
    *at = dead->next;
    note_death(m, dead);
    if (dead->channel >= 0)
        close(dead->channel);
    free(dead);
}

void children_bury(struct master *m)
{
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == m->reload.reader.pid)
            reload_read(m, status);
        else if (pid == m->upgrade.pid)
            upgrade_ended(m, status);
        else
            bury(m, pid, status);
    }
}
