#include "region-hub/hub_archive_row.h"

#include <string.h>

struct archive_row hub_archive_row(const struct view_row *row)
{
    struct archive_row archived = {
        .row = row->row,
        .position = row->position,
        .recipient = row->user,
        .epoch = row->epoch,
        .seq = row->seq,
        .at_ms = row->at_ms,
        .created_ms = row->created_ms,
        .ttl_s = row->ttl_s,
        .flags = row->flags,
        .sender = row->sender,
        .device = row->device,
        .id = row->id,
        .body = row->body,
    };
    memcpy(archived.trace, row->trace, sizeof archived.trace);
    return archived;
}
