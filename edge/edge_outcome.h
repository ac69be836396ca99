/* What may become of a send, for one recipient: the codes of `accepted` and `rejected`, and what
 * they are called, whether repeating may help, and how HTTP says it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum edge_code {
    EDGE_ACCEPTED,
    EDGE_UNKNOWN_RECIPIENT,
    EDGE_BAD_REQUEST,
    EDGE_TOO_LARGE,
    EDGE_STORAGE_FULL,
    EDGE_BUSY,
    EDGE_HOME_BACKLOGGED,
    EDGE_DIRECTORY_UNSURE,
    EDGE_RATE_LIMITED,
    EDGE_CODES,
};

struct edge_code_row {
    const char *name;
    bool retryable;
    uint32_t retry_after_ms; /* 0: nothing said */
    int http_status;
    const char *message;
};
/* Never NULL. */
const struct edge_code_row *edge_code_row(enum edge_code code);
