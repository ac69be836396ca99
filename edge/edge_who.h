/* Asks the owners of shards which devices of a user are attached, and tells them to end some. An
 * ask is one request on the bus, and its answer one frame; nothing is asked twice, for whoever
 * wants it asks again. */
#pragma once

#include "base/buffer.h"
#include "bus/bus.h"
#include "catalogue/catalogue.h"
#include "wire/frame.h"

struct edge_who_settings { /* borrowed */
    struct bus *bus;
    const struct catalogue *catalogue;
    const char *edge;
};

struct edge_who_answer { /* borrowed */
    uint16_t count;
    struct wire_frame connections; /* as many */
};
/* Reads the frame that answers `request`. -EBADMSG: it does not, or not as a whole. `ret_answer` is
 * set when `ret_code` is WIRE_OK. */
MUST_USE int edge_who_read(const void *bytes, size_t size, uint64_t request,
                           enum wire_answer *ret_code, struct edge_who_answer *ret_answer);
/* [{"device","region","edge","since"},...] */
void edge_who_write(struct buffer *out, const struct edge_who_answer *answer);

enum edge_who_outcome {
    EDGE_WHO_ANSWER,
    EDGE_WHO_BUSY,
    EDGE_WHO_UNREACHABLE, /* nobody answers for this user now */
    EDGE_WHO_MOVED,       /* the home is elsewhere: ask the directory again */
    EDGE_WHO_REFUSED,
};
/* Embedded in its owner, zeroed but for on_answer. */
struct edge_who_ask {
    /* It is over; `answer` is borrowed, and NULL unless the outcome is EDGE_WHO_ANSWER. */
    void (*on_answer)(struct edge_who_ask *ask, enum edge_who_outcome outcome,
                      const struct edge_who_answer *answer);
    struct bus_request request;
    uint64_t number;
};
/* EDGE_WHO_ANSWER: on_answer will be called. Else it is over already. An empty `device` is all. */
enum edge_who_outcome edge_who_ask(const struct edge_who_settings *settings,
                                   struct edge_who_ask *ask, size_t region, struct text user,
                                   struct text device, enum wire_who_action action);
/* on_answer is not called. Fine when it does not wait. */
void edge_who_cancel(struct edge_who_ask *ask);
