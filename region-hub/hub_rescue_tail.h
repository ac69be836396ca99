/* Which archived messages of a user become its mailbox when its home is gone: the newest without a
 * hole. Rows are given in falling order, as the archive has them: by epoch, then seq. An epoch goes
 * on with the seqs of the one before, so a mailbox may be made of parts; what a region accepted
 * while another had gone on without it is of neither, and is passed over. Pure. */
#pragma once

#include "store/archive.h"

#include <stdbool.h>

enum { HUB_RESCUE_PARTS_MAX = 8 };

struct hub_rescue_part { /* of one epoch, without a hole */
    uint32_t epoch;
    uint64_t from;
    uint64_t to;
};
struct hub_rescue_limits {
    uint32_t epoch;     /* that the user has: rows above it are of no mailbox */
    uint64_t rows_max;  /* 0: as many as there are; as the next */
    uint64_t bytes_max; /* of bodies */
    int64_t since_ms;   /* what is older is not wanted */
};
struct hub_rescue_tail {
    struct hub_rescue_limits limits;
    struct hub_rescue_part parts[HUB_RESCUE_PARTS_MAX]; /* the newest first */
    size_t part_count;
    uint32_t head_epoch; /* of the newest row of all, wanted or not */
    uint64_t head;
    uint64_t rows;
    uint64_t bytes;
};

void hub_rescue_tail_begin(struct hub_rescue_tail *tail, const struct hub_rescue_limits *limits);
/* False: the row does not belong to it, and none that comes does. */
bool hub_rescue_tail_add(struct hub_rescue_tail *tail, const struct archive_row *row);

/* The first seq of it; head + 1 when nothing is wanted. */
uint64_t hub_rescue_oldest(const struct hub_rescue_tail *tail);
/* Up to where the epoch that the user had has the same seqs: the head, if that is of this epoch. */
uint64_t hub_rescue_base(const struct hub_rescue_tail *tail);
/* The part that holds a seq, or NULL. */
const struct hub_rescue_part *hub_rescue_part_of(const struct hub_rescue_tail *tail, uint64_t seq);
