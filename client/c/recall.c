#include "c/recall.h"

#include "c/frames.h"
#include "json/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGES_MAX = 1024 /* more than any edge gives */, ID_ROOM = 24 };

static bool is_good(const char *cursor)
{
    return cursor == NULL || (meridian_is_cursor(cursor) &&
                              strlen(cursor) < sizeof((struct meridian_recall *)NULL)->before);
}

int meridian_recall_ask(struct meridian_recall *recall, const char *before, const char *after,
                        unsigned limit)
{
    if ((before != NULL && after != NULL) || !is_good(before) || !is_good(after))
        return -EINVAL;
    if (recall->waits)
        return -EBUSY;
    *recall = (struct meridian_recall){.waits = true, .number = recall->number + 1, .limit = limit};
    snprintf(recall->before, sizeof recall->before, "%s", before == NULL ? "" : before);
    snprintf(recall->after, sizeof recall->after, "%s", after == NULL ? "" : after);
    return 0;
}

static void make_id(const struct meridian_recall *recall, char id[ID_ROOM])
{
    snprintf(id, ID_ROOM, "h%" PRIu64, recall->number);
}

bool meridian_recall_is(const struct meridian_recall *recall, const char *id)
{
    char own[ID_ROOM];
    make_id(recall, own);
    return recall->waits && strcmp(id, own) == 0;
}

void meridian_recall_write(const struct meridian_recall *recall, struct buffer *out)
{
    char id[ID_ROOM];
    make_id(recall, id);
    buffer_printf(out, "{\"t\":\"history\",\"id\":\"%s\"", id);
    if (recall->before[0] != '\0') /* digits and a colon */
        buffer_printf(out, ",\"before\":\"%s\"", recall->before);
    if (recall->after[0] != '\0')
        buffer_printf(out, ",\"after\":\"%s\"", recall->after);
    if (recall->limit != 0)
        buffer_printf(out, ",\"limit\":%u", recall->limit);
    buffer_append_text(out, TEXT("}"));
}

/* --- the messages of a page --- */

struct place { /* offsets, for the buffer may still move */
    size_t cursor, id, from, body, body_size;
    int64_t at_ms;
};

static size_t keep(struct json_value value, struct buffer *strings)
{
    const size_t at = strings->size;
    if (value.type == JSON_STRING)
        (void)!json_string_decode(value, strings);
    buffer_append(strings, "", 1);
    return at;
}

static int read_message(struct json_value value, struct buffer *strings, struct place *ret_place)
{
    struct json_value cursor, id, from, body, at;
    const struct json_pick picks[] = {
        {"cursor", &cursor}, {"id", &id}, {"from", &from}, {"body", &body}, {"at", &at}};

    if (value.type != JSON_OBJECT || json_object_pick(value.raw, picks, COUNT_OF(picks)) < 0 ||
        cursor.type != JSON_STRING || body.type == JSON_ABSENT ||
        json_to_i64(at, &ret_place->at_ms) < 0)
        return -EBADMSG;
    ret_place->cursor = keep(cursor, strings);
    ret_place->id = keep(id, strings);
    ret_place->from = keep(from, strings);
    ret_place->body = strings->size;
    ret_place->body_size = body.raw.size;
    buffer_append_text(strings, body.raw);
    buffer_append(strings, "", 1);
    return strings->failed ? -ENOMEM : 0;
}

static int read_places(struct text messages, struct buffer *strings, struct place *places,
                       size_t *ret_count)
{
    struct json_reader reader;
    struct json_value value;
    int got = json_array_open(&reader, messages);

    *ret_count = 0;
    if (got < 0)
        return -EBADMSG;
    while ((got = json_array_next(&reader, &value)) == 1) {
        if (*ret_count == MESSAGES_MAX)
            return -EBADMSG;
        int err = read_message(value, strings, &places[*ret_count]);
        if (err < 0)
            return err;
        (*ret_count)++;
    }
    return got < 0 ? -EBADMSG : 0;
}

static struct meridian_message *to_messages(const struct buffer *strings,
                                            const struct place *places, size_t count)
{
    struct meridian_message *messages = calloc(count + 1, sizeof *messages);
    const char *base = (const char *)strings->data;

    for (size_t i = 0; messages != NULL && i < count; i++)
        messages[i] = (struct meridian_message){.cursor = base + places[i].cursor,
                                                .id = base + places[i].id,
                                                .from = base + places[i].from,
                                                .body = base + places[i].body,
                                                .body_size = places[i].body_size,
                                                .at_ms = places[i].at_ms};
    return messages;
}

int meridian_recall_read(struct text messages, struct buffer *strings,
                         struct meridian_message **ret_messages, size_t *ret_count)
{
    struct place *places = calloc(MESSAGES_MAX, sizeof *places);
    struct meridian_message *list = NULL;
    size_t count = 0;

    buffer_clear(strings);
    int err = places == NULL ? -ENOMEM : read_places(messages, strings, places, &count);
    if (err == 0) {
        list = to_messages(strings, places, count);
        err = list == NULL ? -ENOMEM : 0;
    }
    free(places);
    if (err < 0)
        return err;
    *ret_messages = list;
    *ret_count = count;
    return 0;
}
