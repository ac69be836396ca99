/* Where an edge is: "http://host:port". Pure. */
#pragma once

#include "base/text.h"

#include <stdbool.h>

enum { MERIDIAN_HOST_MAX = 253, MERIDIAN_URL_PATH_MAX = 127 };

struct meridian_url {
    char host[MERIDIAN_HOST_MAX + 1]; /* an IPv6 address without its brackets */
    int port;
    bool tls;
    char path[MERIDIAN_URL_PATH_MAX + 1]; /* with what follows for the WebSocket: "/ws" */
};

/* http, ws (port 80), https, wss (port 443). A path is what the edge is behind. -EINVAL. */
MUST_USE int meridian_url_parse(struct text from, struct meridian_url *ret_url);
