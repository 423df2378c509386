/* From a table of system calls to classic BPF, which the kernel runs before each call.
 *
 *     other machine's call?  ->  killed
 *     number                 ->  binary search over runs of numbers with the same fate
 *                                  -> a fate, or a jump to the checks of arguments
 *
 * A kernel from 5.11 on finds out when the program is loaded which numbers it allows whatever the
 * arguments, and lets those pass without running it. Owns nothing. */
#include "run/sandbox/seccomp.h"

#include "run/sandbox/calls.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LONGEST_JUMP = 255, MOST_CHECKED = 32 };

/* What becomes of a number. From FATE_CHECKED on: the checks of the call with that index. */
enum fate { FATE_ALLOWED, FATE_REFUSED, FATE_MISSING, FATE_DEADLY, FATE_CHECKED };

struct run { /* of numbers, from `first` to the next one's */
    uint32_t first;
    uint8_t fate;
};

struct plan {
    struct seccomp_program *out; /* owned, until it is returned */
    uint8_t fates[CALL_NUMBERS];
    const struct checked_call *checked[MOST_CHECKED];
    unsigned jumps[MOST_CHECKED]; /* where the jump to its checks stands */
    unsigned checked_count;
    struct run runs[CALL_NUMBERS + 1];
    unsigned run_count;
    uint32_t self;
};

/* --- which number has which fate ------------------------------------------------------------ */

static void give_fate(struct plan *p, const struct call_group *group, enum fate fate)
{
    for (size_t i = 0; i < group->count; i++)
        p->fates[group->numbers[i]] = (uint8_t)fate;
}

static bool add_rules(struct plan *p, const struct call_rules *rules)
{
    give_fate(p, &rules->allowed, FATE_ALLOWED);
    give_fate(p, &rules->missing, FATE_MISSING);
    give_fate(p, &rules->deadly, FATE_DEADLY);
    if (rules->checked_count > MOST_CHECKED - p->checked_count)
        return false;
    for (size_t i = 0; i < rules->checked_count; i++) {
        p->fates[rules->checked[i].number] = (uint8_t)(FATE_CHECKED + p->checked_count);
        p->checked[p->checked_count++] = &rules->checked[i];
    }
    return true;
}

static void find_runs(struct plan *p)
{
    for (uint32_t number = 0; number < CALL_NUMBERS; number++)
        if (number == 0 || p->fates[number] != p->fates[number - 1])
            p->runs[p->run_count++] = (struct run){ number, p->fates[number] };
    p->runs[p->run_count++] = (struct run){ CALL_NUMBERS, FATE_MISSING };
}

/* --- the program ---------------------------------------------------------------------------- */

static void put(struct plan *p, uint16_t code, uint32_t value, uint8_t if_true, uint8_t if_false)
{
    struct seccomp_program *out = p->out;

    if (out->len == SECCOMP_MOST_CODE) {
        out->too_long = true;
        return;
    }
    out->code[out->len++] = (struct sock_filter){ code, if_true, if_false, value };
}

static void put_load(struct plan *p, uint32_t at)
{
    put(p, BPF_LD | BPF_W | BPF_ABS, at, 0, 0);
}

static void put_end(struct plan *p, uint32_t action)
{
    put(p, BPF_RET | BPF_K, action, 0, 0);
}

static void put_fate(struct plan *p, uint8_t fate)
{
    static const uint32_t actions[] = {
        [FATE_ALLOWED] = SECCOMP_RET_ALLOW,
        [FATE_REFUSED] = SECCOMP_RET_ERRNO | EPERM,
        [FATE_MISSING] = SECCOMP_RET_ERRNO | ENOSYS,
        [FATE_DEADLY] = SECCOMP_RET_KILL_PROCESS,
    };

    if (fate < FATE_CHECKED) {
        put_end(p, actions[fate]);
        return;
    }
    p->jumps[fate - FATE_CHECKED] = p->out->len;
    put(p, BPF_JMP | BPF_JA, 0, 0, 0);
}

/* A conditional jump is at most LONGEST_JUMP long; each half stands right behind its question. */
static void put_search(struct plan *p, unsigned from, unsigned to)
{
    if (to - from == 1) {
        put_fate(p, p->runs[from].fate);
        return;
    }
    unsigned middle = from + (to - from) / 2, question = p->out->len;

    put(p, BPF_JMP | BPF_JGE | BPF_K, p->runs[middle].first, 0, 0);
    put_search(p, from, middle);
    unsigned skipped = p->out->len - question - 1;
    if (skipped > LONGEST_JUMP)
        p->out->too_long = true;
    else
        p->out->code[question].jt = (uint8_t)skipped;
    put_search(p, middle, to);
}

/* The low half of an argument stands first: the machines that have a table are little-endian. */
static void put_check(struct plan *p, const struct call_check *c)
{
    put_load(p, (uint32_t)(offsetof(struct seccomp_data, args) + c->argument * sizeof(uint64_t)));
    put(p, BPF_ALU | BPF_AND | BPF_K, c->mask, 0, 0);
    for (uint8_t i = 0; i < c->count; i++)
        put(p, BPF_JMP | BPF_JEQ | BPF_K, c->values[i] == CALL_OURSELVES ? p->self : c->values[i],
            (uint8_t)(c->count - i), 0);
    put_fate(p, FATE_REFUSED);
}

static void put_checks(struct plan *p, unsigned i)
{
    unsigned jump = p->jumps[i];

    p->out->code[jump].k = p->out->len - jump - 1;
    for (unsigned k = 0; k < CALL_MOST_CHECKS; k++)
        if (p->checked[i]->checks[k].count > 0)
            put_check(p, &p->checked[i]->checks[k]);
    put_fate(p, FATE_ALLOWED);
}

static void put_program(struct plan *p)
{
    put_load(p, offsetof(struct seccomp_data, arch));
    put(p, BPF_JMP | BPF_JEQ | BPF_K, calls_architecture, 1, 0);
    put_fate(p, FATE_DEADLY);
    put_load(p, offsetof(struct seccomp_data, nr));
    put_search(p, 0, p->run_count);
    for (unsigned i = 0; i < p->checked_count; i++)
        if (p->jumps[i] > 0) /* later rules may have said otherwise */
            put_checks(p, i);
}

struct seccomp_program *seccomp_new(const struct call_rules *const *rules, size_t count, pid_t self)
{
    struct plan *p = calloc(1, sizeof(*p));
    bool good = true;

    if (p == NULL || (p->out = calloc(1, sizeof(*p->out))) == NULL)
        abort();
    p->self = (uint32_t)self;
    memset(p->fates, FATE_REFUSED, CALL_NEWEST + 1);
    memset(p->fates + CALL_NEWEST + 1, FATE_MISSING, CALL_NUMBERS - CALL_NEWEST - 1);
    for (size_t i = 0; i < count; i++)
        good = good && add_rules(p, rules[i]);
    find_runs(p);
    put_program(p);

    struct seccomp_program *made = p->out;
    good = good && !made->too_long;
    free(p);
    if (!good)
        seccomp_free(&made);
    return made;
}

void seccomp_free(struct seccomp_program **p)
{
    free(*p);
    *p = NULL;
}

int seccomp_enter(const struct seccomp_program *p)
{
    struct sock_fprog program = { p->len, (struct sock_filter *)(uintptr_t)p->code };
    long failed =
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);

    if (failed < 0)
        return -errno;
    return failed > 0 ? -EAGAIN : 0; /* a thread that has a filter of its own */
}
