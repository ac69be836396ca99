/* What the files of the archiver share. */
#pragma once

#include "base/text.h"
#include "catalogue/catalogue.h"
#include "log/log.h"
#include "region-hub/hub_archiver.h"
#include "region-hub/hub_copy.h"
#include "region-hub/hub_directory_desk.h"

#include <pthread.h>

struct hub_archiver_feed { /* of one shard */
    struct hub_copy *copy;
    int64_t asked_ms; /* of a shard of others: when its position was asked; 0: never */
    /* Under the lock. */
    bool owns;
    bool has_incarnation;
    uint8_t incarnation[16];
    uint64_t row;
    int64_t behind_ms; /* wall clock; since when it is behind; 0: it is not */
    struct hub_archiver_status status;
};

struct hub_archiver {
    const struct hub_settings *settings;
    unsigned shards;
    struct hub_archiver_feed feeds[CATALOGUE_SHARDS_MAX];
    unsigned buckets;
    struct hub_directory_desk *desks[CATALOGUE_BUCKETS_MAX];
    struct archive *archive;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping; /* under the lock, as what follows */
    bool work;
    bool connected;
    const char *trouble;
    int64_t backoff_ms; /* only the thread's, as what follows */
    struct log_limit trouble_limit;
    struct log_limit parked_limit;
    struct log_limit gap_limit;
    struct log_limit stale_limit;
    struct log_limit desk_limit;
};

/* Since when it is behind, or that it is not. Under the lock. */
void hub_archiver_note_behind(struct hub_archiver_feed *feed);
