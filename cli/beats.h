/* What hubs and edges tell by their beats, listened to for a moment. */
#pragma once

#include "cli/link.h"
#include "cli/members.h"
#include "wire/beat.h"

struct cli_shard_beat {
    bool heard;
    char hub[TEXT_PROCESS_MAX + 1];
    uint64_t generation;
    uint64_t applied;
    uint64_t head;
    uint32_t lag_ms;
    uint16_t log_permille;
    uint32_t attached; /* devices, at all edges */
};

struct cli_edge_beat {
    bool heard;
    uint32_t connections;
};

struct cli_beats {
    const struct catalogue *catalogue; /* borrowed */
    struct cli_shard_beat *shards;     /* of all regions, in the catalogue's order */
    size_t shard_count;
    struct cli_edge_beat *edges; /* each of their processes */
    size_t edge_count;
    bool with_members;
    struct cli_members members;
};

/* Listens until every shard and edge (and, with members, every hub about every shard) was heard, at
 * most `listen_ms`. -ENOMEM, -ETIMEDOUT (no NATS
 * server answers). Free with cli_beats_done(), also after a failure. */
MUST_USE int cli_beats_listen(struct cli_beats *beats, struct cli_link *link,
                              const struct catalogue *catalogue, bool with_members,
                              int64_t listen_ms);
void cli_beats_done(struct cli_beats *beats);
/* NULL when there is no such shard; the latest beat otherwise, heard or not. */
const struct cli_shard_beat *cli_beats_shard(const struct cli_beats *beats,
                                             const struct catalogue_region *region, unsigned shard);

/* Connects to the first region that answers, listens, prints a line for each shard and edge and for
 * what is wrong. -EAGAIN when one of them is silent, or an alarm is an error. */
MUST_USE int cli_beats_print(const struct catalogue *catalogue, struct error_text *reterr_why);
/* Opens a link to the first region that answers. */
MUST_USE int cli_link_open_any(struct cli_link *link, const struct catalogue *catalogue,
                               struct error_text *reterr_why);
