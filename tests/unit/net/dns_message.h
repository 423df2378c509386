#ifndef UNIT_NET_DNS_MESSAGE_H
#define UNIT_NET_DNS_MESSAGE_H

#include "base/buf.h"
#include "net/dns_wire.h"

/* DNS messages as a server would write them, good and bad, for tests. */

enum { QUESTION_AT = DNS_HEADER_SIZE, LONGEST_MESSAGE = 16000 };

static inline void put_u16(struct buf *m, unsigned value)
{
    buf_add_byte(m, (char)(value >> 8));
    buf_add_byte(m, (char)value);
}

static inline void put_u32(struct buf *m, uint32_t value)
{
    put_u16(m, value >> 16);
    put_u16(m, value & 0xffff);
}

/* Labels up to each dot; whatever else stands in the text is put as it is. */
static inline void put_name(struct buf *m, const char *text)
{
    struct span rest = span_of(text);

    while (rest.len > 0) {
        struct span label = span_first(rest, span_find(rest, '.'));

        buf_add_byte(m, (char)label.len);
        buf_add(m, label);
        rest = span_from(rest, label.len + 1);
    }
    buf_add_byte(m, 0);
}

static inline void put_pointer(struct buf *m, unsigned to)
{
    put_u16(m, 0xc000 | to);
}

/* What follows a record's owner, but for its data. */
static inline void put_record(struct buf *m, unsigned type, uint32_t seconds, unsigned size)
{
    put_u16(m, type);
    put_u16(m, 1);
    put_u32(m, seconds);
    put_u16(m, size);
}

static inline void put_head(struct buf *m, unsigned id, unsigned flags, unsigned answers)
{
    put_u16(m, id);
    put_u16(m, flags);
    put_u16(m, 1);
    put_u16(m, answers);
    put_u16(m, 0);
    put_u16(m, 0);
}

static inline void put_question(struct buf *m, const char *name, unsigned type)
{
    put_name(m, name);
    put_u16(m, type);
    put_u16(m, 1);
}

static inline void put_a(struct buf *m, const char *owner, uint32_t seconds, uint32_t ip)
{
    put_name(m, owner);
    put_record(m, DNS_A, seconds, 4);
    put_u32(m, ip);
}

static inline void put_cname(struct buf *m, const char *owner, uint32_t seconds, const char *target)
{
    put_name(m, owner);
    put_record(m, DNS_CNAME, seconds, (unsigned)strlen(target) + 2);
    put_name(m, target);
}

static inline void put_soa(struct buf *m, const char *owner, uint32_t seconds, uint32_t minimum)
{
    put_name(m, owner);
    put_record(m, DNS_SOA, seconds, 2 + 20);
    buf_add_byte(m, 0);
    buf_add_byte(m, 0);
    for (int i = 0; i < 4; i++)
        put_u32(m, 1);
    put_u32(m, minimum);
}

/* Sets a 16-bit field of the head: 0 id, 1 flags, 2 questions, 3 answers, 4 authorities. */
static inline void set_head(struct buf *m, unsigned field, unsigned value)
{
    m->data[field * 2] = (char)(value >> 8);
    m->data[field * 2 + 1] = (char)value;
}

#endif
