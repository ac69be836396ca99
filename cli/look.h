/* What a stream of the bus is now, and how it is made another: for the commands that give a bucket
 * another origin. */
#pragma once

#include "cli/jetstream.h"
#include "cli/streams.h"

struct cli_look {
    enum {
        CLI_LOOK_GONE,   /* there is no such stream */
        CLI_LOOK_SILENT, /* it is registered, and its servers do not answer */
        CLI_LOOK_THERE,
    } state;
    char cluster[TEXT_REGION_MAX + 1]; /* where it is placed; empty: anywhere */
    struct wire_name mirror;           /* of which stream it is a mirror; empty: of none */
    int64_t made_ns;                   /* since 1970 */
    uint64_t last;                     /* its last position */
    uint64_t messages;
};

/* Waits until JetStream's API answers at all: while it elects a leader (5 to 13 s after a region is
 * lost) everything is silent. -ETIMEDOUT. */
MUST_USE int cli_look_ready(struct cli_jetstream *js, struct error_text *reterr_why);
/* -EBADMSG when the answer cannot be understood. */
MUST_USE int cli_look(struct cli_jetstream *js, const char *stream, struct cli_look *ret_look,
                      struct error_text *reterr_why);
/* Reads an answer of STREAM.INFO that is no error. -EBADMSG. Pure. */
MUST_USE int cli_look_read(struct text answer, struct cli_look *ret_look);

/* STREAM.CREATE or STREAM.UPDATE with what the stream is to be. */
MUST_USE int cli_stream_call(struct cli_jetstream *js, const char *verb,
                             const struct cli_stream *stream, struct error_text *reterr_why);
/* Waits until it is gone. One whose servers are down is unregistered all the same: they drop what
 * they have of it when they are back. */
MUST_USE int cli_stream_delete(struct cli_jetstream *js, const char *stream,
                               struct error_text *reterr_why);
