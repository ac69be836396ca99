/* Which confirmed cursors are to be written to the log: coalesced, so that a device costs at most
 * one record an interval; the first after a pause goes at once. Pure. One shard thread. */
#pragma once

#include "base/macros.h"
#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

struct hub_acks; /* opaque, see hub_acks.c */

struct hub_ack { /* borrowed until the next call */
    struct text user;
    struct text device;
    uint32_t epoch;
    uint64_t seq;
};

/* NULL when memory is short. */
MUST_USE struct hub_acks *hub_acks_new(size_t devices_max, int64_t interval_ms);
void hub_acks_free(struct hub_acks *acks); /* NULL is fine */
void hub_acks_reset(struct hub_acks *acks);
/* `seq` is to be written; a lower one than noted is passed over. -ENOSPC when there are devices_max
 * others, -ENOMEM. */
MUST_USE int hub_acks_note(struct hub_acks *acks, const struct hub_ack *ack);
/* The same of a device that the log does not know: where it begins, which is written by itself,
 * before what it acknowledges, since it delivers nothing. */
MUST_USE int hub_acks_begin(struct hub_acks *acks, const struct hub_ack *ack);
/* What was noted for a device and may not be applied yet: 0 when nothing was, or in another
 * epoch. */
uint64_t hub_acks_noted(const struct hub_acks *acks, struct text user, struct text device,
                        uint32_t epoch);
/* The next one to be written now; false when there is none. Asked again it is the same one, until
 * hub_acks_written(). */
bool hub_acks_next(struct hub_acks *acks, int64_t now_ms, struct hub_ack *ret_ack);
/* The one that hub_acks_next() gave is on its way, at this time. */
void hub_acks_written(struct hub_acks *acks, int64_t now_ms);
/* Nothing is to be written for this device any more. */
void hub_acks_forget(struct hub_acks *acks, struct text user, struct text device);
size_t hub_acks_count(const struct hub_acks *acks);
