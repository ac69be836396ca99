/* host:port, as it stands in settings: "127.0.0.1:8080", "[::1]:8080", "nats-1.example:4222". */
#pragma once

#include "base/macros.h"
#include "base/text.h"

#include <stdint.h>

enum { SETTINGS_HOST_MAX = 253 };
/* The longest host:port with its terminator. */
enum { SETTINGS_ADDRESS_SIZE = SETTINGS_HOST_MAX + sizeof("[]:65535") };

struct settings_address {
    char host[SETTINGS_HOST_MAX + 1]; /* an IPv6 address without its brackets */
    uint16_t port;                    /* 1 to 65535 */
};

/* Checks the form only, resolves nothing. -EINVAL. */
MUST_USE int settings_address_parse(struct text from, struct settings_address *ret_address);
