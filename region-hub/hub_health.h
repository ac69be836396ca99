/* Answers /healthz (the process is up), /readyz (it does its work) and /status (all there is to
 * say, in JSON) on one address: a tiny responder for load balancers and people, one request a
 * connection. On the caller's loop. */
#pragma once

#include "base/buffer.h"
#include "base/error_text.h"
#include "loop/loop.h"

struct hub_health; /* opaque, see hub_health.c */

enum { HUB_HEALTH_CONNECTIONS_MAX = 32, HUB_HEALTH_TIMEOUT_MS = 5000 };

struct hub_health_settings {
    const char *address; /* host:port */
    void *context;
    /* Appends lines of text that say why; true: ready. */
    bool (*is_ready)(void *context, struct buffer *out);
    /* Appends a JSON object. */
    void (*write_status)(void *context, struct buffer *out);
};
/* NULL with the reason. */
MUST_USE struct hub_health *hub_health_start(struct loop *loop,
                                             const struct hub_health_settings *settings,
                                             struct error_text *reterr_why);
void hub_health_stop(struct hub_health *health); /* NULL is fine */
