#include "wan/sites.h"

#include <errno.h>
#include <string.h>

/* The text before `mark`, which is taken off `rest` with the mark; false when there is none. */
static bool cut_at(struct text *rest, char mark, struct text *ret_before)
{
    const char *found = rest->size == 0 ? NULL : memchr(rest->data, mark, rest->size);
    if (found == NULL)
        return false;
    *ret_before = (struct text){.data = rest->data, .size = (size_t)(found - rest->data)};
    rest->size -= ret_before->size + 1;
    rest->data = found + 1;
    return true;
}

static int parse_site(struct text spec, struct wan_site *ret_site)
{
    struct wan_site site = {0};
    struct text name, network, path = spec;
    if (!cut_at(&path, '=', &name) || !cut_at(&path, '@', &network) || !text_is_region_name(name))
        return -EINVAL;
    if (network_parse(network, &site.network) != 0 || !address_is_v4(&site.network.address))
        return -EINVAL;
    if (path.size == 0 || text_put(site.namespace_path, sizeof site.namespace_path, path) != 0 ||
        text_put(site.name, sizeof site.name, name) != 0)
        return -EINVAL;
    *ret_site = site;
    return 0;
}

static bool overlap(const struct network *a, const struct network *b)
{
    return network_has(a, &b->address) || network_has(b, &a->address);
}

int wan_sites_add(struct wan_sites *sites, struct text spec, struct error_text *reterr_why)
{
    struct wan_site site;
    if (parse_site(spec, &site) != 0)
        return error_text_set(reterr_why, -EINVAL,
                              "'%.*s' is no site, must be NAME=NETWORK@NAMESPACE as in "
                              "sin=10.77.1.0/24@/run/netns/sin",
                              TEXT_ARGS(spec));
    for (size_t i = 0; i < sites->count; i++) {
        if (strcmp(sites->site[i].name, site.name) == 0)
            return error_text_set(reterr_why, -EEXIST, "site %s is there twice", site.name);
        if (overlap(&sites->site[i].network, &site.network))
            return error_text_set(reterr_why, -EEXIST, "the networks of %s and %s overlap",
                                  sites->site[i].name, site.name);
    }
    if (sites->count == WAN_SITES_MAX)
        return error_text_set(reterr_why, -ENOSPC, "there are more than %d sites", WAN_SITES_MAX);
    sites->site[sites->count++] = site;
    return 0;
}

int wan_sites_find(const struct wan_sites *sites, struct text name)
{
    for (size_t i = 0; i < sites->count; i++)
        if (text_equal(name, text_of(sites->site[i].name)))
            return (int)i;
    return -ENOENT;
}

uint32_t wan_sites_all(const struct wan_sites *sites)
{
    return sites->count == 0 ? 0 : UINT32_MAX >> (WAN_SITES_MAX - sites->count);
}

int wan_sites_route(const struct wan_sites *sites, const uint8_t *packet, size_t size)
{
    enum { HEADER_MIN = 20, TO = 16, VERSION = 4, MAPPED = 12, ADDRESS_SIZE = 4 };
    if (size < HEADER_MIN || packet[0] >> 4 != VERSION)
        return -EBADMSG;
    struct address to = {.bytes = {[10] = 0xff, [11] = 0xff}};
    memcpy(to.bytes + MAPPED, packet + TO, ADDRESS_SIZE);
    for (size_t i = 0; i < sites->count; i++)
        if (network_has(&sites->site[i].network, &to))
            return (int)i;
    return -ENOENT;
}
