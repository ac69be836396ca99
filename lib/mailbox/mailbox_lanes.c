/* Lanes: what was applied of each region's outbox. A lane goes forward by exactly one batch at a
 * time, whoever forwards it and however often: never reordered, never skipped, never twice. */
#include "mailbox_internal.h"

#include <assert.h>
#include <string.h>

static const uint8_t no_incarnation[16];

const struct mailbox_lane_entry *mailbox_lanes_find(const struct mailbox *mailbox,
                                                    struct text source)
{
    for (size_t i = 0; i < mailbox->lane_count; i++) {
        if (text_equal(text_of(mailbox->lanes[i].source), source))
            return &mailbox->lanes[i];
    }
    return NULL;
}

static bool is_past(const struct mailbox_lane_entry *lane, const uint8_t incarnation[16])
{
    for (size_t i = 0; i < lane->past_count; i++) {
        if (memcmp(lane->past[i], incarnation, 16) == 0)
            return true;
    }
    return false;
}

static bool not_next(enum mailbox_passed why, const char *reason, enum mailbox_passed *ret_why,
                     const char **ret_reason)
{
    *ret_why = why;
    *ret_reason = reason;
    return false;
}

bool mailbox_lanes_is_next(const struct mailbox *mailbox, struct text source,
                           const struct wire_stamp *stamp, enum mailbox_passed *ret_why,
                           const char **ret_reason)
{
    if (!text_is_region_name(source))
        return not_next(MAILBOX_QUARANTINED, "not a region's lane", ret_why, ret_reason);
    /* Zeros stand for "nothing was applied" elsewhere. */
    if (memcmp(stamp->incarnation, no_incarnation, 16) == 0 || stamp->sequence <= stamp->previous)
        return not_next(MAILBOX_QUARANTINED, "impossible stamp", ret_why, ret_reason);

    const struct mailbox_lane_entry *lane = mailbox_lanes_find(mailbox, source);
    if (lane == NULL && mailbox->lane_count == MAILBOX_LANES_MAX)
        return not_next(MAILBOX_LANE_HOLE, "too many lanes", ret_why, ret_reason);
    if (lane != NULL && is_past(lane, stamp->incarnation))
        return not_next(MAILBOX_LANE_OLD, "incarnation was replaced", ret_why, ret_reason);
    if (lane == NULL || memcmp(lane->incarnation, stamp->incarnation, 16) != 0) {
        if (stamp->previous != 0)
            return not_next(MAILBOX_LANE_HOLE, "start of the incarnation is missing", ret_why,
                            ret_reason);
        return true;
    }
    if (stamp->sequence <= lane->sequence)
        return not_next(MAILBOX_LANE_REPEAT, "applied before", ret_why, ret_reason);
    if (stamp->previous != lane->sequence)
        return not_next(MAILBOX_LANE_HOLE, "batches before it are missing", ret_why, ret_reason);
    return true;
}

static struct mailbox_lane_entry *take_lane(struct mailbox *mailbox, struct text source)
{
    for (size_t i = 0; i < mailbox->lane_count; i++) {
        if (text_equal(text_of(mailbox->lanes[i].source), source))
            return &mailbox->lanes[i];
    }
    assert(mailbox->lane_count < MAILBOX_LANES_MAX); /* is_next() has said so */
    struct mailbox_lane_entry *lane = &mailbox->lanes[mailbox->lane_count++];
    *lane = (struct mailbox_lane_entry){0};
    memcpy(lane->source, source.data, source.size);
    return lane;
}

/* The incarnation until now is over; of those over, the longest known is forgotten. */
static void replace_incarnation(struct mailbox_lane_entry *lane, const uint8_t incarnation[16])
{
    if (memcmp(lane->incarnation, no_incarnation, 16) != 0) {
        if (lane->past_count == MAILBOX_PAST_MAX) {
            memmove(lane->past[0], lane->past[1], sizeof lane->past - sizeof lane->past[0]);
            lane->past_count--;
        }
        memcpy(lane->past[lane->past_count++], lane->incarnation, 16);
    }
    memcpy(lane->incarnation, incarnation, 16);
}

void mailbox_lanes_move(struct mailbox *mailbox, struct text source, const struct wire_stamp *stamp)
{
    struct mailbox_lane_entry *lane = take_lane(mailbox, source);
    if (memcmp(lane->incarnation, stamp->incarnation, 16) != 0)
        replace_incarnation(lane, stamp->incarnation);
    lane->sequence = stamp->sequence;
}
