#include "store/archive_directory.h"

#include "store/archive_internal.h"

int archive_bucket_locate(struct archive *archive, struct archive_bucket *bucket,
                          struct error_text *reterr_why)
{
    int err = archive_call_begin(archive, reterr_why);
    if (err == 0)
        err = archive->kind->locate_bucket(archive, bucket, reterr_why);
    return archive_call_end(archive, err);
}

/* Halves what is refused until it is one row, which is passed over. */
static int put_range(struct archive *archive, struct archive_bucket *bucket,
                     const struct archive_home *homes, size_t count, uint64_t position,
                     struct archive_homes_outcome *outcome, struct error_text *reterr_why)
{
    uint64_t stored = 0;
    int err =
        archive->kind->put_homes(archive, bucket, homes, count, position, &stored, reterr_why);
    if (err == ARCHIVE_REFUSED && count == 1) {
        outcome->refused++;
        err = archive->kind->put_homes(archive, bucket, NULL, 0, position, &stored, reterr_why);
    } else if (err == ARCHIVE_REFUSED && count > 1) {
        const size_t half = count / 2;
        err =
            put_range(archive, bucket, homes, half, homes[half - 1].revision, outcome, reterr_why);
        return err == 0 ? put_range(archive, bucket, homes + half, count - half, position, outcome,
                                    reterr_why)
                        : err;
    }
    if (err != 0)
        return err;
    outcome->stored += stored;
    bucket->position = position;
    return 0;
}

int archive_homes_put(struct archive *archive, struct archive_bucket *bucket,
                      const struct archive_home *homes, size_t count, uint64_t position,
                      struct archive_homes_outcome *outcome, struct error_text *reterr_why)
{
    int err = archive_call_begin(archive, reterr_why);
    if (err == 0)
        err = put_range(archive, bucket, homes, count, position, outcome, reterr_why);
    return archive_call_end(archive, err);
}

int archive_homes_after(struct archive *archive, struct text after, size_t max,
                        archive_on_home *on_home, void *context, struct error_text *reterr_why)
{
    int err = archive_call_begin(archive, reterr_why);
    if (err == 0)
        err = archive->kind->homes_after(archive, after, max, on_home, context, reterr_why);
    return archive_call_end(archive, err);
}

int archive_homeless_after(struct archive *archive, struct text after, size_t max,
                           archive_on_home *on_home, void *context, struct error_text *reterr_why)
{
    int err = archive_call_begin(archive, reterr_why);
    if (err == 0)
        err = archive->kind->homeless_after(archive, after, max, on_home, context, reterr_why);
    return archive_call_end(archive, err);
}

int archive_each_bucket(struct archive *archive, archive_on_bucket *on_bucket, void *context,
                        struct error_text *reterr_why)
{
    int err = archive_call_begin(archive, reterr_why);
    if (err == 0)
        err = archive->kind->each_bucket(archive, on_bucket, context, reterr_why);
    return archive_call_end(archive, err);
}
