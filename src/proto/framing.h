#ifndef PROTO_FRAMING_H
#define PROTO_FRAMING_H

/* Where the body of a message ends (RFC 9112 6.3). */
enum framing {
    BODY_NONE,
    BODY_LENGTH,
    BODY_CHUNKED,
    BODY_CLOSE /* responses: until the connection ends */
};

#endif
