/* What the files of the forwarder share: its lanes and the outboxes that they read. */
#pragma once

#include "log/log.h"
#include "region-hub/hub_forwarder.h"
#include "region-hub/hub_lane.h"
#include "region-hub/hub_outbox_watch.h"
#include "region-hub/hub_reroute.h"
#include "wire/names.h"

enum { HUB_FORWARDER_TAG_SHIFT = 48 }; /* the lane's place, from 1, in a PubAck's number */

struct hub_outbox {
    struct hub_forwarder *forwarder;
    const struct catalogue_region *to;
    struct wire_name stream;
    struct bus_request info;
    int64_t info_ms; /* when it was asked last */
    uint16_t permille;
    struct hub_outbox_watch watch;
    struct bus_request compare;
    uint64_t newest;   /* the highest sequence that was forwarded by this process; 0: none */
    int64_t newest_ms; /* when that was stored */
    uint64_t trimmed;  /* the highest sequence that it ordered to be trimmed */
};

struct hub_forwarder_lane {
    struct hub_forwarder *forwarder;
    struct hub_outbox *outbox;
    unsigned shard; /* of the home */
    struct hub_lane lane;
    bool regressed; /* the outbox of this incarnation ends before what was applied of it */
    struct wire_name from;
    struct wire_name to;
    struct bus_subscription *doorbell;
    struct bus_reader *reader;
    struct buffer stamped; /* room for a batch */

    struct bus_request genesis;
    struct bus_request ask;
    bool has_genesis; /* of this asking, as the next is */
    bool has_answer;
    uint8_t outbox_incarnation[16];
    uint8_t home_incarnation[16];
    uint64_t home_sequence;

    struct bus_request purge;
    int64_t trimmed_ms;
    uint64_t trimmed;         /* the sequence applied when it was trimmed last */
    enum hub_lane_state told; /* in the log */

    uint64_t seen;               /* what was applied the last time that it moved */
    int64_t moved_ms;            /* then, or when nothing waited */
    struct hub_reroute *reroute; /* while it stands still */
    struct log_limit limit;
};

struct hub_forwarder {
    struct hub_forwarder_settings settings;
    struct hub_outbox *outboxes;
    size_t outbox_count;
    struct hub_forwarder_lane *lanes;
    size_t lane_count;
};

static inline int64_t hub_forwarder_now_ms(const struct hub_forwarder *forwarder)
{
    return loop_now_ms(forwarder->settings.loop);
}

/* hub_forwarder_lane.c: the next lane of the forwarder, to be followed once all are there. False
 * when memory is short. */
MUST_USE bool hub_forwarder_open_lane(struct hub_forwarder *forwarder, struct hub_outbox *outbox,
                                      unsigned shard);
void hub_forwarder_close_lane(struct hub_forwarder_lane *lane);
/* Does what the lane orders. To be called whenever something was said to it. */
void hub_forwarder_follow(struct hub_forwarder_lane *lane);
/* Whether it moves: else what waits is sent on, to those who are elsewhere by now. */
void hub_forwarder_watch(struct hub_forwarder_lane *lane);

/* hub_outbox.c: how full an outbox is, whether it is still the same, and what of it is done. */
void hub_outbox_open(struct hub_forwarder *forwarder, struct hub_outbox *outbox,
                     const struct catalogue_region *to);
void hub_outbox_close(struct hub_outbox *outbox);
void hub_outbox_ask(struct hub_outbox *outbox); /* when that is due, as the next is */
void hub_outbox_trim(struct hub_forwarder_lane *lane);
/* An entry of it was forwarded. */
void hub_outbox_forwarded(struct hub_outbox *outbox, const struct bus_entry *entry);
/* It has another incarnation: what was known of it counts no more. */
void hub_outbox_begun_anew(struct hub_outbox *outbox);
bool hub_outbox_is_regressed(const struct hub_outbox *outbox);
