/* For tests: a store of segments in memory, which fails when it is told to. */
#pragma once

#include "mailbox/mailbox_segments.h"

enum { FAKE_SEGMENTS_MAX = 256 };

struct fake_segment {
    uint64_t id; /* 0: free */
    struct buffer entries;
};
struct fake_store {
    struct fake_segment segments[FAKE_SEGMENTS_MAX];
    uint64_t finds;
    uint64_t dropped;
    int fails; /* what each find answers, when it is not 0 */
};

/* The mailbox finds in the store from now on, also what a state that was loaded refers to. */
void fake_store_attach(struct fake_store *store, struct mailbox *mailbox);
/* Stores what is closed and in memory; returns how many. */
size_t fake_store_take(struct fake_store *store, struct mailbox *mailbox);
size_t fake_store_count(const struct fake_store *store);
void fake_store_free(struct fake_store *store);
