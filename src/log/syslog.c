/* The syslog of RFC 3164, as NGINX writes it:
 *
 *     <190>Nov 25 00:27:49 host tag: text
 *
 * Owns nothing: the sink closes. */
#include "log/syslog.h"

#include "base/address.h"
#include "conf/call.h"

#include <errno.h>
#include <stdio.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

enum { SYSLOG_PORT = 514, LOCAL7 = 23, INFO = 6, UNSET = 255, MOST_HEAD = 256 };
enum { LONGEST_RECORD = 2048, SHORTER_RECORD = 1024 };

#define CUT "..."

static const char *const facilities[] = { "kern",     "user",   "mail",   "daemon", "auth",
                                          "intern",   "lpr",    "news",   "uucp",   "clock",
                                          "authpriv", "ftp",    "ntp",    "audit",  "alert",
                                          "cron",     "local0", "local1", "local2", "local3",
                                          "local4",   "local5", "local6", "local7", NULL };
static const char *const severities[] = { "emerg",  "alert", "crit",  "error", "warn",
                                          "notice", "info",  "debug", NULL };

/* --- reading -------------------------------------------------------------------------------- */

static bool read_name(struct conf_call *call, unsigned word, const char *const *names,
                      struct span text, unsigned *ret)
{
    const char *what = names == facilities ? "facility" : "severity";

    if (*ret != UNSET)
        return conf_refuse(call, word, "duplicate syslog \"%s\"", what);
    for (unsigned i = 0; names[i] != NULL; i++) {
        if (span_is(text, names[i])) {
            *ret = i;
            return true;
        }
    }
    return conf_refuse(call, word, "unknown syslog %s \"%.*s\"", what, (int)text.len, text.at);
}

static bool read_tag(struct conf_call *call, unsigned word, struct span text, struct syslog *s)
{
    if (s->tag[0] != '\0')
        return conf_refuse(call, word, "duplicate syslog \"tag\"");
    if (text.len >= sizeof(s->tag))
        return conf_refuse(call, word, "syslog tag length exceeds 32");
    for (size_t i = 0; i < text.len; i++) {
        char c = ascii_lower(text.at[i]);

        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && c != '_')
            return conf_refuse(call, word,
                               "syslog \"tag\" only allows alphanumeric characters and underscore");
    }
    memcpy(s->tag, text.at, text.len);
    return true;
}

static bool read_server(struct conf_call *call, unsigned word, struct span text, struct syslog *s)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct address address;

    if (s->address_length > 0)
        return conf_refuse(call, word, "duplicate syslog \"server\"");
    if (span_starts(text, "unix:")) {
        if (text.len == 5 || !span_to_cstr(span_from(text, 5), sizeof(un.sun_path), un.sun_path))
            return conf_refuse(call, word, "no or too long a path in syslog server \"%.*s\"",
                               (int)text.len, text.at);
        memcpy(&s->address, &un, sizeof(un));
        s->address_length = sizeof(un);
        return true;
    }
    if (!address_parse(text, SYSLOG_PORT, &address))
        return conf_refuse(call, word,
                           "expected an address with an optional port, or unix:PATH, in syslog "
                           "server \"%.*s\"",
                           (int)text.len, text.at);
    s->address_length = address_to_sockaddr(&address, &s->address);
    return true;
}

static bool read_part(struct conf_call *call, unsigned word, struct span part, struct syslog *s)
{
    if (span_starts(part, "server="))
        return read_server(call, word, span_from(part, 7), s);
    if (span_starts(part, "facility="))
        return read_name(call, word, facilities, span_from(part, 9), &s->facility);
    if (span_starts(part, "severity="))
        return read_name(call, word, severities, span_from(part, 9), &s->severity);
    if (span_starts(part, "tag="))
        return read_tag(call, word, span_from(part, 4), s);
    if (span_is(part, "nohostname")) {
        s->without_host = true;
        return true;
    }
    return conf_refuse(call, word, "unknown syslog parameter \"%.*s\"", (int)part.len, part.at);
}

bool syslog_read(struct conf_call *call, unsigned word, struct syslog *ret)
{
    struct span rest = span_from(conf_word(call, word), strlen("syslog:")), part, tail;
    struct syslog s = { .facility = UNSET, .severity = UNSET };

    while (span_cut(rest, ',', &part, &tail)) {
        if (!read_part(call, word, part, &s))
            return false;
        rest = tail;
    }
    if (!read_part(call, word, rest, &s))
        return false;
    if (s.address_length == 0)
        return conf_refuse(call, word, "no syslog server specified");
    if (s.facility == UNSET)
        s.facility = LOCAL7;
    if (s.severity == UNSET)
        s.severity = INFO;
    if (s.tag[0] == '\0')
        memcpy(s.tag, "bifrons", sizeof("bifrons"));
    *ret = s;
    return true;
}

/* --- sending -------------------------------------------------------------------------------- */

int syslog_open(const struct syslog *to)
{
    int fd = socket(to->address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd < 0 ? -errno : fd;
}

/* Of `24/Nov/2026:20:36:27 +0000` the parts that RFC 3164 wants. */
static int print_head(const struct syslog *to, const char *local_time, char head[MOST_HEAD])
{
    char host[65] = "";

    if (!to->without_host && gethostname(host, sizeof(host) - 1) < 0)
        host[0] = '\0';
    for (char *p = host; *p != '\0'; p++)
        *p = ascii_lower(*p);
    return snprintf(head, MOST_HEAD, "<%u>%.3s %c%c %.8s %s%s%s: ", to->facility * 8 + to->severity,
                    local_time + 3, local_time[0] == '0' ? ' ' : local_time[0], local_time[1],
                    local_time + 12, host, host[0] != '\0' ? " " : "", to->tag);
}

/* A receiver takes 1 KiB at least (RFC 3164 4.1), and should take 2 KiB (RFC 5424 6.1). */
static struct span fitting(struct span text, size_t room, struct span *ret_mark)
{
    size_t len = room - strlen(CUT);

    *ret_mark = span_of(text.len > room ? CUT : "");
    if (text.len <= room)
        return text;
    for (unsigned i = 0; i < 3 && len > 0 && (text.at[len] & 0xc0) == 0x80; i++)
        len--; /* no half of a character of UTF-8 */
    return span_first(text, len);
}

static int send_at_most(int fd, const struct syslog *to, struct span head, struct span text,
                        size_t most)
{
    struct span mark, part = fitting(text, most - head.len, &mark);
    struct iovec parts[] = { { (char *)(uintptr_t)head.at, head.len },
                             { (char *)(uintptr_t)part.at, part.len },
                             { (char *)(uintptr_t)mark.at, mark.len } };
    struct msghdr message = { .msg_name = (void *)(uintptr_t)&to->address,
                              .msg_namelen = to->address_length,
                              .msg_iov = parts,
                              .msg_iovlen = COUNT(parts) };

    return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Not connected: a server that was started anew is found again, and a refusal of one record does
 * not cost the next. */
int syslog_send(int fd, const struct syslog *to, const char *local_time, struct span text)
{
    char head[MOST_HEAD];
    struct span start = { head, (size_t)print_head(to, local_time, head) };
    int failed = send_at_most(fd, to, start, text, LONGEST_RECORD);

    return failed == -EMSGSIZE ? send_at_most(fd, to, start, text, SHORTER_RECORD) : failed;
}
