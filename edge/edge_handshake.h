/* The opening handshake of a WebSocket: what a request's headers say, line by line, and whether it
 * is one. A header that may come in several lines counts as one list. Pure; all texts are borrowed.
 *
 * Source: RFC 6455 sections 4.2 (the server's side), 9.1 (extensions) and 11.3 (headers). */
#pragma once

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    EDGE_HANDSHAKE_KEY = 24,    /* the size of a Sec-WebSocket-Key: 16 bytes in base64 */
    EDGE_HANDSHAKE_ACCEPT = 29, /* of a Sec-WebSocket-Accept, with its terminator */
};

/* Zeroed is a good start; the first members are what only the HTTP library knows. */
struct edge_handshake {
    bool get;            /* a GET of HTTP/1.1 */
    bool host;           /* it names a host */
    bool body;           /* it has one */
    struct text upgrade; /* the header, when Connection says that it counts */

    struct text key;
    struct text version;
    struct text bearer; /* a token among the subprotocols, see edge_auth_of_protocols() */
    unsigned keys;      /* lines of it */
    unsigned versions;
    struct text origin; /* of the last line, see edge_origins.h */
    unsigned origins;
    bool asks; /* for a subprotocol, whichever */
    bool v1;   /* for meridian.v1 among them */
    bool bad_extensions;
};

/* Takes one line of the request's headers; the name is in small letters. Others are passed over. */
void edge_handshake_header(struct edge_handshake *handshake, struct text name, struct text value);

struct edge_handshake_refusal {
    int status; /* 0: it is a handshake; else 400 or 426 */
    const char *code;
    const char *message;
};
/* Once all lines were taken. */
struct edge_handshake_refusal edge_handshake_judge(const struct edge_handshake *handshake);

/* What Sec-WebSocket-Accept says of a key of EDGE_HANDSHAKE_KEY bytes. */
void edge_handshake_accept(struct text key, char accept[EDGE_HANDSHAKE_ACCEPT]);
/* Whether it is base64 of 16 bytes. */
bool edge_handshake_key_is_good(struct text key);
/* One of a comma-separated list; `fold`: without regard to case. */
bool edge_handshake_list_has(struct text list, struct text wanted, bool fold);
/* A list as Sec-WebSocket-Extensions may hold; an empty one is good. */
bool edge_handshake_extensions_are_good(struct text list);
