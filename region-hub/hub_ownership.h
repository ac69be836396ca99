/* Who owns a shard, and whether this hub should: the decisions alone. What is in the log, heard by
 * beat and shown by the clock comes in; what to do comes out. Pure.
 *
 * A hub watches only once it has read the log to its end. It challenges at once when the shard was
 * given up or the owner's record names this hub (an earlier start of it), and after a silence of
 * the owner's beats else. It serves from the moment its own record is applied, and stands down when
 * another's is, or when a beat of a higher generation is heard. */
#pragma once

#include "base/macros.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum hub_ownership_state {
    HUB_FOLLOWING,   /* behind the end of the log */
    HUB_WATCHING,    /* another owns it, or will */
    HUB_CHALLENGING, /* own record on its way */
    HUB_SERVING,
    HUB_LEAVING, /* the record that gives up is on its way */
    HUB_LEFT,
    HUB_OWNERSHIP_STATES
};
const char *hub_ownership_state_name(enum hub_ownership_state state);

enum hub_ownership_order {
    HUB_ORDER_NONE,
    HUB_ORDER_CHALLENGE,  /* write own {hub, start, expects = generation} */
    HUB_ORDER_SERVE,      /* this generation is ours */
    HUB_ORDER_STAND_DOWN, /* stop at once, answer nothing */
    HUB_ORDER_GIVE_UP,    /* write own {"", start, expects = generation} */
    HUB_ORDER_LEFT,       /* nothing holds this hub any longer */
};

struct hub_ownership_settings {
    const char *hub;
    uint64_t start;
    bool preferred;    /* the first choice among the region's hubs for this shard */
    int64_t silent_ms; /* of the owner, before it is challenged */
    int64_t step_ms;   /* what others than the preferred wait longer */
    int64_t deaf_ms;   /* a pause of this hub's own that long does not count as silence of others */
    int64_t retry_ms;  /* a challenge without outcome is repeated after it */
};

struct hub_ownership { /* the caller reads only */
    struct hub_ownership_settings settings;
    enum hub_ownership_state state;
    uint64_t generation; /* applied */
    char owner[TEXT_PROCESS_MAX + 1];
    uint64_t heard_generation; /* the highest heard in beats of others */
    int64_t heard_ms;
    int64_t ticked_ms;
    int64_t caught_up_ms;
    int64_t asked_ms; /* when the challenge was ordered */
};

void hub_ownership_init(struct hub_ownership *ownership,
                        const struct hub_ownership_settings *settings, int64_t now_ms);
/* The mailboxes were loaded as they were saved, or are empty: this is who owned the shard then. */
void hub_ownership_loaded(struct hub_ownership *ownership, uint64_t generation, struct text hub);
/* An own record was applied. */
MUST_USE enum hub_ownership_order hub_ownership_applied(struct hub_ownership *ownership,
                                                        uint64_t generation, struct text hub,
                                                        uint64_t start, int64_t now_ms);
/* The log was read to its end. */
void hub_ownership_caught_up(struct hub_ownership *ownership, int64_t now_ms);
/* The mailboxes are no longer there, or stopped: behind again. */
MUST_USE enum hub_ownership_order hub_ownership_fell_behind(struct hub_ownership *ownership);
/* A beat of an owner; one's own are passed over. */
MUST_USE enum hub_ownership_order hub_ownership_beat(struct hub_ownership *ownership,
                                                     uint64_t generation, uint64_t start,
                                                     int64_t now_ms);
/* This hub could hear nobody until now: whoever owns the shard has its time from now on. */
void hub_ownership_deaf(struct hub_ownership *ownership, int64_t now_ms);
/* Time has passed. */
MUST_USE enum hub_ownership_order hub_ownership_tick(struct hub_ownership *ownership,
                                                     int64_t now_ms);
/* The process wants to end. GIVE_UP, or LEFT when there is nothing to give up. */
MUST_USE enum hub_ownership_order hub_ownership_leave(struct hub_ownership *ownership);
