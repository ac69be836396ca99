/* What users say they have read: taken from edges, written to the log, and told as noted once it is
 * applied. Repeats change nothing. One shard thread. */
#pragma once

#include "region-hub/hub_apply.h"
#include "region-hub/hub_delivery.h"
#include "region-hub/hub_presence.h"
#include "region-hub/hub_writer.h"

struct hub_reads { /* all borrowed */
    struct hub_apply *apply;
    struct hub_presence *presence;
    struct hub_delivery *delivery;
    struct hub_writer *writer;
};

/* The user has read so much, which is one of its mailbox's cursors: to be written by
 * read->generation. -ENOTSUP: the log knows no such records, and nobody will be told; else why it
 * cannot be now. */
MUST_USE int hub_reads_note(const struct hub_reads *reads, const struct wire_read *read);
/* The device `attachment` says so, and is what it says: so the user has. What cannot be true is
 * passed over; what cannot be written now the edge repeats. */
void hub_reads_ask(const struct hub_reads *reads, uint64_t generation,
                   const struct hub_attachment *attachment, const struct wire_read_up_to *asked);
/* It was applied: tells every edge where the user is attached. */
void hub_reads_applied(const struct hub_reads *reads, const struct wire_read *read);
