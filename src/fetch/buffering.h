#ifndef FETCH_BUFFERING_H
#define FETCH_BUFFERING_H

/* `proxy_buffering on`: a slow client does not hold an upstream longer than it must. */
extern const struct filter buffering_filter; /* of the module proxy: the settings are its */

#endif
