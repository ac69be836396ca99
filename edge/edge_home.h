/* The edge's side of presence: which devices are attached here, to the owners of which shards, and
 * what each has been given. Owners push deliveries; this keeps them in order, asks for what is
 * missing, reports what was written and acknowledged, and attaches again when an owner changes.
 *
 * Pure but for what it is handed: frames and times come in, frames go out by `publish`. Everything
 * it sends may be lost, and everything that must not be is sent again. */
#pragma once

#include "base/list.h"
#include "base/table.h"
#include "base/text.h"
#include "catalogue/catalogue.h"
#include "edge/edge_places.h"
#include "wire/beat.h"
#include "wire/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_home; /* opaque, see edge_home_internal.h */
struct edge_attach;

enum edge_lost {
    EDGE_LOST_REPLACED, /* the same device is connected elsewhere, later than here */
    EDGE_LOST_REFUSED,
    EDGE_LOST_NOT_HOME,  /* ask the directory again; what it acknowledged is kept until attached */
    EDGE_LOST_DROPPED,   /* the user has more devices than may be kept, and this one is stale */
    EDGE_LOST_ENDED,     /* somebody who may has asked for it */
    EDGE_LOST_RECONNECT, /* the same, but it may come back at once */
    EDGE_LOST_UNAUTHORIZED, /* its token is not, or no more, good for the owner */
};

struct edge_attach_ops {
    /* Attached, for the first time or again. With `resync` the position is another one than asked
     * for. Deliveries go on after attach->next - 1. */
    void (*on_attached)(struct edge_attach *attach, const struct wire_attached *attached,
                        bool again, bool resync);
    /* The next message, or an ephemeral one (seq 0). */
    void (*on_deliver)(struct edge_attach *attach, const struct wire_deliver *deliver);
    void (*on_confirmed)(struct edge_attach *attach); /* attach->confirmed has grown */
    void (*on_gap)(struct edge_attach *attach, const struct wire_gap *gap);
    /* It is detached already, on return it may be freed or attached again. */
    void (*on_lost)(struct edge_attach *attach, enum edge_lost lost);
    void (*on_reachable)(struct edge_attach *attach, bool reachable);
    /* What it has shown, for the owner; borrowed for the call. NULL: nothing is ever shown. */
    struct text (*token)(struct edge_attach *attach);
    /* The home has been unreachable for long: is it still the user's? Now and then, as long as that
     * lasts. NULL: it does not matter. */
    void (*on_doubt)(struct edge_attach *attach);
};

enum edge_attach_state { EDGE_DETACHED, EDGE_ATTACHING, EDGE_ATTACHED, EDGE_ATTACHING_AGAIN };

/* A device that is connected here; embedded in its owner. Zeroed, then ops, names and flags
 * are set, and epoch and next where flags say WIRE_ATTACH_HAS_CURSOR. The texts stay the owner's
 * and must live until edge_home_detach(). */
struct edge_attach {
    const struct edge_attach_ops *ops;
    const char *names; /* the user, then the device */
    uint8_t user_size;
    uint8_t device_size;
    uint8_t state;             /* enum edge_attach_state */
    uint8_t flags;             /* enum WIRE_ATTACH_... of the first attach */
    bool told_unreachable : 1; /* bits, for every connection has one of these */
    bool hole : 1;
    bool unconfirmed : 1; /* an ack waits for its confirmation */
    bool between : 1;     /* it was attached, and will be where its home is now */
    uint16_t place;
    uint32_t epoch;
    uint32_t asked_ms;  /* when the last attach or fetch left; low bits of the time */
    uint64_t former_to; /* cursors of the epoch before mean the same up to here */
    uint64_t attach;    /* the owner's number; 0: none yet */
    uint64_t request;
    uint64_t next;      /* the seq that is written next */
    uint64_t acked;     /* by the device */
    uint64_t confirmed; /* written to the log, says the owner */
    struct edge_attach *bucket_next;
    struct list of_place;
    struct list work;  /* waits for an answer, or has a hole, or an ack is unconfirmed */
    struct list dirty; /* has something to report */
};

struct edge_home_settings {
    const struct catalogue *catalogue;
    const struct catalogue_region *region;
    const char *edge;
    uint64_t start;       /* random for each start of the process */
    size_t reads_max;     /* receipts that are not in a log yet... */
    size_t reads_one_max; /* ...and of one device */
    /* Negative when it could not leave; nothing is kept back. */
    int (*publish)(void *context, const char *subject, const void *data, size_t size);
    /* edge_home_flush() is wanted at the end of this turn (delay 0), or that much later. */
    void (*wake)(void *context, int64_t delay_ms);
    /* A claim of this edge is answered. */
    void (*on_claimed)(void *context, const struct wire_claimed *claimed);
    /* An owner goes on counting a device that has left, since its detach was lost: the edge must
     * begin anew in the eyes of all hubs, by another `start` in its beats. */
    void (*on_orphans)(void *context);
    void *context;
};
MUST_USE struct edge_home *edge_home_new(const struct edge_home_settings *settings);
void edge_home_free(struct edge_home *home); /* everything was detached, and nothing is shown */

