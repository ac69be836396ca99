/* Lists of subjects in a configuration of nats-server, and what an edge asks and hears. What it may
 * do as a user and what its account is connected with are the same lists. Pure. */
#pragma once

#include "base/buffer.h"
#include "catalogue/catalogue.h"

/* A list, while it is written. */
struct cli_nats_subjects {
    struct buffer *out;
    const char *before, *after; /* of each subject */
    bool any;
};

/* "allow: [", at the depth of a user's permissions. */
struct cli_nats_subjects cli_nats_subjects_begin(struct buffer *out, const char *what);
void cli_nats_subjects_add(struct cli_nats_subjects *subjects, const char *format, ...)
    PRINTF_LIKE(2, 3);
void cli_nats_subjects_end(struct cli_nats_subjects *subjects);

/* Direct gets of a stream: by position and, with ">", by subject. */
void cli_nats_add_reading(struct cli_nats_subjects *subjects, const char *stream);
/* Of the directory's buckets and the one of revoked tokens: the copy nearby, and the origin. */
void cli_nats_add_buckets(struct cli_nats_subjects *subjects, const struct catalogue *catalogue,
                          const struct catalogue_region *region);

/* What an edge publishes and requests. */
void cli_nats_add_edge_asks(struct cli_nats_subjects *subjects, const struct catalogue *catalogue,
                            const struct catalogue_region *region,
                            const struct catalogue_edge *edge);
/* What others publish for it. */
void cli_nats_add_edge_hears(struct cli_nats_subjects *subjects,
                             const struct catalogue_region *region,
                             const struct catalogue_edge *edge);
