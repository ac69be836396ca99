/* The directory's primary region, asked over the bus when the region's mirror is behind: how many
 * questions it may have at a time, and whether it answers. Only for this folder. */
#pragma once

#include "bus/bus.h"

enum {
    HOMES_PRIMARY_MAX = 64,       /* questions on their way */
    HOMES_PRIMARY_REST_MS = 1000, /* after it did not answer nobody waits for it */
    HOMES_PRIMARY_HEARD_MS = 5000,
};

struct homes_primary { /* embedded; init before anything else */
    struct bus *bus;   /* borrowed */
    struct bus_request probe;
    unsigned buckets;
    unsigned asked;
    bool heard;
    int64_t heard_ms;
    int64_t rests_ms; /* until then it is not asked */
};
enum homes_primary_may {
    HOMES_PRIMARY_ASK,
    HOMES_PRIMARY_BUSY,
    HOMES_PRIMARY_SILENT,
};

void homes_primary_init(struct homes_primary *primary, struct bus *bus, unsigned buckets);
void homes_primary_done(struct homes_primary *primary);
enum homes_primary_may homes_primary_may(const struct homes_primary *primary, int64_t now_ms);
/* A question was answered, with whatever, or not. */
void homes_primary_answered(struct homes_primary *primary, bool answered, int64_t now_ms);
/* Asks it something, so that one knows whether it would answer. */
void homes_primary_probe(struct homes_primary *primary);
bool homes_primary_is_heard(const struct homes_primary *primary, int64_t now_ms);
