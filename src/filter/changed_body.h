#ifndef FILTER_CHANGED_BODY_H
#define FILTER_CHANGED_BODY_H

struct exchange;

/* What the head of an answer may still say once a filter gives another body. */

/* Its length is known at its end only, and nobody can ask for pieces of it. */
void response_forget_length(struct exchange *x);
/* Other bytes, the same meaning (RFC 9110 8.8.1); what is no tag goes. */
void response_weaken_etag(struct exchange *x);

#endif
