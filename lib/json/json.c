#include "json/json.h"

#include "json/scan.h"

#include <errno.h>

int json_parse(struct text text, struct json_value *ret_value)
{
    if (text.size == 0) /* its data may be NULL */
        return -EBADMSG;
    const char *end = text.data + text.size;
    const char *start = json_skip_space(text.data, end);
    enum json_type type = JSON_ABSENT;
    int err = 0;
    const char *after = json_scan_value(start, end, JSON_DEPTH_MAX, &type, &err);
    if (after == NULL)
        return err;
    if (json_skip_space(after, end) != end)
        return -EBADMSG;
    *ret_value = (struct json_value){type, {start, (size_t)(after - start)}};
    return 0;
}

static int reader_open(struct json_reader *reader, struct text text, char bracket)
{
    if (text.size == 0)
        return -EBADMSG;
    const char *end = text.data + text.size;
    const char *start = json_skip_space(text.data, end);
    if (start == end || *start != bracket) {
        struct json_value other;
        int err = json_parse(text, &other);
        return err < 0 ? err : -EINVAL;
    }
    *reader = (struct json_reader){.next = start + 1, .end = end};
    return 0;
}

int json_object_open(struct json_reader *reader, struct text text)
{
    return reader_open(reader, text, '{');
}

int json_array_open(struct json_reader *reader, struct text text)
{
    return reader_open(reader, text, '[');
}

static int reader_fail(struct json_reader *reader, int err)
{
    reader->failed = err;
    return err;
}

static int reader_finish(struct json_reader *reader)
{
    reader->next = json_skip_space(reader->next + 1, reader->end);
    if (reader->next != reader->end)
        return reader_fail(reader, -EBADMSG);
    reader->place = JSON_AT_END;
    return 0;
}

/* Goes to where the next member or element starts: 1; or past the end: 0. */
static int reader_advance(struct json_reader *reader, char bracket)
{
    if (reader->failed < 0)
        return reader->failed;
    if (reader->place == JSON_AT_END)
        return 0;
    reader->next = json_skip_space(reader->next, reader->end);
    if (reader->next == reader->end)
        return reader_fail(reader, -EBADMSG);
    if (*reader->next == bracket)
        return reader_finish(reader);
    if (reader->place == JSON_AT_FIRST) {
        reader->place = JSON_AT_NEXT;
        return 1;
    }
    if (*reader->next != ',')
        return reader_fail(reader, -EBADMSG);
    reader->next = json_skip_space(reader->next + 1, reader->end);
    return 1;
}

static int reader_value(struct json_reader *reader, struct json_value *ret_value)
{
    int err = 0;
    enum json_type type = JSON_ABSENT;
    /* The array or object that is being read is a level, too. */
    const char *after = json_scan_value(reader->next, reader->end, JSON_DEPTH_MAX - 1, &type, &err);
    if (after == NULL)
        return reader_fail(reader, err);
    *ret_value = (struct json_value){type, {reader->next, (size_t)(after - reader->next)}};
    reader->next = after;
    return 1;
}

int json_object_next(struct json_reader *reader, struct json_member *ret_member)
{
    int more = reader_advance(reader, '}');
    if (more <= 0)
        return more;
    const char *key = reader->next;
    const char *after = json_scan_string(key, reader->end);
    if (after == NULL)
        return reader_fail(reader, -EBADMSG);
    reader->next = json_skip_space(after, reader->end);
    if (reader->next == reader->end || *reader->next != ':')
        return reader_fail(reader, -EBADMSG);
    reader->next = json_skip_space(reader->next + 1, reader->end);
    struct json_value value = {0};
    int err = reader_value(reader, &value);
    if (err < 0)
        return err;
    *ret_member = (struct json_member){{key + 1, (size_t)(after - key) - 2}, value};
    return 1;
}

int json_array_next(struct json_reader *reader, struct json_value *ret_value)
{
    int more = reader_advance(reader, ']');
    return more <= 0 ? more : reader_value(reader, ret_value);
}

/* Gives a member to whom it belongs. */
static int pick_member(const struct json_member *member, const struct json_pick *picks,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!json_key_is(member->key, text_of(picks[i].key)))
            continue;
        if (picks[i].ret_value->type != JSON_ABSENT)
            return -EEXIST;
        *picks[i].ret_value = member->value;
        break;
    }
    return 0;
}

static void forget_picks(const struct json_pick *picks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        *picks[i].ret_value = (struct json_value){0};
}

int json_object_pick(struct text text, const struct json_pick *picks, size_t count)
{
    struct json_reader reader;
    struct json_member member;
    forget_picks(picks, count);
    int more = json_object_open(&reader, text);
    while (more == 0 && (more = json_object_next(&reader, &member)) > 0)
        more = pick_member(&member, picks, count);
    if (more < 0)
        forget_picks(picks, count);
    return more;
}

int json_to_u64(struct json_value value, uint64_t max, uint64_t *ret_number)
{
    if (value.type != JSON_NUMBER)
        return -EINVAL;
    bool negative = value.raw.data[0] == '-';
    struct text digits = {value.raw.data + negative, value.raw.size - negative};
    uint64_t number = 0;
    int err = text_to_u64(digits, max, &number);
    if (err == -EINVAL || !negative) {
        if (err == 0)
            *ret_number = number;
        return err;
    }
    return -ERANGE;
}

int json_to_i64(struct json_value value, int64_t *ret_number)
{
    if (value.type != JSON_NUMBER)
        return -EINVAL;
    bool negative = value.raw.data[0] == '-';
    struct text digits = {value.raw.data + negative, value.raw.size - negative};
    uint64_t number = 0;
    int err = text_to_u64(digits, (uint64_t)INT64_MAX + negative, &number);
    if (err < 0)
        return err;
    *ret_number = (int64_t)(negative ? 0 - number : number);
    return 0;
}

int json_to_bool(struct json_value value, bool *ret_flag)
{
    if (value.type != JSON_BOOL)
        return -EINVAL;
    *ret_flag = value.raw.data[0] == 't';
    return 0;
}
