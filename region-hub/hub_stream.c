#include "region-hub/hub_stream.h"

#include "json/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SUBJECT_MAX = 512, BODY_MAX = 640 };

/* "$JS.API.<verb>.<stream>", with a body of JSON. Names hold nothing that JSON would escape. */
static int ask(struct bus *bus, struct bus_request *request, const char *verb, const char *stream,
               int64_t timeout_ms, const char *body)
{
    char subject[SUBJECT_MAX];
    int size = snprintf(subject, sizeof subject, "$JS.API.%s.%s", verb, stream);
    if (size < 0 || (size_t)size >= sizeof subject)
        return -EINVAL;
    return bus_request(bus, request, subject, body, strlen(body), timeout_ms);
}

int hub_stream_get(struct bus *bus, struct bus_request *request, const char *stream,
                   uint64_t position, int64_t timeout_ms)
{
    char body[BODY_MAX];
    snprintf(body, sizeof body, "{\"seq\":%" PRIu64 "}", position);
    return ask(bus, request, "DIRECT.GET", stream, timeout_ms, body);
}

int hub_stream_get_last(struct bus *bus, struct bus_request *request, const char *stream,
                        const char *subject, int64_t timeout_ms)
{
    char body[BODY_MAX];
    snprintf(body, sizeof body, "{\"last_by_subj\":\"%s\"}", subject);
    return ask(bus, request, "DIRECT.GET", stream, timeout_ms, body);
}

int hub_stream_info(struct bus *bus, struct bus_request *request, const char *stream,
                    int64_t timeout_ms)
{
    return ask(bus, request, "STREAM.INFO", stream, timeout_ms, "");
}

int hub_stream_purge(struct bus *bus, struct bus_request *request, const char *stream,
                     const char *subject, uint64_t position, int64_t timeout_ms)
{
    char body[BODY_MAX];
    snprintf(body, sizeof body, "{\"filter\":\"%s\",\"seq\":%" PRIu64 "}", subject, position);
    return ask(bus, request, "STREAM.PURGE", stream, timeout_ms, body);
}

int hub_stream_info_read(struct text json, struct hub_stream_info *ret_info)
{
    struct hub_stream_info info = {0};
    struct json_value config, state, max_bytes, bytes, first, last;
    const struct json_pick parts[] = {{"config", &config}, {"state", &state}};
    const struct json_pick limits[] = {{"max_bytes", &max_bytes}};
    const struct json_pick figures[] = {
        {"bytes", &bytes}, {"first_seq", &first}, {"last_seq", &last}};
    int64_t limit = 0;

    if (json_object_pick(json, parts, COUNT_OF(parts)) != 0 ||
        json_object_pick(config.raw, limits, COUNT_OF(limits)) != 0 ||
        json_object_pick(state.raw, figures, COUNT_OF(figures)) != 0 ||
        json_to_i64(max_bytes, &limit) != 0 || json_to_u64(bytes, UINT64_MAX, &info.bytes) != 0 ||
        json_to_u64(first, UINT64_MAX, &info.first) != 0 ||
        json_to_u64(last, UINT64_MAX, &info.last) != 0)
        return -EBADMSG;
    info.max_bytes = limit > 0 ? (uint64_t)limit : 0; /* -1: none */
    *ret_info = info;
    return 0;
}

uint16_t hub_stream_permille(const struct hub_stream_info *info)
{
    if (info->max_bytes == 0)
        return 0;
    if (info->bytes >= info->max_bytes)
        return 1000;
    return (uint16_t)((double)info->bytes * 1000.0 / (double)info->max_bytes);
}
