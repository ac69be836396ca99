/* Answers who of a user is attached, and ends what it is told to end. Repeats do no harm: what has
 * ended is attached no more. Pure but for what it sends. One shard thread. */
#pragma once

#include "region-hub/hub_delivery.h"
#include "region-hub/hub_presence.h"

struct hub_who { /* borrowed */
    struct hub_presence *presence;
    struct hub_delivery *delivery;
};

/* Writes the answer, and kicks those it is about when `asked` says so. A `code` other than WIRE_OK
 * is all of the answer. `now_ms` and `wall_ms` are the same moment, by the loop's clock and since
 * 1970. */
void hub_who_answer(const struct hub_who *who, const struct wire_who_ask *asked,
                    enum wire_answer code, int64_t now_ms, int64_t wall_ms,
                    struct wire_frame_writer *frame);
