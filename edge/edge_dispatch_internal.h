/* What edge_dispatch.c and edge_gather.c share. */
#pragma once

#include "edge/edge_dispatch.h"

struct edge_dispatch {
    struct edge_dispatch_settings settings;
    struct edge_route_limits limits;
    uint8_t trace[16]; /* random, then a counter in the last eight */
    uint64_t traces;
    size_t waiting_bytes;
    struct list waiting;
    struct list gathering; /* kept letters, in the order in which they came */
    size_t gathering_count;
    uint64_t letters; /* kept ever */
    struct loop_timer gather_timer;
};

/* A part of a send whose outcome is not known. */
struct edge_pending {
    struct list link;
    struct edge_sender *sender; /* NULL when it has gone */
};

/* A letter that waits for the directory, kept once for all its recipients that do. */
struct edge_kept {
    struct list gathering; /* while `found` holds something */
    struct list found;     /* recipients whose home is known by now, and who wait for the others */
    size_t asked;          /* recipients whose home is not known yet */
    uint64_t number;       /* rises from one letter to the next */
    size_t references;
    size_t size;
    struct edge_letter letter; /* its texts point into bytes */
    uint8_t trace[16];
    char bytes[];
};

/* A recipient whose home is asked for, or who waits for the others of its list. */
struct edge_waiting {
    struct homes_lookup lookup;
    struct list of_dispatch;
    struct list of_found;
    size_t region; /* once it is found */
    uint32_t shard;
    struct edge_pending pending;
    struct edge_dispatch *dispatch;
    struct edge_kept *kept;
    uint8_t name_size;
    char name[];
};

void edge_pending_begin(struct edge_pending *pending, struct edge_sender *sender);
/* Returns who is to be told, or NULL. */
struct edge_sender *edge_pending_end(struct edge_pending *pending);
void edge_dispatch_tell(struct edge_sender *sender, const struct edge_letter *letter,
                        struct text to, enum edge_code code);
/* One record for recipients of one shard, each of whom is told, now or when it is stored. */
void edge_dispatch_group(struct edge_dispatch *dispatch, struct edge_sender *sender,
                         const struct edge_letter *letter, const uint8_t trace[16], size_t region,
                         uint32_t shard, const struct wire_recipient *recipients, size_t count);

/* NULL when memory is short, or all the room for letters that wait is taken. Begins without
 * references: whoever takes one drops it. */
struct edge_kept *edge_kept_new(struct edge_dispatch *dispatch, const struct edge_letter *letter,
                                const uint8_t trace[16]);
void edge_kept_drop(struct edge_dispatch *dispatch, struct edge_kept *kept);
/* Without a letter yet; `kept` is set with a reference. NULL when memory is short. */
struct edge_waiting *edge_waiting_new(struct edge_dispatch *dispatch, struct text name);
void edge_waiting_free(struct edge_waiting *waiting);

/* Its home is known: it waits for the others of its list. edge_gather_look() is due. */
void edge_gather(struct edge_waiting *waiting, size_t region);
/* Lets it leave when nobody of this letter is asked for any more, or it is no list, or too many
 * gather. */
void edge_gather_look(struct edge_dispatch *dispatch, struct edge_kept *kept);
/* What was gathered of this sender's letters before `number` leaves. */
void edge_gather_leave_before(struct edge_dispatch *dispatch, struct text sender, uint64_t number);
void edge_gather_on_timer(struct loop_timer *timer);
