#include "region-hub/hub_rescue_plan.h"

static struct hub_rescue_next step(enum hub_rescue_step step)
{
    return (struct hub_rescue_next){.step = step, .code = WIRE_MOVE_WAIT};
}

static struct hub_rescue_next finish(uint8_t code)
{
    return (struct hub_rescue_next){.step = HUB_RESCUE_FINISH, .code = code};
}

static struct hub_rescue_next next_here(const struct hub_rescue_facts *facts)
{
    if (facts->where == MAILBOX_ARRIVED)
        return step(HUB_RESCUE_DONE);
    if (facts->where == MAILBOX_AT_HOME)
        return finish(WIRE_MOVE_AT_HOME);
    return finish(facts->where == MAILBOX_FROZEN ? WIRE_MOVE_ELSEWHERE : WIRE_MOVE_UNSURE);
}

static struct hub_rescue_next next_there(const struct hub_rescue_facts *facts)
{
    switch (facts->where) {
    case MAILBOX_ARRIVED: /* else by a plan that goes on by itself, or is given up */
        return facts->is_next ? step(HUB_RESCUE_DECIDE) : finish(WIRE_MOVE_BUSY);
    case MAILBOX_FROZEN: /* a mirror that is behind: it was at home here */
        return finish(WIRE_MOVE_UNSURE);
    case MAILBOX_AT_HOME:
        if (facts->has_messages)
            return finish(WIRE_MOVE_UNSURE);
        break;
    case MAILBOX_STAGED:
    case MAILBOX_AWAY:
        break;
    }
    if (!facts->is_measured)
        return step(HUB_RESCUE_MEASURE);
    if (facts->is_empty || (facts->is_whole && facts->is_ours))
        return step(HUB_RESCUE_COPIED);
    return step(HUB_RESCUE_COPY);
}

struct hub_rescue_next hub_rescue_next(const struct hub_rescue_facts *facts)
{
    switch (facts->directory) {
    case HUB_RESCUE_UNREAD:
        break;
    case HUB_RESCUE_NOBODY:
        return finish(WIRE_MOVE_UNKNOWN_USER);
    case HUB_RESCUE_ELSEWHERE:
        return finish(WIRE_MOVE_ELSEWHERE);
    case HUB_RESCUE_HERE:
        return next_here(facts);
    case HUB_RESCUE_THERE:
        return next_there(facts);
    }
    return step(HUB_RESCUE_READ);
}
