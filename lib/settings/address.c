#include "settings/address.h"

#include "settings/settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static bool is_host(struct text host)
{
    if (host.size == 0 || host.size > SETTINGS_HOST_MAX)
        return false;
    for (size_t i = 0; i < host.size; i++) {
        char c = host.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '-' && c != '_')
            return false;
    }
    return host.data[0] != '-' && host.data[0] != '.';
}

static bool is_ipv6(struct text host)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr unused;
    return text_put(copy, sizeof copy, host) == 0 && strlen(copy) == host.size &&
           inet_pton(AF_INET6, copy, &unused) == 1;
}

/* Splits at the last colon; takes the brackets off. */
static int split(struct text from, struct text *ret_host, struct text *ret_port)
{
    const char *colon = from.size == 0 ? NULL : memrchr(from.data, ':', from.size);
    if (colon == NULL)
        return -EINVAL;
    struct text host = {from.data, (size_t)(colon - from.data)};
    struct text port = {colon + 1, from.size - host.size - 1};
    bool brackets = host.size > 2 && host.data[0] == '[' && host.data[host.size - 1] == ']';
    if (brackets)
        host = (struct text){host.data + 1, host.size - 2};
    if (brackets ? !is_ipv6(host) : !is_host(host))
        return -EINVAL;
    *ret_host = host;
    *ret_port = port;
    return 0;
}

int settings_address_parse(struct text from, struct settings_address *ret_address)
{
    struct text host = {0};
    struct text digits = {0};
    uint64_t port = 0;
    if (split(from, &host, &digits) < 0 || digits.size > 5 ||
        text_to_u64(digits, UINT16_MAX, &port) < 0 || port == 0)
        return -EINVAL;
    struct settings_address address = {.port = (uint16_t)port};
    if (text_put(address.host, sizeof address.host, host) < 0)
        return -EINVAL;
    *ret_address = address;
    return 0;
}

bool settings_is_address(struct text value)
{
    struct settings_address unused;
    return settings_address_parse(value, &unused) == 0;
}

/* What follows the host: nothing or a path of printable ASCII. */
static bool is_path(struct text path)
{
    for (size_t i = 0; i < path.size; i++)
        if (path.data[i] <= 0x20 || path.data[i] >= 0x7F || strchr("\"<>\\^`{|}", path.data[i]))
            return false;
    return true;
}

bool settings_is_url(struct text value)
{
    size_t scheme = 0;
    if (value.size > 7 && memcmp(value.data, "http://", 7) == 0)
        scheme = 7;
    else if (value.size > 8 && memcmp(value.data, "https://", 8) == 0)
        scheme = 8;
    if (scheme == 0)
        return false;
    struct text rest = {value.data + scheme, value.size - scheme};
    const char *slash = memchr(rest.data, '/', rest.size);
    struct text host = {rest.data, slash == NULL ? rest.size : (size_t)(slash - rest.data)};
    struct text path = {rest.data + host.size, rest.size - host.size};
    return (is_host(host) || settings_is_address(host)) && is_path(path);
}
