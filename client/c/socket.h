/* One WebSocket at a time, on libwebsockets. All callbacks come from inside meridian_socket_turn(),
 * or from meridian_socket_connect() when it fails at once. */
#pragma once

#include "base/buffer.h"
#include "base/text.h"
#include "c/url.h"

struct meridian_socket; /* opaque */

struct meridian_socket_events {
    void (*on_open)(void *context);
    void (*on_frame)(void *context, struct text frame); /* borrowed */
    void (*on_writable)(void *context);
    /* `code` 0: it ended without a close frame, or was never open. */
    void (*on_closed)(void *context, int code, const char *why);
    void *context;
};

enum { MERIDIAN_SOCKET_FRAME_MAX = 2 << 20 };

/* `tls`: some edge will need it; `ca_file`: whom it then trusts, NULL: whom the system does. NULL
 * when memory is short. */
struct meridian_socket *meridian_socket_new(const struct meridian_socket_events *events, bool tls,
                                            const char *ca_file);
void meridian_socket_free(struct meridian_socket *socket);
/* Must not be connected. What becomes of it is told by on_open or on_closed. */
void meridian_socket_connect(struct meridian_socket *socket, const struct meridian_url *url);
/* Ends it; on_closed is not called. Fine when there is none. */
void meridian_socket_close(struct meridian_socket *socket);
/* on_writable comes when the socket takes bytes. */
void meridian_socket_want_write(struct meridian_socket *socket);
/* Inside on_writable, once. -EPIPE: on_closed follows. */
MUST_USE int meridian_socket_write(struct meridian_socket *socket, struct text frame);
void meridian_socket_turn(struct meridian_socket *socket, int64_t wait_ms);
