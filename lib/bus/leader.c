#include "bus/bus_stream.h"

#include "json/json.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { ERR_NO_MESSAGE = 10037, ERR_NOT_ENABLED = 10039 };

int bus_get_last_of_leader(struct bus *bus, struct bus_request *request, const char *stream,
                           const char *subject, int64_t timeout_ms)
{
    char get[256], body[512];
    int size = snprintf(get, sizeof get, "$JS.API.STREAM.MSG.GET.%s", stream);
    int body_size = snprintf(body, sizeof body, "{\"last_by_subj\":\"%s\"}", subject);
    if (size < 0 || (size_t)size >= sizeof get || body_size < 0 || (size_t)body_size >= sizeof body)
        return -EINVAL;
    return bus_request(bus, request, get, body, (size_t)body_size, timeout_ms);
}

static int read_code(struct json_value error, uint64_t *ret_code)
{
    struct json_value value;
    const struct json_pick picks[] = {{"err_code", &value}};
    if (json_object_pick(error.raw, picks, COUNT_OF(picks)) != 0 || value.type != JSON_NUMBER ||
        text_to_u64(value.raw, UINT64_MAX, ret_code) != 0)
        return -EBADMSG;
    return 0;
}

static int read_error(struct json_value error)
{
    uint64_t code;
    if (read_code(error, &code) != 0)
        return -EBADMSG;
    return code == ERR_NO_MESSAGE ? -ENOENT : -EAGAIN;
}

bool bus_leader_answers_again(const struct bus_message *message)
{
    const struct text text = {(const char *)message->data, message->size};
    struct json_value error;
    uint64_t code;
    const struct json_pick answer[] = {{"error", &error}};
    return json_object_pick(text, answer, COUNT_OF(answer)) == 0 && error.type == JSON_OBJECT &&
           read_code(error, &code) == 0 && code == ERR_NOT_ENABLED;
}

/* Base64 with its padding (RFC 4648, section 4). Its alphabet needs no escape in JSON. */
static int decode(struct json_value value, uint8_t *room, size_t room_size, size_t *ret_size)
{
    *ret_size = 0;
    if (value.type == JSON_ABSENT)
        return 0; /* an empty message */
    if (value.type != JSON_STRING)
        return -EBADMSG;
    const struct text text = {value.raw.data + 1, value.raw.size - 2};
    size_t padding = 0;
    while (padding < 2 && padding < text.size && text.data[text.size - 1 - padding] == '=')
        padding++;
    if (text.size % 4 != 0)
        return -EBADMSG;
    if (text.size / 4 * 3 > room_size)
        return -ENOSPC;
    int size = EVP_DecodeBlock(room, (const unsigned char *)text.data, (int)text.size);
    if (size < 0 || (size_t)size != text.size / 4 * 3)
        return -EBADMSG;
    *ret_size = (size_t)size - padding;
    return 0;
}

int bus_leader_entry_read(const struct bus_message *message, uint8_t *room, size_t room_size,
                          uint64_t *ret_position, size_t *ret_size)
{
    const struct text text = {(const char *)message->data, message->size};
    struct json_value error, found, position, data;
    const struct json_pick answer[] = {{"error", &error}, {"message", &found}};
    const struct json_pick parts[] = {{"seq", &position}, {"data", &data}};
    if (json_object_pick(text, answer, COUNT_OF(answer)) != 0)
        return -EBADMSG;
    if (error.type == JSON_OBJECT)
        return read_error(error);
    if (found.type != JSON_OBJECT || json_object_pick(found.raw, parts, COUNT_OF(parts)) != 0 ||
        position.type != JSON_NUMBER || text_to_u64(position.raw, UINT64_MAX, ret_position) != 0)
        return -EBADMSG;
    return decode(data, room, room_size, ret_size);
}
