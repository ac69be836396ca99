#include "c/hints.h"

#include "json/json.h"

enum { URL_MAX = MERIDIAN_HOST_MAX + MERIDIAN_URL_PATH_MAX + 32 };

static bool read_url(struct json_value endpoint, bool tls, struct meridian_url *ret_url)
{
    char room[URL_MAX];
    struct json_value url;
    struct text text;
    const struct json_pick picks[] = {{"url", &url}};

    return endpoint.type == JSON_OBJECT &&
           json_object_pick(endpoint.raw, picks, COUNT_OF(picks)) == 0 && url.type == JSON_STRING &&
           json_string_read(url, room, sizeof room, &text) == 0 &&
           meridian_url_parse(text, ret_url) == 0 && ret_url->tls == tls;
}

void meridian_hints_take(struct meridian_hints *hints, struct text endpoints, bool tls,
                         int64_t until_ms)
{
    struct json_reader reader;
    struct json_value endpoint;

    hints->count = hints->next = 0;
    hints->until_ms = until_ms;
    if (json_array_open(&reader, endpoints) != 0)
        return;
    while (hints->count < MERIDIAN_HINTS_MAX && json_array_next(&reader, &endpoint) == 1)
        hints->count += read_url(endpoint, tls, &hints->urls[hints->count]);
}

void meridian_hints_forget(struct meridian_hints *hints)
{
    hints->count = hints->next = 0;
}

const struct meridian_url *meridian_hints_next(struct meridian_hints *hints, int64_t now_ms)
{
    if (hints->next >= hints->count || now_ms >= hints->until_ms)
        return NULL;
    return &hints->urls[hints->next++];
}
