/* One GET over plain HTTP, for health checks, NATS monitoring and the API of edges. Blocks, at most
 * `timeout_ms`. */
#pragma once

#include "base/buffer.h"
#include "base/macros.h"

enum { CLI_HTTP_BODY_MAX = 1 << 20 };

/* The status (200, 503...) with the body appended to `ret_body` (may be NULL); or -ECONNREFUSED,
 * -ETIMEDOUT, -EBADMSG and what else the socket says. `address` is host:port. */
MUST_USE int cli_http_get(const char *address, const char *path, int timeout_ms,
                          struct buffer *ret_body);

struct cli_http_ask {
    const char *address;
    const char *path;
    const char *token; /* for Authorization; NULL: none */
    int timeout_ms;
};
/* As cli_http_get(). */
MUST_USE int cli_http_ask(const struct cli_http_ask *ask, struct buffer *ret_body);
