/* The directory in the archive: user -> home, epoch, as the buckets of the directory said last, so
 * that a directory that is lost can be made again. What is here about an archive's thread, waiting
 * and errors stands in archive.h. */
#pragma once

#include "store/archive.h"

enum { ARCHIVE_MADE_MAX = 47 };

struct archive_home { /* borrowed */
    struct text user;
    struct text home;
    uint32_t epoch;
    uint64_t revision; /* where the entry stands in its bucket */
};

/* A bucket of the directory, and how far it is copied. */
struct archive_bucket {
    unsigned number;
    unsigned of;
    char made[ARCHIVE_MADE_MAX + 1]; /* tells it from one of the same name that was lost */
    uint64_t position;               /* archive_bucket_locate() sets it */
};
/* Asks where it stands; one that the archive does not know begins at 0. */
MUST_USE int archive_bucket_locate(struct archive *archive, struct archive_bucket *bucket,
                                   struct error_text *reterr_why);

struct archive_homes_outcome { /* added to, not set */
    uint64_t stored;           /* the others were there already, or newer */
    uint64_t refused;          /* by the database: passed over */
};
/* Stores entries and moves the bucket to `position`, in one transaction. A row never goes back: the
 * higher epoch counts, then the higher revision. -ESTALE: somebody else has moved it. */
MUST_USE int archive_homes_put(struct archive *archive, struct archive_bucket *bucket,
                               const struct archive_home *homes, size_t count, uint64_t position,
                               struct archive_homes_outcome *outcome,
                               struct error_text *reterr_why);

typedef void archive_on_home(void *context, const struct archive_home *home);
/* Up to `max` rows of the table that follow `after`, in the order of the user ids' bytes. */
MUST_USE int archive_homes_after(struct archive *archive, struct text after, size_t max,
                                 archive_on_home *on_home, void *context,
                                 struct error_text *reterr_why);
/* The same of users that have messages in the archive and no row; only the user is set. */
MUST_USE int archive_homeless_after(struct archive *archive, struct text after, size_t max,
                                    archive_on_home *on_home, void *context,
                                    struct error_text *reterr_why);
typedef void archive_on_bucket(void *context, const struct archive_bucket *bucket);
/* The one of each name that was copied last. */
MUST_USE int archive_each_bucket(struct archive *archive, archive_on_bucket *on_bucket,
                                 void *context, struct error_text *reterr_why);
