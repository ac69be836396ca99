/* Asks the owners of shards for pages of their users' history. An ask is one request on the bus,
 * and its answer one frame; nothing is asked twice, for whoever wants it asks again. What an ask
 * may say, and how a page looks as JSON, is the same for all who ask. */
#pragma once

#include "base/buffer.h"
#include "bus/bus.h"
#include "catalogue/catalogue.h"
#include "edge/edge_settings.h"
#include "wire/frame.h"

#include <stdbool.h>

struct edge_history; /* opaque, see edge_history.c */

enum {
    EDGE_HISTORY_LIMIT = 50,             /* messages, when nothing is said */
    EDGE_HISTORY_BYTES_MAX = 128 * 1024, /* of a page, about */
    EDGE_HISTORY_TIMEOUT_MS = 6000,      /* longer than an owner takes */
};

struct edge_history_settings { /* all borrowed */
    struct bus *bus;
    const struct catalogue *catalogue;
    const struct edge_settings *edge;
};
MUST_USE struct edge_history *edge_history_new(const struct edge_history_settings *settings);
void edge_history_free(struct edge_history *history); /* every ask was cancelled; NULL is fine */

struct edge_history_query {
    uint8_t flags; /* WIRE_HISTORY_BEFORE or WIRE_HISTORY_AFTER, and a cursor; or neither */
    uint32_t epoch;
    uint64_t seq;
    uint16_t limit;
};
/* Of text: an empty cursor is none, and limit 0 means nothing was said. NULL, or what is wrong. */
const char *edge_history_query(struct text before, struct text after, uint64_t limit,
                               const struct edge_settings *edge,
                               struct edge_history_query *ret_query);
/* Of a URL's query, still encoded: `before`, which may be empty, and `limit`. */
bool edge_history_is_wanted(struct text query);
const char *edge_history_query_url(struct text query, const struct edge_settings *edge,
                                   struct edge_history_query *ret_query);

struct edge_history_page { /* borrowed */
    bool more;
    struct text reason; /* why some are missing; empty: none is */
    struct wire_frame rows;
};
/* Reads the frame that answers `request`. -EBADMSG: it does not, or not as a whole. `ret_page` is
 * set when `ret_code` is WIRE_OK. */
MUST_USE int edge_history_read(const void *bytes, size_t size, uint64_t request,
                               enum wire_answer *ret_code, struct edge_history_page *ret_page);
/* "messages":[...],"more":...,"complete":... */
void edge_history_write(struct buffer *out, const struct edge_history_page *page);

enum edge_history_outcome {
    EDGE_HISTORY_PAGE,
    EDGE_HISTORY_BUSY,
    EDGE_HISTORY_UNREACHABLE, /* nobody answers for this mailbox now */
    EDGE_HISTORY_MOVED,       /* the home is elsewhere: ask the directory again */
    EDGE_HISTORY_REFUSED,
};
struct edge_history_row { /* how an outcome is told */
    const char *code;
    const char *message;
    int http_status;
    bool retryable;
};
const struct edge_history_row *edge_history_row(enum edge_history_outcome outcome);

/* Embedded in its owner, zeroed but for on_answer. */
struct edge_history_ask {
    /* It is over; `page` is borrowed, and NULL unless the outcome is EDGE_HISTORY_PAGE. */
    void (*on_answer)(struct edge_history_ask *ask, enum edge_history_outcome outcome,
                      const struct edge_history_page *page);
    struct edge_history *history; /* while it waits */
    struct bus_request request;
    uint64_t number;
};
/* `token`: what the client has shown, for the owner; empty: nothing. EDGE_HISTORY_PAGE: on_answer
 * will be called. Else it is over already. */
enum edge_history_outcome edge_history_ask(struct edge_history *history,
                                           struct edge_history_ask *ask, size_t region,
                                           struct text user, struct text token,
                                           const struct edge_history_query *query);
/* on_answer is not called. Fine when it does not wait. */
void edge_history_cancel(struct edge_history_ask *ask);
