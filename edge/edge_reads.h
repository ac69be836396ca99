/* What clients have said they have read, until the owner says that it is in its log. There is one
 * entry for a device and a sender, and it is asked for once a second at most: a later cursor takes
 * the place of an earlier one. What is kept is bounded, for a device and in all, and nothing is
 * kept for a device that waits for nothing. Pure: times come in. */
#pragma once

#include "base/list.h"
#include "base/macros.h"
#include "base/table.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_attach;

struct edge_read {
    struct list link; /* of its reader */
    uint32_t epoch;
    uint64_t seq;
    uint64_t noted;   /* up to here it is in the log */
    int64_t asked_ms; /* when it left last */
    uint8_t of_size;
    char of[]; /* whose messages */
};
struct text edge_read_of(const struct edge_read *read);

struct edge_reader { /* a device with reads */
    UT_hash_handle hh;
    struct edge_attach *attach;
    struct list reads;
    size_t count;
};

struct edge_reads {
    struct edge_reader *readers; /* by attach */
    size_t count;                /* of all reads */
    size_t count_max;
    size_t each_max; /* of one device */
};

typedef void edge_reads_on_due(void *context, struct edge_attach *attach,
                               const struct edge_read *read);

/* The device has read all of `of` up to there. 0, and `ret_ask` is what the owner is to be asked
 * now; NULL: nothing, since it was a moment ago. -ENOBUFS when too many wait; -ENOMEM. */
MUST_USE int edge_reads_add(struct edge_reads *reads, struct edge_attach *attach, struct text of,
                            uint32_t epoch, uint64_t seq, int64_t now_ms,
                            const struct edge_read **ret_ask);
/* It is in the log up to there. */
void edge_reads_noted(struct edge_reads *reads, struct edge_attach *attach, struct text of,
                      uint32_t epoch, uint64_t seq);
/* The same messages are in another epoch now. */
void edge_reads_renumber(struct edge_reads *reads, struct edge_attach *attach, uint32_t epoch);
/* Calls on_due for each that was last asked for a second ago and is not in the log; those that are
 * are forgotten. */
void edge_reads_tick(struct edge_reads *reads, int64_t now_ms, edge_reads_on_due *on_due,
                     void *context);
/* The device leaves: all of it is forgotten, after a last call for each that is not in the log. */
void edge_reads_drop(struct edge_reads *reads, struct edge_attach *attach,
                     edge_reads_on_due *on_due, void *context);
