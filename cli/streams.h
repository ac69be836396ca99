/* What the streams of a catalogue should be, and what a stream that is there has instead. Pure:
 * configurations come and go as JSON. */
#pragma once

#include "base/buffer.h"
#include "catalogue/catalogue.h"
#include "wire/names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cli_stream_kind {
    CLI_STREAM_LOG,
    CLI_STREAM_OUTBOX,
    CLI_STREAM_CHECKPOINTS,
    CLI_STREAM_BUCKET,
    CLI_STREAM_MIRROR, /* of a bucket; made after it */
};

struct cli_stream {
    enum cli_stream_kind kind;
    const struct catalogue_region *region;      /* where it is placed */
    const struct catalogue_region *destination; /* of an outbox, else NULL */
    unsigned shard;                             /* of a log */
    unsigned buckets;                           /* of the directory that it is one of, else 0 */
    struct wire_name name;
    struct wire_name subjects; /* empty for a mirror */
    struct wire_name mirror;   /* the origin of a mirror, else empty */
    struct wire_name rung_by;  /* what is stored under these subjects... */
    struct wire_name rings;    /* ...is told here, by its position; both empty: nothing */
    const char *retention;
    const char *storage;
    const char *discard;
    const char *cluster;
    int64_t max_age_ns;
    int64_t max_bytes;
    int64_t max_per_subject;
    int64_t replicas;
    bool deny_delete;
    bool deny_purge;
    bool allow_direct;
    bool allow_rollup;
    bool mirror_direct;
    bool allow_ttl;  /* what it holds may say when it goes */
    bool rings_bare; /* without what is stored */
};

struct cli_plan {
    struct cli_stream *streams;
    size_t count;
};

/* Every stream, in the order in which they are to be made. Borrows the catalogue. -ENOMEM. */
MUST_USE int cli_plan_init(struct cli_plan *plan, const struct catalogue *catalogue);
void cli_plan_done(struct cli_plan *plan);
/* The buckets that have their origin in one region and a mirror in every other: those of the
 * directory, then the one of revoked tokens. */
size_t cli_bucket_count(const struct catalogue *catalogue);
bool cli_bucket_is_directory(const struct catalogue *catalogue, size_t which);
/* One with its origin in `region`, and the mirror of one in `region`. */
struct cli_stream cli_bucket(const struct catalogue *catalogue,
                             const struct catalogue_region *region, size_t which);
struct cli_stream cli_bucket_mirror(const struct catalogue *catalogue,
                                    const struct catalogue_region *region, size_t which);
/* What the streams of a region reserve on the disks of its nodes, replicas included. */
uint64_t cli_plan_bytes(const struct cli_plan *plan, const struct catalogue_region *region);

/* The shards of the region whose users' messages a log or an outbox holds. */
unsigned cli_stream_shards(const struct cli_stream *stream);
/* The retention of a log in seconds becomes the age at which its messages go. */
int64_t cli_log_max_age_ns(uint32_t retention_s);

/* The configuration as JetStream's API takes it. `metadata` is a JSON object, or empty. */
void cli_stream_write(const struct cli_stream *stream, struct text metadata, struct buffer *out);
/* Compares with the `config` that JetStream reports, and appends one line for each field that
 * differs: "max_bytes is 1048576, should be 268435456". Returns how many; -EBADMSG when it is no
 * configuration. What JetStream adds of its own is not looked at, nor is the metadata. */
MUST_USE int cli_stream_drift(const struct cli_stream *stream, struct text config,
                              struct buffer *out);
