#include "region-hub/hub_move_plan.h"

/* --- the old home --- */

static enum hub_move_out_step next_frozen(const struct hub_move_out_facts *facts)
{
    switch (facts->directory) {
    case HUB_MOVE_UNREAD:
        return facts->moved || facts->give_up || facts->is_check ? HUB_MOVE_OUT_READ
                                                                 : HUB_MOVE_OUT_REST;
    case HUB_MOVE_ELSEWHERE:
        return facts->is_sure || facts->is_new ? HUB_MOVE_OUT_DONE : HUB_MOVE_OUT_SETTLE;
    case HUB_MOVE_HERE:
        if (!facts->give_up)
            return HUB_MOVE_OUT_REST;
        return facts->is_sure ? HUB_MOVE_OUT_ABORTED : HUB_MOVE_OUT_SETTLE;
    case HUB_MOVE_NOBODY: /* nothing can be said, so nothing is done */
        break;
    }
    return HUB_MOVE_OUT_REST;
}

enum hub_move_out_step hub_move_out_next(const struct hub_move_out_facts *facts)
{
    if (facts->where == MAILBOX_FROZEN)
        return next_frozen(facts);
    if (facts->where != MAILBOX_AT_HOME || !facts->freeze)
        return HUB_MOVE_OUT_FINISH;
    if (facts->directory == HUB_MOVE_UNREAD)
        return HUB_MOVE_OUT_READ;
    return facts->directory == HUB_MOVE_HERE ? HUB_MOVE_OUT_FREEZE : HUB_MOVE_OUT_FINISH;
}

/* --- the new home --- */

static struct hub_move_in_next step(enum hub_move_in_step step)
{
    return (struct hub_move_in_next){.step = step, .code = WIRE_MOVE_WAIT};
}

static struct hub_move_in_next finish(uint8_t code)
{
    return (struct hub_move_in_next){.step = HUB_MOVE_IN_FINISH, .code = code};
}

/* The directory says that the user is at home here. */
static struct hub_move_in_next next_here(const struct hub_move_in_facts *facts)
{
    switch (facts->where) {
    case MAILBOX_ARRIVED:
        return step(HUB_MOVE_IN_DONE);
    case MAILBOX_AT_HOME:
        return facts->is_told ? finish(WIRE_MOVE_AT_HOME) : step(HUB_MOVE_IN_TELL);
    case MAILBOX_FROZEN:
        return finish(WIRE_MOVE_ELSEWHERE);
    case MAILBOX_STAGED: /* a mirror that is behind: it was at home here, and left */
        return step(HUB_MOVE_IN_AGAIN);
    case MAILBOX_AWAY:
        break;
    }
    return facts->is_wanted ? step(HUB_MOVE_IN_AGAIN) : finish(WIRE_MOVE_UNSURE);
}

/* The old home has frozen it. */
static struct hub_move_in_next next_frozen_there(const struct hub_move_in_facts *facts)
{
    if (facts->where == MAILBOX_ARRIVED)
        return step(HUB_MOVE_IN_DECIDE);
    if (facts->has_hole && facts->where == MAILBOX_STAGED)
        return step(HUB_MOVE_IN_ABORTED); /* of what is copied: it begins anew */
    return step(facts->is_whole ? HUB_MOVE_IN_COPIED : HUB_MOVE_IN_ROWS);
}

/* The old home does not know this move any more, or not yet. */
static struct hub_move_in_next next_given_up(const struct hub_move_in_facts *facts)
{
    if (facts->where == MAILBOX_STAGED)
        return step(HUB_MOVE_IN_ABORTED);
    if (facts->where == MAILBOX_ARRIVED) /* a compare-and-set of ours may still be on its way */
        return step(facts->is_sure ? HUB_MOVE_IN_ABORTED : HUB_MOVE_IN_SETTLE);
    return finish(WIRE_MOVE_GIVEN_UP);
}

static struct hub_move_in_next next_elsewhere(const struct hub_move_in_facts *facts)
{
    const bool begun = facts->where == MAILBOX_STAGED || facts->where == MAILBOX_ARRIVED;
    if (facts->where == MAILBOX_FROZEN) /* a mirror that is behind, or it has not heard the end */
        return facts->is_wanted ? step(HUB_MOVE_IN_AGAIN) : finish(WIRE_MOVE_UNSURE);
    if (!begun && !facts->is_wanted)
        return finish(WIRE_MOVE_GIVEN_UP);
    if (facts->where == MAILBOX_AT_HOME && facts->has_messages)
        return finish(WIRE_MOVE_UNSURE);
    switch (facts->heard) {
    case HUB_MOVE_UNHEARD:
        return step(HUB_MOVE_IN_FREEZE);
    case WIRE_MOVE_FROZEN:
        return next_frozen_there(facts);
    case WIRE_MOVE_NOT_FROZEN:
    case WIRE_MOVE_GIVEN_UP:
        return next_given_up(facts);
    case WIRE_MOVE_ELSEWHERE:
        return begun ? next_given_up(facts) : finish(WIRE_MOVE_ELSEWHERE);
    case WIRE_MOVE_UNKNOWN_USER:
    case WIRE_MOVE_REFUSED:
    case WIRE_MOVE_TOO_OLD:
        return begun ? step(HUB_MOVE_IN_AGAIN) : finish(facts->heard);
    default: /* wait, busy, unsure, or at home where our reading did not say */
        return step(HUB_MOVE_IN_AGAIN);
    }
}

struct hub_move_in_next hub_move_in_next(const struct hub_move_in_facts *facts)
{
    const bool begun = facts->where == MAILBOX_STAGED || facts->where == MAILBOX_ARRIVED;
    switch (facts->directory) {
    case HUB_MOVE_NOBODY:
        return begun ? step(HUB_MOVE_IN_AGAIN) : finish(WIRE_MOVE_UNKNOWN_USER);
    case HUB_MOVE_HERE:
        return next_here(facts);
    case HUB_MOVE_ELSEWHERE:
        return next_elsewhere(facts);
    case HUB_MOVE_UNREAD:
        break;
    }
    return step(HUB_MOVE_IN_READ);
}
