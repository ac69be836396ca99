#include "region-hub/hub_rescue_tail.h"

void hub_rescue_tail_begin(struct hub_rescue_tail *tail, const struct hub_rescue_limits *limits)
{
    *tail = (struct hub_rescue_tail){.limits = *limits};
}

static bool is_full(const struct hub_rescue_tail *tail, const struct archive_row *row)
{
    const struct hub_rescue_limits *limits = &tail->limits;
    return row->at_ms < limits->since_ms ||
           (limits->rows_max > 0 && tail->rows == limits->rows_max) ||
           (limits->bytes_max > 0 && tail->rows > 0 &&
            tail->bytes + row->body.size > limits->bytes_max);
}

/* The row with the next lower seq. False: there is no room for one more part. */
static bool take(struct hub_rescue_tail *tail, const struct archive_row *row)
{
    struct hub_rescue_part *part =
        tail->part_count == 0 ? NULL : &tail->parts[tail->part_count - 1];
    if (part == NULL || part->epoch != row->epoch) {
        if (tail->part_count == HUB_RESCUE_PARTS_MAX)
            return false;
        part = &tail->parts[tail->part_count++];
        *part = (struct hub_rescue_part){.epoch = row->epoch, .to = row->seq};
    }
    part->from = row->seq;
    tail->rows++;
    tail->bytes += row->body.size;
    return true;
}

bool hub_rescue_tail_add(struct hub_rescue_tail *tail, const struct archive_row *row)
{
    if (row->epoch > tail->limits.epoch)
        return true;
    if (tail->head_epoch == 0) {
        tail->head_epoch = row->epoch;
        tail->head = row->seq;
    }
    const uint64_t wanted = hub_rescue_oldest(tail) - 1;
    if (tail->rows > 0 && row->seq > wanted) /* another region had gone on from below it */
        return true;
    if (row->seq == 0 || (tail->rows > 0 && row->seq < wanted) || is_full(tail, row))
        return false;
    return take(tail, row);
}

uint64_t hub_rescue_oldest(const struct hub_rescue_tail *tail)
{
    return tail->part_count == 0 ? tail->head + 1 : tail->parts[tail->part_count - 1].from;
}

uint64_t hub_rescue_base(const struct hub_rescue_tail *tail)
{
    return tail->head_epoch == tail->limits.epoch ? tail->head : 0;
}

const struct hub_rescue_part *hub_rescue_part_of(const struct hub_rescue_tail *tail, uint64_t seq)
{
    for (size_t i = 0; i < tail->part_count; i++)
        if (tail->parts[i].from <= seq && seq <= tail->parts[i].to)
            return &tail->parts[i];
    return NULL;
}