/* Starts to attach at (region, user's shard there). -ENOMEM. */
MUST_USE int edge_home_attach(struct edge_home *home, struct edge_attach *attach, size_t region,
                              int64_t now_ms);
/* It has shown another token: the owner is told. Fine when it is not attached. */
void edge_home_renew(struct edge_home *home, struct edge_attach *attach);
/* Its home is another one: loses it as when the owner had said so. */
void edge_home_lose(struct edge_home *home, struct edge_attach *attach);
/* Tells the owner; fine when it is not attached. The owner may free it then, and what was kept for
 * an attach elsewhere is forgotten. */
void edge_home_detach(struct edge_home *home, struct edge_attach *attach);
/* The device has acknowledged up to `seq`. -EINVAL when that was never written: nothing changed. */
MUST_USE int edge_home_ack(struct edge_home *home, struct edge_attach *attach, uint32_t epoch,
                           uint64_t seq);
/* The user of the device has read all of `of` up to `seq`. It is told until it is in the log, or
 * until the device leaves. -EINVAL as above; -ENOBUFS when too many wait; -ENOMEM. */
MUST_USE int edge_home_read(struct edge_home *home, struct edge_attach *attach, struct text of,
                            uint32_t epoch, uint64_t seq);
/* What a device has, or its user has read, said without an attach here: it may have one elsewhere.
 * Embedded in its owner, zeroed but for on_shown and what it says; the texts stay the owner's and
 * must live until it is over. */
struct edge_show {
    /* It is over. WIRE_OK: in the log, up to this cursor; WIRE_REFUSED: the mailbox has no such
     * cursor, or knows no such reader; WIRE_NOT_HOME: ask the directory again. */
    void (*on_shown)(struct edge_show *show, enum wire_answer answer, uint32_t epoch, uint64_t seq);
    struct text user;
    struct text device;
    struct text of;    /* whose messages the user has read; empty: the device has all up to seq */
    struct text token; /* what the client has shown; empty: nothing */
    uint32_t epoch;
    uint64_t seq;
    uint64_t request;  /* 0: it is not asked */
    uint32_t asked_ms; /* the last time; low bits */
    uint16_t place;
    UT_hash_handle hh;
};
/* Asks the owner at (region, user's shard there), again and again until it answers. */
void edge_home_show(struct edge_home *home, struct edge_show *show, size_t region, int64_t now_ms);
/* It is asked no more. Fine when it is not. */
void edge_home_unshow(struct edge_home *home, struct edge_show *show);
/* An ephemeral message for users of one shard; it may be lost. */
void edge_home_ephemeral(struct edge_home *home, size_t region, uint32_t shard,
                         const struct wire_message *message,
                         const struct wire_recipient *recipients, size_t recipient_count);

void edge_home_frame(struct edge_home *home, const void *bytes, size_t size, int64_t now_ms);
void edge_home_beat(struct edge_home *home, struct text region, const struct wire_hub_beat *beat,
                    int64_t now_ms);
/* The bus is connected again: everything is asked for again. */
void edge_home_connected(struct edge_home *home, int64_t now_ms);
/* Sends what has gathered. */
void edge_home_flush(struct edge_home *home, int64_t now_ms);
/* Repeats what was not answered, and sees whose owner is silent. About ten times a second. */
void edge_home_tick(struct edge_home *home, int64_t now_ms);

/* What the last beats said. */
enum edge_route {
    EDGE_ROUTE_OPEN,
    EDGE_ROUTE_FULL,
    EDGE_ROUTE_BACKLOGGED,
    EDGE_ROUTE_LAGGING,
    EDGE_ROUTE_SHARDS_DIFFER, /* the region counts its shards otherwise than the catalogue */
};
struct edge_route_limits {
    uint32_t full_permille;
    int64_t backlog_ms;
    int64_t lag_max_ms;
};
enum edge_route edge_home_route(const struct edge_home *home, size_t region, uint32_t shard,
                                const struct edge_route_limits *limits, int64_t now_ms);
/* A shard of this region that has no owner for `silent_ms` or longer, or -ENOENT. */
int edge_home_silent_shard(const struct edge_home *home, int64_t now_ms, int64_t silent_ms);
/* Nothing can be sent to the region: EDGE_ROUTE_SHARDS_DIFFER. */
bool edge_home_shards_differ(const struct edge_home *home, size_t region);
size_t edge_home_attached(const struct edge_home *home); /* answered ones */
