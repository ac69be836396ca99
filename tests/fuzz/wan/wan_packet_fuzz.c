/* Any bytes as a packet: they take a line to another site, or none. */
#include "wan/net.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wan_sites sites = {0};
    if (wan_sites_add(&sites, TEXT("a=0.0.0.0/1@/a"), NULL) != 0 ||
        wan_sites_add(&sites, TEXT("b=128.0.0.0/2@/b"), NULL) != 0)
        abort();
    struct wan_net *net = wan_net_new(&sites, 1, 1 << 20);
    if (net == NULL)
        abort();
    for (size_t from = 0; from < sites.count; from++) {
        size_t to;
        int64_t due_ns;
        struct wan_line *line = wan_net_route(net, from, data, size, &to);
        assert(line == NULL || to == 1 - from);
        if (line != NULL && wan_line_take(line, size, 5, &due_ns) == 1)
            assert(due_ns == 5);
    }
    wan_net_free(net);
    return 0;
}
