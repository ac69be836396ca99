/* Where deliveries to a device that attaches begin. Pure. */
#pragma once

#include "wire/frame.h"

#include <stdbool.h>
#include <stdint.h>

struct hub_cursor_of { /* the mailbox, and what is known of the device there */
    uint32_t epoch;
    uint64_t head;
    uint64_t base;      /* up to it the epoch before has the same seqs */
    uint64_t first;     /* where a device that is not known begins */
    bool known;         /* in the log, in this epoch */
    uint64_t confirmed; /* then */
    uint64_t noted;     /* acknowledged a moment ago: on its way into the log */
};
struct hub_cursor {
    uint64_t seq;  /* deliveries begin after it */
    uint8_t flags; /* WIRE_ATTACHED_... */
};
/* Whether a cursor is one of the mailbox with this epoch, head and base. */
bool hub_cursor_is_honoured(uint32_t epoch, uint64_t head, uint64_t base, uint32_t asked_epoch,
                            uint64_t asked_seq);
/* The device's own cursor counts if it is one of this mailbox, or one of the epoch before that is
 * not above the base; any other is answered by resync. Without a cursor, or after resync, it goes
 * on where it was, or begins where it asks to. */
struct hub_cursor hub_cursor_choose(const struct hub_cursor_of *of,
                                    const struct wire_attach *asked);
