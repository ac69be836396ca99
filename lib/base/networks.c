#include "base/networks.h"

#include <errno.h>
#include <string.h>

int networks_parse(struct text from, struct networks *ret_networks)
{
    struct networks networks = {.count = 0};
    bool more = text_trim(from).size > 0;
    while (more) {
        const char *comma = memchr(from.data, ',', from.size);
        size_t size = comma == NULL ? from.size : (size_t)(comma - from.data);
        struct text item = text_trim((struct text){from.data, size});
        if (networks.count == NETWORKS_MAX)
            return -E2BIG;
        if (network_parse(item, &networks.items[networks.count]) != 0)
            return -EINVAL;
        networks.count++;
        more = comma != NULL;
        from = more ? (struct text){comma + 1, from.size - size - 1} : from;
    }
    *ret_networks = networks;
    return 0;
}

bool networks_have(const struct networks *networks, const struct address *address)
{
    for (size_t i = 0; i < networks->count; i++)
        if (network_has(&networks->items[i], address))
            return true;
    return false;
}

bool networks_are_valid(struct text from)
{
    struct networks networks;
    return networks_parse(from, &networks) == 0;
}
