/* Rows on their way to the archive. Their texts lie behind one another in one buffer, which moves
 * as it grows: until a row is asked for, a text's pointer is an offset. */
#include "store/archive.h"

#include <errno.h>
#include <stdlib.h>

void archive_batch_clear(struct archive_batch *batch)
{
    buffer_clear(&batch->bytes);
    batch->count = 0;
    batch->last_row = batch->last_position = 0;
}

void archive_batch_free(struct archive_batch *batch)
{
    buffer_free(&batch->bytes);
    free(batch->rows);
    *batch = (struct archive_batch){0};
}

static int grow(struct archive_batch *batch)
{
    if (batch->count < batch->capacity)
        return 0;
    const size_t capacity = batch->capacity == 0 ? 256 : 2 * batch->capacity;
    struct archive_row *rows = realloc(batch->rows, capacity * sizeof *rows);
    if (rows == NULL)
        return -ENOMEM;
    batch->rows = rows;
    batch->capacity = capacity;
    return 0;
}

static struct text keep(struct archive_batch *batch, struct text text)
{
    const struct text kept = {(const char *)(uintptr_t)batch->bytes.size, text.size};
    buffer_append(&batch->bytes, text.data, text.size);
    return kept;
}

int archive_batch_add(struct archive_batch *batch, const struct archive_row *row)
{
    const size_t size = batch->bytes.size;
    int err = grow(batch);
    if (err != 0)
        return err;
    struct archive_row *kept = &batch->rows[batch->count];
    *kept = *row;
    kept->recipient = keep(batch, row->recipient);
    kept->sender = keep(batch, row->sender);
    kept->device = keep(batch, row->device);
    kept->id = keep(batch, row->id);
    kept->body = keep(batch, row->body);
    if (batch->bytes.failed) {
        batch->bytes.failed = false;
        batch->bytes.size = size;
        return -ENOMEM;
    }
    batch->count++;
    batch->last_row = row->row;
    batch->last_position = row->position;
    return 0;
}

static struct text found(const struct archive_batch *batch, struct text kept)
{
    if (kept.size == 0)
        return TEXT("");
    return (struct text){(const char *)batch->bytes.data + (uintptr_t)kept.data, kept.size};
}

struct archive_row archive_batch_row(const struct archive_batch *batch, size_t at)
{
    struct archive_row row = batch->rows[at];
    row.recipient = found(batch, row.recipient);
    row.sender = found(batch, row.sender);
    row.device = found(batch, row.device);
    row.id = found(batch, row.id);
    row.body = found(batch, row.body);
    return row;
}
