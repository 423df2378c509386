#ifndef DECIDE_FORWARD_FORWARD_H
#define DECIDE_FORWARD_FORWARD_H

#include "base/span.h"
#include "conf/settings.h"
#include "decide/forward/ports.h"
#include "decide/forward/rules.h"

/* The settings of a `forward { }` block: who may be taken where. */
enum tunnel_peek { PEEK_ON, PEEK_OFF, PEEK_REQUIRE };

struct forward_settings {
    struct conf_list blocks; /* of struct forward_block; of the top block only: all there are */
    struct conf_list rules;  /* of struct rule */
    struct conf_list lists;  /* of struct value_list * */
    struct conf_list own;    /* of struct address, plain: further addresses that lead to us */
    struct port_floors ports;
    struct ruleset set; /* what the rules compile to; of a forward block only */
    uint64_t most_hops; /* more Via entries are a loop */
    unsigned peek;      /* enum tunnel_peek */
    bool deny_special;  /* the address floor stands */
    bool open_proxy;    /* strangers may be let in */
};

struct forward_block {
    const struct conf_block *block;
    struct span name; /* empty: none */
    struct place place;
};

extern const struct module forward_module;

#endif
