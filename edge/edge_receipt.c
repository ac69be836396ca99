#include "edge/edge_receipt.h"

#include "edge/edge_url.h"
#include "json/json.h"

#include <inttypes.h>

enum { IDS_MAX = WIRE_RECIPIENTS_MAX }; /* in one notice; a delivery chunk has as many rows */

struct notice { /* the members that are known */
    struct json_value kind, by, ids, cursor, device;
};

static const struct text kinds[] = {
    {"\"stored\"", 8}, {"\"delivered\"", 11}, {"\"read\"", 6}, {"\"device_dropped\"", 16}};

static bool is_known(struct json_value kind)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (text_equal(kind.raw, kinds[i]))
            return true;
    return false;
}

/* Appends `,"key":"value"` of a string that `is_good`. False: it is not; absent is good. */
static bool write_string(struct buffer *out, const char *key, struct json_value value,
                         bool (*is_good)(struct text text))
{
    char room[TEXT_USER_MAX];
    struct text text;
    if (value.type == JSON_ABSENT)
        return true;
    if (value.type != JSON_STRING || json_string_read(value, room, sizeof room, &text) != 0 ||
        !is_good(text))
        return false;
    buffer_printf(out, ",\"%s\":", key);
    json_write_string(out, text);
    return true;
}

static bool is_cursor(struct text text)
{
    uint32_t epoch;
    uint64_t seq;
    return edge_cursor_parse(text, &epoch, &seq) == 0;
}

static bool write_ids(struct buffer *out, struct json_value ids)
{
    struct json_reader reader;
    struct json_value value;
    size_t count = 0;
    int more;
    if (ids.type == JSON_ABSENT)
        return true;
    if (ids.type != JSON_ARRAY || json_array_open(&reader, ids.raw) != 0)
        return false;
    buffer_append_text(out, TEXT(",\"ids\":["));
    while ((more = json_array_next(&reader, &value)) == 1) {
        char room[TEXT_MESSAGE_ID_MAX];
        struct text id;
        if (value.type != JSON_STRING || json_string_read(value, room, sizeof room, &id) != 0 ||
            !text_is_message_id(id) || count++ == IDS_MAX)
            return false;
        if (count > 1)
            buffer_append_text(out, TEXT(","));
        json_write_string(out, id);
    }
    buffer_append_text(out, TEXT("]"));
    return more == 0;
}

/* False: what was appended is to be taken back. */
static bool write_notice(struct buffer *out, const struct wire_deliver *deliver)
{
    struct notice notice;
    const struct json_pick picks[] = {{"kind", &notice.kind},
                                      {"by", &notice.by},
                                      {"ids", &notice.ids},
                                      {"cursor", &notice.cursor},
                                      {"device", &notice.device}};
    if (!text_equal(deliver->sender, TEXT(WIRE_NOTICE_SENDER)) ||
        json_object_pick(deliver->body, picks, COUNT_OF(picks)) != 0 || !is_known(notice.kind))
        return false;
    buffer_append_text(out, TEXT(",\"kind\":"));
    buffer_append_text(out, notice.kind.raw);
    return write_string(out, "by", notice.by, wire_is_person) && write_ids(out, notice.ids) &&
           write_string(out, "of_cursor", notice.cursor, is_cursor) &&
           write_string(out, "device", notice.device, text_is_device_id);
}

void edge_receipt_write(struct buffer *out, const struct wire_deliver *deliver)
{
    buffer_append_text(out, TEXT("{\"t\":\"receipt\""));
    if (deliver->seq != 0)
        buffer_printf(out, ",\"cursor\":\"%" PRIu32 ":%" PRIu64 "\"", deliver->epoch, deliver->seq);
    size_t size = out->size;
    if (!write_notice(out, deliver)) {
        out->size = out->failed ? out->size : size;
        buffer_append_text(out, TEXT(",\"kind\":\"unknown\""));
    }
    buffer_printf(out, ",\"at\":%" PRIi64 "}", deliver->at_ms);
}
