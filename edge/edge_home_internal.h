/* What the files of the edge's side of presence share: what it knows of each shard of each region,
 * and the frames that fill for it. */
#pragma once

#include "edge/edge_attaches.h"
#include "edge/edge_compare.h"
#include "edge/edge_home.h"
#include "edge/edge_reads.h"
#include "log/log.h"

enum { EDGE_HOME_SILENT_MS = 3000 }; /* an owner without beats is unreachable */

/* In the order in which they leave: an ack must not come after its detach. */
enum edge_home_verb {
    EDGE_HOME_VERB_ACK,
    EDGE_HOME_VERB_READ,
    EDGE_HOME_VERB_FETCH,
    EDGE_HOME_VERB_DETACH,
    EDGE_HOME_VERB_ATTACH,
    EDGE_HOME_VERB_EPH,
    EDGE_HOME_VERBS
};

struct edge_home_outgoing { /* a frame that fills */
    struct buffer bytes;
    struct wire_frame_writer writer;
    bool open;
};

/* A shard of a region, as this edge sees it. */
struct edge_home_place {
    uint64_t generation;
    int64_t beat_ms; /* the last one; at first: when we began to listen */
    bool heard;      /* a beat ever came */
    bool silent;     /* unreachable */
    uint16_t log_permille;
    uint32_t lag_ms;
    struct list attaches;
    uint32_t pending;            /* not answered */
    struct edge_compare compare; /* answered attaches, and what the owner says of them */
    uint8_t incarnation[16];     /* of the log, by the last beat */
    int64_t lower_ms;            /* since when only a lower generation beats; 0: not so */
    struct list dirty;
    int64_t report_ms; /* the last frame of reports */
    struct list busy;  /* has something to send */
    struct edge_home_outgoing
        *outgoing; /* EDGE_HOME_VERBS of them, once something was sent; NULL before */
};

struct edge_home_outbox { /* what an owner here says of the way to a region */
    uint16_t permille;
    uint32_t oldest_s;
};

struct edge_home {
    struct edge_home_settings settings;
    struct edge_places numbers;
    struct edge_home_place *places;
    struct edge_shards *shards;        /* of each region */
    size_t here;                       /* index of this region */
    struct edge_home_outbox *outboxes; /* [own shard][region] */
    struct edge_attaches attaches;
    struct edge_reads reads;
    struct edge_show *shows; /* by request */
    struct list work;
    struct list busy;
    uint64_t requests; /* the last number given */
    size_t attached;
    int64_t now_ms;
    bool flushing;
};

static inline struct text edge_home_user_of(const struct edge_attach *attach)
{
    return (struct text){.data = attach->names, .size = attach->user_size};
}

static inline struct text edge_home_device_of(const struct edge_attach *attach)
{
    return (struct text){.data = attach->names + attach->user_size, .size = attach->device_size};
}

static inline struct edge_home_place *edge_home_place_of(struct edge_home *home,
                                                         const struct edge_attach *attach)
{
    return &home->places[attach->place];
}

static inline bool edge_home_takes(const struct edge_attach *attach)
{
    return attach->state == EDGE_ATTACHED || attach->state == EDGE_ATTACHING_AGAIN;
}

static inline bool edge_home_is_pending(const struct edge_attach *attach)
{
    return attach->state == EDGE_ATTACHING || attach->state == EDGE_ATTACHING_AGAIN;
}

/* edge_home.c */
/* The place of a name and a shard, or NULL. */
struct edge_home_place *edge_home_place_named(struct edge_home *home, struct text region,
                                              uint32_t shard);
/* False when it comes from an owner that is one no more. */
bool edge_home_place_hear(struct edge_home *home, struct edge_home_place *place,
                          uint64_t generation);
void edge_home_place_attach_again(struct edge_home *home, struct edge_home_place *place);
/* Whether it waits for an answer has changed. */
void edge_home_settle(struct edge_home *home, struct edge_attach *attach);
/* It has something to report. */
void edge_home_mark_dirty(struct edge_home *home, struct edge_attach *attach);
void edge_home_set_state(struct edge_home *home, struct edge_attach *attach,
                         enum edge_attach_state state);
/* Drops it, and tells it so; it may be freed or attached again on return. */
void edge_home_lose_as(struct edge_home *home, struct edge_attach *attach, enum edge_lost lost);
/* Asks its owner again, unless it is detached. */
void edge_home_attach_again(struct edge_home *home, struct edge_attach *attach);

/* edge_home_frames.c: frames that leave, at the end of the turn. */
void edge_home_place_wake(struct edge_home *home, struct edge_home_place *place);
/* The frame that an entry of about `size` bytes goes into; NULL when memory is short. */
struct edge_home_outgoing *edge_home_place_frame(struct edge_home *home,
                                                 struct edge_home_place *place,
                                                 enum edge_home_verb verb, size_t size);
/* An entry without a body. */
void edge_home_place_write(struct edge_home *home, struct edge_home_place *place,
                           enum edge_home_verb verb, const struct wire_entry *entry);
void edge_home_place_free_outgoing(struct edge_home_place *place);
void edge_home_write_attach(struct edge_home *home, struct edge_attach *attach);
void edge_home_write_report(struct edge_home *home, struct edge_attach *attach);
void edge_home_write_fetch(struct edge_home *home, struct edge_attach *attach);
void edge_home_write_detach(struct edge_home *home, struct edge_home_place *place, struct text user,
                            struct text device, uint64_t attach);
void edge_home_write_read(void *context, struct edge_attach *attach, const struct edge_read *read);

/* edge_home_shows.c */
void edge_home_shown(struct edge_home *home, const struct wire_shown *shown);
void edge_home_tick_shows(struct edge_home *home);
