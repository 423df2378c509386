#ifndef FETCH_TUNNEL_H
#define FETCH_TUNNEL_H

#include "base/span.h"
#include "exchange/source.h"
#include "exchange/variable.h"

struct pump_options;
struct upstream_conn;
struct worker;

/* Tunnels that are alive: what CONNECT and an upgrade (101) become. */

enum { TUNNEL_SPLICE_AFTER = 256 * 1024 };

/* Takes the client's connection, with what was read of it and not used, sends it `answer` (or
 * nothing), and pumps between it and the upstream, the last one that was asked, until one ends. `x`
 * may go at once: its log lines come at the tunnel's end. AFTER_CLOSE: it did not begin, x->fault
 * says why, and the upstream is still the caller's. */
enum after tunnel_start(struct exchange *x, struct upstream_conn *upstream,
                        const struct pump_options *options, struct span answer);
/* Ends every live tunnel of the worker; each still writes its log line. */
void tunnels_stop(struct worker *w);
/* `$forward_bytes_up`, `$forward_bytes_down` */
extern const struct variable tunnel_variables[];

#endif
