/* How many buckets the directory of the bus was split into: it stands in each bucket's metadata,
 * since a bucket alone does not tell. It never changes, because it says in which one a user is. */
#pragma once

#include "catalogue/catalogue.h"
#include "cli/jetstream.h"

/* Appends the metadata of a bucket, a JSON object. */
void cli_buckets_note(unsigned buckets, struct buffer *out);
/* What a stream's configuration says: a bucket without a note is the only one. -ENOENT: it is no
 * bucket of the directory, but a mirror; -EBADMSG. Pure. */
MUST_USE int cli_buckets_read(struct text config, unsigned *ret_buckets);
/* -EINVAL with the reason when the bus has a directory of another number than the catalogue. */
MUST_USE int cli_buckets_check(struct cli_jetstream *js, const struct catalogue *catalogue,
                               struct error_text *reterr_why);
