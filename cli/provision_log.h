/* The first records of logs and outboxes: genesis, and for a log its config. */
#pragma once

#include "cli/jetstream.h"
#include "cli/stream_notes.h"
#include "cli/streams.h"

/* What is known of a stream of the plan. */
struct cli_found {
    bool there;
    uint64_t last; /* its last position */
    int64_t max_age_ns;
    bool rings; /* it tells what is stored; those of older releases do not */
    struct cli_notes notes;
};

struct cli_beginner {
    struct cli_jetstream *js;
    const struct catalogue *catalogue;
    uint8_t level;  /* of logs that are begun now; that of others stays */
    bool check;     /* count, but write nothing */
    size_t records; /* written, or to be written */
};

/* Makes up the notes of a stream that is about to be made: incarnation, dedupe key. */
void cli_found_begin(struct cli_found *found, const struct cli_stream *stream);

/* Writes what is missing, and refuses a log or outbox that was begun for another region or number
 * of shards. All logs of a region have the same `dedupe_key`. */
MUST_USE int cli_begin_log(struct cli_beginner *beginner, const struct cli_stream *stream,
                           struct cli_found *found, const uint8_t dedupe_key[16],
                           struct error_text *reterr_why);
MUST_USE int cli_begin_outbox(struct cli_beginner *beginner, const struct cli_stream *stream,
                              const struct cli_found *found, struct error_text *reterr_why);

/* Makes a checkpoint stream keep what it holds as long as the catalogue now says. */
MUST_USE int cli_follow_age(struct cli_beginner *beginner, const struct cli_stream *stream,
                            struct cli_found *found, struct error_text *reterr_why);

/* Makes a log or an outbox tell what is stored in it. */
MUST_USE int cli_follow_ring(struct cli_beginner *beginner, const struct cli_stream *stream,
                             struct cli_found *found, struct error_text *reterr_why);

/* Gives an outbox another incarnation: what is in it is forwarded again, from its beginning, and
 * the home drops what it had. */
MUST_USE int cli_renew_outbox(struct cli_beginner *beginner, const struct cli_stream *stream,
                              struct cli_found *found, struct error_text *reterr_why);

/* Compares a genesis with what the stream should have begun with. -EINVAL with the reason. Pure. */
MUST_USE int cli_genesis_check(const struct wire_genesis *genesis,
                               const struct wire_genesis *wanted, const char *stream,
                               struct error_text *reterr_why);
