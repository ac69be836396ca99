#include "region-hub/hub_ownership.h"

#include <string.h>

enum event { OWN_APPLIED, OTHER_APPLIED, HIGHER_HEARD, CAUGHT_UP, FELL_BEHIND, DUE, LEAVE, EVENTS };

/* Row: where this hub is. Column: what happened. Cell: where it goes. */
static const enum hub_ownership_state table[HUB_OWNERSHIP_STATES][EVENTS] = {
/* clang-format off */
#define FOLLOW HUB_FOLLOWING
#define WATCH  HUB_WATCHING
#define CHALL  HUB_CHALLENGING
#define SERVE  HUB_SERVING
#define GIVE   HUB_LEAVING
#define LEFT   HUB_LEFT
    /*                    OWN_APPLIED  OTHER   HIGHER  CAUGHT_UP  FELL_BEHIND  DUE     LEAVE */
    [HUB_FOLLOWING]   = { FOLLOW,      FOLLOW, FOLLOW, WATCH,     FOLLOW,      FOLLOW, LEFT },
    [HUB_WATCHING]    = { SERVE,       WATCH,  WATCH,  WATCH,     FOLLOW,      CHALL,  LEFT },
    [HUB_CHALLENGING] = { SERVE,       WATCH,  WATCH,  CHALL,     FOLLOW,      CHALL,  LEFT },
    [HUB_SERVING]     = { SERVE,       WATCH,  WATCH,  SERVE,     FOLLOW,      SERVE,  GIVE },
    [HUB_LEAVING]     = { GIVE,        LEFT,   LEFT,   GIVE,      LEFT,        GIVE,   GIVE },
    [HUB_LEFT]        = { LEFT,        LEFT,   LEFT,   LEFT,      LEFT,        LEFT,   LEFT },
#undef FOLLOW
#undef WATCH
#undef CHALL
#undef SERVE
#undef GIVE
#undef LEFT
    /* clang-format on */
};

/* What leaving a row for another orders. */
static enum hub_ownership_order move(struct hub_ownership *ownership, enum event event)
{
    enum hub_ownership_state from = ownership->state;
    enum hub_ownership_state to = table[from][event];
    ownership->state = to;
    if (event == DUE && to == HUB_CHALLENGING)
        return HUB_ORDER_CHALLENGE;
    if (from == to)
        return HUB_ORDER_NONE;
    switch (to) {
    case HUB_SERVING:
        return HUB_ORDER_SERVE;
    case HUB_LEAVING:
        return HUB_ORDER_GIVE_UP;
    case HUB_LEFT:
        return HUB_ORDER_LEFT;
    default:
        return from == HUB_SERVING ? HUB_ORDER_STAND_DOWN : HUB_ORDER_NONE;
    }
}

const char *hub_ownership_state_name(enum hub_ownership_state state)
{
    static const char *const names[] = {"following", "watching", "challenging",
                                        "serving",   "leaving",  "left"};
    return names[state];
}

void hub_ownership_init(struct hub_ownership *ownership,
                        const struct hub_ownership_settings *settings, int64_t now_ms)
{
    *ownership =
        (struct hub_ownership){.settings = *settings, .heard_ms = now_ms, .ticked_ms = now_ms};
}

static void set_owner(struct hub_ownership *ownership, uint64_t generation, struct text hub)
{
    ownership->generation = generation;
    if (text_put(ownership->owner, sizeof ownership->owner, hub) != 0)
        ownership->owner[0] = '\0'; /* no hub has such a name: nobody */
}

void hub_ownership_loaded(struct hub_ownership *ownership, uint64_t generation, struct text hub)
{
    set_owner(ownership, generation, hub);
}

enum hub_ownership_order hub_ownership_applied(struct hub_ownership *ownership, uint64_t generation,
                                               struct text hub, uint64_t start, int64_t now_ms)
{
    bool own =
        text_equal(hub, text_of(ownership->settings.hub)) && start == ownership->settings.start;
    set_owner(ownership, generation, hub);
    ownership->heard_ms = now_ms; /* a new owner has its time to be heard */
    return move(ownership, own ? OWN_APPLIED : OTHER_APPLIED);
}

void hub_ownership_caught_up(struct hub_ownership *ownership, int64_t now_ms)
{
    if (ownership->state == HUB_FOLLOWING)
        ownership->heard_ms = ownership->caught_up_ms = now_ms;
    (void)move(ownership, CAUGHT_UP);
}

enum hub_ownership_order hub_ownership_fell_behind(struct hub_ownership *ownership)
{
    return move(ownership, FELL_BEHIND);
}

enum hub_ownership_order hub_ownership_beat(struct hub_ownership *ownership, uint64_t generation,
                                            uint64_t start, int64_t now_ms)
{
    if (start == ownership->settings.start || generation < ownership->generation)
        return HUB_ORDER_NONE;
    if (generation > ownership->heard_generation)
        ownership->heard_generation = generation;
    ownership->heard_ms = now_ms;
    return generation > ownership->generation ? move(ownership, HIGHER_HEARD) : HUB_ORDER_NONE;
}

/* When it is time to challenge, in WATCHING. */
static int64_t due_ms(const struct hub_ownership *ownership)
{
    const struct hub_ownership_settings *settings = &ownership->settings;
    int64_t step_ms = settings->preferred ? 0 : settings->step_ms;
    bool read = ownership->heard_generation <= ownership->generation; /* the record heard of */
    if (read && strcmp(ownership->owner, settings->hub) == 0)
        return ownership->caught_up_ms;
    /* Nobody owns it: at once, but when hubs start together each leaves the others their share. */
    if (read && ownership->owner[0] == '\0')
        return ownership->caught_up_ms + step_ms;
    return ownership->heard_ms + settings->silent_ms + step_ms;
}

void hub_ownership_deaf(struct hub_ownership *ownership, int64_t now_ms)
{
    ownership->heard_ms = now_ms;
}

enum hub_ownership_order hub_ownership_tick(struct hub_ownership *ownership, int64_t now_ms)
{
    if (now_ms - ownership->ticked_ms >= ownership->settings.deaf_ms)
        hub_ownership_deaf(ownership, now_ms);
    ownership->ticked_ms = now_ms;
    int64_t due = due_ms(ownership);
    if (ownership->state == HUB_CHALLENGING)
        due = ownership->asked_ms + ownership->settings.retry_ms;
    else if (ownership->state != HUB_WATCHING)
        return HUB_ORDER_NONE;
    if (now_ms < due)
        return HUB_ORDER_NONE;
    ownership->asked_ms = now_ms;
    return move(ownership, DUE);
}

enum hub_ownership_order hub_ownership_leave(struct hub_ownership *ownership)
{
    return move(ownership, LEAVE);
}
