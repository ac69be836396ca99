#include "region-hub/hub_copy.h"

#include "region-hub/hub_archive_row.h"
#include "store/view_scan.h"
#include "wire/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct hub_copy {
    struct hub_copy_settings settings;
    struct view_scan *scan;
    struct archive_log log;
    struct archive_batch batch;
    struct hub_copy_state state;
    /* While a batch is read. */
    uint64_t next_row;  /* that is expected */
    uint64_t first_row; /* that is there, when it is another; 0 */
    int64_t last_ms;
    size_t rows;
    uint64_t bytes;
    bool broken_off; /* before a gap */
    int failed;
};

struct hub_copy *hub_copy_new(const struct hub_copy_settings *settings)
{
    struct hub_copy *copy = calloc(1, sizeof *copy);
    if (copy == NULL)
        return NULL;
    copy->settings = *settings;
    copy->settings.view_path = NULL; /* the scan has its own */
    copy->settings.region = NULL;
    copy->log.shard = settings->shard;
    copy->scan = view_scan_new(settings->view_path);
    if (copy->scan == NULL ||
        text_put(copy->log.region, sizeof copy->log.region, text_of(settings->region)) != 0) {
        hub_copy_free(copy);
        return NULL;
    }
    return copy;
}

void hub_copy_free(struct hub_copy *copy)
{
    if (copy == NULL)
        return;
    view_scan_free(copy->scan);
    archive_batch_free(&copy->batch);
    free(copy);
}

void hub_copy_set_log(struct hub_copy *copy, const uint8_t incarnation[16])
{
    if (memcmp(copy->log.incarnation, incarnation, sizeof copy->log.incarnation) == 0)
        return;
    memcpy(copy->log.incarnation, incarnation, sizeof copy->log.incarnation);
    hub_copy_forget(copy);
}

void hub_copy_forget(struct hub_copy *copy)
{
    copy->state.located = false;
}

const struct hub_copy_state *hub_copy_state(const struct hub_copy *copy)
{
    return &copy->state;
}

static int locate(struct hub_copy *copy, struct archive *archive, struct error_text *reterr_why)
{
    int err = archive_locate(archive, &copy->log, reterr_why);
    if (err != 0)
        return err;
    copy->state.located = true;
    copy->state.last_row = copy->log.last_row;
    return 0;
}

enum hub_copied hub_copy_ask(struct hub_copy *copy, struct archive *archive, int *ret_error,
                             struct error_text *reterr_why)
{
    int err = locate(copy, archive, reterr_why);
    if (err == 0)
        return HUB_COPIED_ALL;
    *ret_error = err;
    return HUB_COPIED_FAILED;
}

/* --- reading --- */

static bool on_row(void *context, const struct view_row *row)
{
    struct hub_copy *copy = context;
    if (row->row != copy->next_row) { /* a gap: at the start of a batch it is noted */
        copy->broken_off = true;
        if (copy->rows == 0)
            copy->first_row = row->row;
        return false;
    }
    copy->bytes += row->body.size;
    if ((row->flags & WIRE_FLAG_NOTICE) == 0 && row->seq != 0) { /* 0: it waits for a home move */
        const struct archive_row added = hub_archive_row(row);
        copy->failed = archive_batch_add(&copy->batch, &added);
        if (copy->failed != 0)
            return false;
    }
    copy->batch.last_row = row->row;
    copy->batch.last_position = row->position;
    if (copy->last_ms < row->at_ms) /* what came from another home is older than its neighbours */
        copy->last_ms = row->at_ms;
    copy->rows++;
    copy->next_row++;
    return true;
}

static int read_batch(struct hub_copy *copy)
{
    archive_batch_clear(&copy->batch);
    copy->next_row = copy->log.last_row + 1;
    copy->first_row = 0;
    copy->rows = 0;
    copy->bytes = 0;
    copy->broken_off = false;
    copy->failed = 0;
    int err = view_scan_read(copy->scan, copy->next_row, copy->settings.rows_max,
                             (size_t)copy->settings.bytes_max, on_row, copy);
    return err != 0 ? err : copy->failed;
}

/* --- storing --- */

static int skip_gap(struct hub_copy *copy, struct archive *archive, struct error_text *reterr_why)
{
    const uint64_t missing = copy->first_row - copy->next_row;
    int err = archive_skip(archive, &copy->log, copy->first_row - 1, copy->log.position,
                           "trimmed from the view before it was archived", reterr_why);
    if (err == 0)
        copy->state.gap_rows += missing;
    return err;
}

static int store_batch(struct hub_copy *copy, struct archive *archive,
                       struct error_text *reterr_why)
{
    int err = copy->first_row != 0 ? skip_gap(copy, archive, reterr_why)
                                   : archive_append(archive, &copy->log, &copy->batch,
                                                    &copy->state.outcome, reterr_why);
    copy->state.last_row = copy->log.last_row; /* a part may be stored */
    if (err == 0 && copy->first_row == 0)
        copy->state.last_ms = copy->last_ms;
    return err;
}

/* What ended before the bounds was all there was: what comes now may wait for company. */
static bool is_full(const struct hub_copy *copy)
{
    return copy->broken_off || copy->rows >= copy->settings.rows_max ||
           copy->bytes >= copy->settings.bytes_max;
}

enum hub_copied hub_copy_step(struct hub_copy *copy, struct archive *archive, int *ret_error,
                              struct error_text *reterr_why)
{
    int err = copy->state.located ? 0 : locate(copy, archive, reterr_why);
    if (err == 0) {
        if (read_batch(copy) != 0)
            return HUB_COPIED_NOT;
        if (copy->rows == 0 && copy->first_row == 0)
            return HUB_COPIED_ALL;
        err = store_batch(copy, archive, reterr_why);
    }
    if (err == 0)
        return is_full(copy) ? HUB_COPIED_MORE : HUB_COPIED_ALL;
    hub_copy_forget(copy);
    *ret_error = err;
    return err == -ESTALE ? HUB_COPIED_STALE : HUB_COPIED_FAILED;
}
