#include "bus/bus_stream.h"

#include "json/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* --- PubAcks --- */

static struct text text_of_value(struct json_value value, char *room, size_t size)
{
    struct text text = {0};
    return json_string_read(value, room, size, &text) == 0 ? text : (struct text){0};
}

static int read_error(struct json_value error, struct bus_puback *ret_ack)
{
    struct json_value code, err_code, description;
    const struct json_pick picks[] = {
        {"code", &code}, {"err_code", &err_code}, {"description", &description}};
    uint64_t number = 0, detail = 0;
    if (json_object_pick(error.raw, picks, COUNT_OF(picks)) != 0 ||
        json_to_u64(code, INT32_MAX, &number) != 0 || number == 0)
        return -EBADMSG;
    if (err_code.type != JSON_ABSENT && json_to_u64(err_code, INT32_MAX, &detail) != 0)
        return -EBADMSG;
    struct bus_puback ack = {.code = (int)number, .err_code = (int)detail};
    char room[sizeof ack.description];
    struct text said = text_of_value(description, room, sizeof room);
    snprintf(ack.description, sizeof ack.description, "%.*s", TEXT_ARGS(said));
    *ret_ack = ack;
    return 0;
}

int bus_puback_read(const struct bus_message *message, struct bus_puback *ret_ack)
{
    struct json_value sequence, error;
    const struct json_pick picks[] = {{"seq", &sequence}, {"error", &error}};
    struct text text = {.data = (const char *)message->data, .size = message->size};
    if (json_object_pick(text, picks, COUNT_OF(picks)) != 0)
        return -EBADMSG;
    if (error.type != JSON_ABSENT)
        return read_error(error, ret_ack);
    struct bus_puback ack = {0};
    if (json_to_u64(sequence, UINT64_MAX, &ack.position) != 0 || ack.position == 0)
        return -EBADMSG;
    *ret_ack = ack;
    return 0;
}

/* --- direct gets --- */

static int read_digits(const char **at, size_t count)
{
    int value = 0;
    for (size_t i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return -1;
        value = value * 10 + (**at - '0');
    }
    return value;
}

/* RFC 3339 in UTC with any fraction, 2026-11-24T05:36:14.744202417Z, as milliseconds since 1970. */
static int read_time(const char *at, int64_t *ret_time_ms)
{
    static const struct {
        size_t digits;
        char after;
    } parts[] = {{4, '-'}, {2, '-'}, {2, 'T'}, {2, ':'}, {2, ':'}, {2, '\0'}};
    int values[COUNT_OF(parts)];
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        values[i] = read_digits(&at, parts[i].digits);
        if (values[i] < 0 || (parts[i].after != '\0' && *at++ != parts[i].after))
            return -EBADMSG;
    }
    int64_t fraction_ms = 0;
    if (*at == '.')
        for (int64_t weight = 100; *++at >= '0' && *at <= '9'; weight /= 10)
            fraction_ms += weight * (*at - '0');
    if (strcmp(at, "Z") != 0)
        return -EBADMSG;
    struct tm utc = {.tm_year = values[0] - 1900,
                     .tm_mon = values[1] - 1,
                     .tm_mday = values[2],
                     .tm_hour = values[3],
                     .tm_min = values[4],
                     .tm_sec = values[5]};
    *ret_time_ms = (int64_t)timegm(&utc) * 1000 + fraction_ms;
    return 0;
}

static int header_u64(const struct bus_message *message, const char *name, uint64_t *ret_value)
{
    return text_to_u64(bus_header(message, name), UINT64_MAX, ret_value) == 0 ? 0 : -EBADMSG;
}

int bus_ring_read(const struct bus_message *message, uint64_t *ret_position)
{
    if (header_u64(message, "Nats-Sequence", ret_position) == 0)
        return *ret_position > 0 ? 0 : -EBADMSG;
    struct bus_puback ack;
    if (bus_puback_read(message, &ack) != 0 || ack.position == 0)
        return -EBADMSG;
    *ret_position = ack.position;
    return 0;
}

static int read_end_of_batch(const struct bus_message *message, struct bus_entry *ret_entry,
                             uint64_t *ret_pending)
{
    uint64_t last, pending;
    if (header_u64(message, "Nats-Last-Sequence", &last) != 0 ||
        header_u64(message, "Nats-Num-Pending", &pending) != 0)
        return -EBADMSG;
    *ret_entry = (struct bus_entry){.position = last};
    if (ret_pending != NULL)
        *ret_pending = pending;
    return -ENODATA;
}

int bus_entry_read(const struct bus_message *message, struct bus_entry *ret_entry,
                   uint64_t *ret_pending)
{
    struct text status = bus_header(message, "Status");
    if (text_equal(status, TEXT("404")))
        return -ENOENT;
    if (text_equal(status, TEXT("204")))
        return read_end_of_batch(message, ret_entry, ret_pending);
    if (text_equal(status, TEXT("408")) || text_equal(status, TEXT("503")))
        return -EAGAIN;
    if (status.size > 0)
        return -EBADMSG;
    struct bus_entry entry = {.subject = bus_header(message, "Nats-Subject"),
                              .data = message->data,
                              .size = message->size};
    if (header_u64(message, "Nats-Sequence", &entry.position) != 0 || entry.subject.size == 0 ||
        read_time(bus_header(message, "Nats-Time-Stamp").data, &entry.time_ms) != 0)
        return -EBADMSG;
    *ret_entry = entry;
    return 0;
}

int bus_get_last(struct bus *bus, struct bus_request *request, const char *stream,
                 const char *subject, int64_t timeout_ms)
{
    char get[512];
    int size = snprintf(get, sizeof get, "$JS.API.DIRECT.GET.%s.%s", stream, subject);
    if (size < 0 || (size_t)size >= sizeof get)
        return -EINVAL;
    return bus_request(bus, request, get, "", 0, timeout_ms);
}
