#include "c/url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *prefix;
    int port;
    bool tls;
} schemes[] = {
    {"http://", 80, false}, {"ws://", 80, false}, {"https://", 443, true}, {"wss://", 443, true}};

static bool take_scheme(struct text *rest, struct meridian_url *url)
{
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        size_t size = strlen(schemes[i].prefix);
        if (rest->size > size && memcmp(rest->data, schemes[i].prefix, size) == 0) {
            url->port = schemes[i].port;
            url->tls = schemes[i].tls;
            *rest = (struct text){rest->data + size, rest->size - size};
            return true;
        }
    }
    return false;
}

/* The text before the first `stop`, taken from `rest`; all when there is none. */
static struct text take_until(struct text *rest, char stop)
{
    const char *end = rest->size == 0 ? NULL : memchr(rest->data, stop, rest->size);
    size_t size = end == NULL ? rest->size : (size_t)(end - rest->data);
    struct text taken = {rest->data, size};

    *rest = (struct text){rest->data + size, rest->size - size};
    return taken;
}

/* host, host:port, [address]:port */
static int read_authority(struct text authority, struct meridian_url *url)
{
    struct text host;
    uint64_t port;

    if (authority.size > 0 && authority.data[0] == '[') {
        authority = (struct text){authority.data + 1, authority.size - 1};
        host = take_until(&authority, ']');
        if (authority.size == 0)
            return -EINVAL;
        authority = (struct text){authority.data + 1, authority.size - 1};
    } else {
        host = take_until(&authority, ':');
    }
    if (host.size == 0 || text_put(url->host, sizeof url->host, host) < 0)
        return -EINVAL;
    if (authority.size == 0)
        return 0;
    struct text digits = {authority.data + 1, authority.size - 1};
    if (authority.data[0] != ':' || text_to_u64(digits, UINT16_MAX, &port) < 0 || port == 0)
        return -EINVAL;
    url->port = (int)port;
    return 0;
}

int meridian_url_parse(struct text from, struct meridian_url *ret_url)
{
    struct meridian_url url = {0};

    if (!take_scheme(&from, &url) || read_authority(take_until(&from, '/'), &url) < 0)
        return -EINVAL;
    while (from.size > 0 && from.data[from.size - 1] == '/')
        from.size--;
    int size = snprintf(url.path, sizeof url.path, "%.*s/ws", TEXT_ARGS(from));
    if (size < 0 || (size_t)size >= sizeof url.path)
        return -EINVAL;
    for (const char *at = url.path; *at != '\0'; at++) {
        if (*at <= ' ' || *at == '?' || *at == '#' || *at == 0x7F)
            return -EINVAL;
    }
    *ret_url = url;
    return 0;
}
