/* Stores one checkpoint, or one segment, in CKPT_<r>: its parts one after another, a few on their
 * way at a time, and when all of them are stored the `done`. Equal bytes replace what is there, so
 * it may be done twice, by two hubs at once, and after it was broken off. One shard thread. */
#pragma once

#include "base/buffer.h"
#include "bus/bus_stream.h"
#include "wire/checkpoint.h"
#include "wire/names.h"

#include <sys/types.h>

struct hub_checkpoint_upload; /* opaque */

struct hub_checkpoint_upload_settings {
    struct bus *bus;
    const char *region; /* borrowed for its life */
    unsigned shard;
    void *context;
    /* It has ended, and may be started again. 0: it is stored; -ENOENT: it is not, and there are no
     * bytes to store; -ENOSPC: the stream is full; -ETIMEDOUT; -ENOTCONN; -EIO: of the file, or
     * what else the server said. */
    void (*on_end)(void *context, int err);
};
/* NULL when memory is short. */
MUST_USE struct hub_checkpoint_upload *
hub_checkpoint_upload_new(const struct hub_checkpoint_upload_settings *settings);
void hub_checkpoint_upload_free(struct hub_checkpoint_upload *upload); /* NULL is fine */

struct hub_checkpoint_item {
    enum wire_stored_kind kind;
    uint64_t number;         /* position or id */
    uint8_t incarnation[16]; /* of the log */
    struct buffer done;      /* as it is to be published; empty: there are no bytes */
    int fd;                  /* of the bytes; -1: there are none */
    off_t offset;            /* where they begin in it */
    int64_t not_before_ms;   /* what was stored before that is stored again; 0: never */
};
/* Asks first whether it is stored. Takes `item`. Not while it runs. */
void hub_checkpoint_upload_start(struct hub_checkpoint_upload *upload,
                                 struct hub_checkpoint_item *item);
bool hub_checkpoint_upload_runs(const struct hub_checkpoint_upload *upload);
