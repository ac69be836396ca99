/* One WebSocket client of the load tool: a non-blocking socket, the handshake, masked text
 * frames; under TLS when asked for. It shares no code with the edge, so that neither hides the
 * other's mistakes. */
#pragma once

#include "base/buffer.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct ssl_st; /* SSL of OpenSSL */

enum load_state { LOAD_CLOSED, LOAD_CONNECTING, LOAD_UPGRADING, LOAD_OPEN };

struct load_client {
    int fd;
    enum load_state state;
    uint32_t pings;     /* that came, and were answered */
    struct ssl_st *ssl; /* NULL: plain */
    struct buffer in;
    struct buffer out;
};

/* All clients that are opened from now on speak TLS; the server may be anybody. */
void load_client_use_tls(void);
/* Starts to connect and queues the handshake. 0 or -errno. */
MUST_USE int load_client_open(struct load_client *client, const struct sockaddr_in *to);
/* The same from an address of this machine. */
MUST_USE int load_client_open_from(struct load_client *client, const struct sockaddr_in *from,
                                   const struct sockaddr_in *to);
void load_client_close(struct load_client *client);
/* Queues one text frame. */
void load_client_send(struct load_client *client, struct text text);
/* Writes what it can. 0, or -errno when the connection is gone. */
MUST_USE int load_client_flush(struct load_client *client);
/* Reads what is there. 0, or -errno when the connection is gone. */
MUST_USE int load_client_read(struct load_client *client);
/* The next text frame, borrowed until the next read; answers pings. False when none is whole. */
bool load_client_next(struct load_client *client, struct text *ret_text);
/* Forgets what load_client_next() gave out. Call before the next read. */
void load_client_compact(struct load_client *client);
/* The text after `key` in a frame, or NULL. Frames end in '}', so a scan from there ends. */
const char *load_client_after(struct text frame, const char *key);
/* "HOST:PORT" of numbers. 0 or -EINVAL. */
MUST_USE int load_client_address(const char *text, struct sockaddr_in *ret_to);
