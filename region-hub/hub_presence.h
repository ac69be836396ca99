/* Who is attached where: the devices of a shard's users, by user, device and edge, and how far each
 * was served. Pure: requests and times come in, decisions go out; sending is the caller's job.
 *
 * Rules of attaching: a repeat (same edge, user, device and request) changes nothing and is
 * answered alike. The higher attach number of two for a device wins. A new number is above every
 * number seen and above generation << 20. A device that attaches again keeps its number.
 *
 * One shard thread uses it; nothing is locked. When memory is short it answers busy. */
#pragma once

#include "base/list.h"
#include "base/macros.h"
#include "base/table.h"
#include "base/text.h"
#include "region-hub/hub_credit.h"

#include <stdint.h>

struct hub_edge {            /* lives as long as the presence */
    struct list attachments; /* by of_edge */
    uint32_t attached;
    uint64_t digest; /* of what is attached: wire_attach_digest() of each, by XOR */
    uint32_t index;  /* 0, 1, 2... for tables of the caller's own */
    uint64_t start;  /* of its process; 0: not known yet */
    int64_t seen_ms; /* its last beat or attach */
    char name[TEXT_PROCESS_MAX + 1];
    char region[TEXT_REGION_MAX + 1];
};

struct hub_user {
    struct list attachments; /* by of_user */
    uint32_t attached;
    UT_hash_handle hh;
    size_t size;
    char name[];
};

struct hub_attachment {
    struct hub_user *user;
    struct hub_edge *edge;
    uint64_t request;
    uint64_t attach;
    uint8_t flags; /* of the answer: WIRE_ATTACHED_... */
    uint32_t epoch;
    int64_t since_ms;   /* when this attach began; attaching again it goes on */
    uint64_t start;     /* the cursor it began with */
    uint64_t received;  /* what the edge has reported */
    uint64_t confirmed; /* in the log */
    struct hub_credit credit;
    int64_t progress_ms; /* since when `received` stands still below `sent` */
    struct list of_user;
    struct list of_edge;
    struct list waiting; /* for reports: received < sent */
    struct list behind;  /* the caller's own: to be served from the view */
    size_t device_size;
    char device[];
};
struct text hub_attachment_user(const struct hub_attachment *attachment);
struct text hub_attachment_device(const struct hub_attachment *attachment);

struct hub_presence; /* opaque, see hub_presence.c */
struct hub_presence_settings {
    size_t devices_max;
    size_t edges_max;
    int64_t edge_silent_ms;
    int64_t repair_ms;
    struct hub_credit_limits credit;
    /* Called before an attachment is freed, for whatever reason. May be NULL. */
    void (*on_gone)(void *context, struct hub_attachment *attachment);
    void *context;
};
MUST_USE struct hub_presence *hub_presence_new(const struct hub_presence_settings *settings);
void hub_presence_free(struct hub_presence *presence); /* NULL is fine */
/* Drops all attachments; edges stay known. Numbers are given above generation << 20 from now on. */
void hub_presence_reset(struct hub_presence *presence, uint64_t generation);

/* The edge, made known when it is not; NULL when there are edges_max already. */
struct hub_edge *hub_presence_edge(struct hub_presence *presence, struct text name,
                                   struct text region, int64_t now_ms);
/* Another `start` than before drops what was attached. Returns how many were. */
size_t hub_presence_beat(struct hub_presence *presence, struct hub_edge *edge, uint64_t start,
                         int64_t now_ms);
/* Drops the attachments of edges that are silent. Returns how many. */
size_t hub_presence_expire(struct hub_presence *presence, int64_t now_ms);
/* The edges known, by index. NULL past the last. */
struct hub_edge *hub_presence_edge_at(const struct hub_presence *presence, size_t index);

struct hub_attach {
    struct hub_edge *edge;
    uint64_t request;
    struct text user;
    struct text device;
    uint64_t attach; /* 0: gets a new number */
    size_t user_max; /* attached devices a user may have */
    uint8_t flags;   /* for the answer */
    uint32_t epoch;
    uint64_t cursor; /* deliveries begin after it */
    uint64_t confirmed;
};
enum hub_attach_outcome {
    HUB_ATTACH_NEW,
    HUB_ATTACH_REPEAT,  /* known already, with what it was answered; goes on from `received` */
    HUB_ATTACH_REFUSED, /* a higher number holds the device */
    HUB_ATTACH_FULL,
};
struct hub_attach_result {
    enum hub_attach_outcome outcome;
    struct hub_attachment *attachment; /* NEW and REPEAT; borrowed until it is gone */
    struct hub_edge *replaced_edge;    /* NEW: where another attach of the device was, or NULL... */
    uint64_t replaced;                 /* ...and its number */
};
struct hub_attach_result hub_presence_attach(struct hub_presence *presence,
                                             const struct hub_attach *attach, int64_t now_ms);
void hub_presence_detach(struct hub_presence *presence, struct hub_attachment *attachment);
/* The attachment with exactly this number at this edge, or NULL. */
struct hub_attachment *hub_presence_match(const struct hub_presence *presence,
                                          const struct hub_edge *edge, struct text user,
                                          struct text device, uint64_t attach);
struct hub_user *hub_presence_user(const struct hub_presence *presence, struct text user);
struct hub_attachment *hub_presence_device(const struct hub_presence *presence, struct text user,
                                           struct text device);
size_t hub_presence_attached(const struct hub_presence *presence);

/* The message after credit.sent was sent. */
void hub_presence_sent(struct hub_presence *presence, struct hub_attachment *attachment,
                       size_t size, int64_t now_ms);
/* The edge reports. `head` bounds what can be true. True when credit or cursor moved. */
bool hub_presence_report(struct hub_presence *presence, struct hub_attachment *attachment,
                         uint64_t received, uint64_t acked, uint64_t head, int64_t now_ms);
/* All after `seq` is to be sent again: the edge has received up to there, and no more. */
void hub_presence_go_back(struct hub_presence *presence, struct hub_attachment *attachment,
                          uint64_t seq);
/* What is after credit.sent up to `to` was announced as a gap, which like a message is sent again
 * until the edge reports it. */
void hub_presence_gap(struct hub_presence *presence, struct hub_attachment *attachment, uint64_t to,
                      int64_t now_ms);
/* One attachment whose edge has not reported for repair_ms what was sent; it was set back to what
 * is received. NULL: no more. */
struct hub_attachment *hub_presence_overdue(struct hub_presence *presence, int64_t now_ms);
