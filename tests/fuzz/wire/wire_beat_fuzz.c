/* Beats, entries of the directory and names: what is decoded is encoded again and must give the
 * same bytes, since every format has one way to say a thing. */
#include "wire/beat.h"
#include "wire/member.h"
#include "wire/names.h"

#include <stdlib.h>
#include <string.h>

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void require_same(struct buffer *out, const uint8_t *data, size_t size)
{
    require(!out->failed && out->size == size && memcmp(out->data, data, size) == 0);
    buffer_free(out);
}

static void try_hub(const uint8_t *data, size_t size)
{
    static struct wire_lane lanes[WIRE_BEAT_LANES_MAX];
    static struct wire_outbox outboxes[WIRE_BEAT_LANES_MAX];
    static struct wire_edge_count edges[WIRE_BEAT_EDGES_MAX];
    struct wire_hub_beat beat;
    if (wire_hub_beat_read(data, size, &beat) != 0)
        return;
    for (size_t i = 0; i < beat.lane_count; i++)
        require(wire_lane_next(&beat.lanes, &lanes[i]));
    for (size_t i = 0; i < beat.outbox_count; i++)
        require(wire_outbox_next(&beat.outboxes, &outboxes[i]));
    for (size_t i = 0; i < beat.edge_count; i++)
        require(wire_edge_count_next(&beat, &edges[i]));
    require(wire_done(&beat.lanes) && wire_done(&beat.outboxes) && wire_done(&beat.edges));
    struct buffer out = {0};
    require(wire_hub_beat_write(&out, &beat, lanes, beat.lane_count, outboxes, beat.outbox_count,
                                edges, beat.edge_count) == 0);
    if (beat.version == 1) /* is read and not written any more */
        buffer_free(&out);
    else
        require_same(&out, data, size);
}

static void try_edge(const uint8_t *data, size_t size)
{
    struct wire_edge_beat beat;
    if (wire_edge_beat_read(data, size, &beat) != 0)
        return;
    struct buffer out = {0};
    require(wire_edge_beat_write(&out, &beat) == 0);
    require_same(&out, data, size);
}

static void try_member(const uint8_t *data, size_t size)
{
    static struct wire_alarm alarms[WIRE_MEMBER_ALARMS_MAX];
    struct wire_member_beat beat;
    if (wire_member_beat_read(data, size, &beat) != 0)
        return;
    for (size_t i = 0; i < beat.alarm_count; i++)
        require(wire_alarm_next(&beat.alarms, &alarms[i]));
    require(wire_done(&beat.alarms));
    struct buffer out = {0};
    require(wire_member_beat_write(&out, &beat, alarms, beat.alarm_count) == 0);
    require_same(&out, data, size);
}

static void try_directory_entry(const uint8_t *data, size_t size)
{
    struct wire_directory_entry entry;
    if (wire_directory_entry_read(data, size, &entry) != 0)
        return;
    struct buffer out = {0};
    wire_directory_entry_write(&out, &entry);
    require_same(&out, data, size);
}

static void try_names(struct text subject)
{
    enum wire_writer writer;
    struct text source;
    uint64_t n;
    char user[TEXT_USER_MAX + 1];
    if (wire_log_writer(subject, &writer, &source) == 0)
        require((source.size > 0) == (writer == WIRE_BY_LANE));
    (void)!wire_puback_number(subject, &n);
    if (wire_directory_user(subject, user) == 0) {
        struct wire_name name = wire_directory_subject(text_of(user), 1);
        struct text key = text_of(strrchr(name.text, '.')); /* the bucket may be another */
        require(subject.size > key.size &&
                memcmp(subject.data + subject.size - key.size, key.data, key.size) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_hub(data, size);
    try_edge(data, size);
    try_member(data, size);
    try_directory_entry(data, size);
    try_names((struct text){.data = (const char *)data, .size = size});
    return 0;
}
