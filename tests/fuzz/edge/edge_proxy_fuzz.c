/* Headers of the PROXY protocol: with any beginning of the bytes the answer is "more" until it is
 * the one for the whole. */
#include "edge/edge_proxy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BEGINNINGS_MAX = EDGE_PROXY_HEADER_MAX + 1 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* An exact copy, so that the sanitizer sees every read past the end. */
static int parse(const uint8_t *data, size_t size, struct edge_proxy *ret_proxy)
{
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    require(copy != NULL);
    memcpy(copy, data, size);
    int result = edge_proxy_parse(copy, size, ret_proxy);
    free(copy);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct edge_proxy whole = {0};
    if (size > BEGINNINGS_MAX)
        size = BEGINNINGS_MAX;
    int result = parse(data, size, &whole);
    require(result == 0 || result == -EAGAIN || result == -EPROTO || result == -E2BIG);
    require(result != 0 || (whole.size > 0 && whole.size <= size));
    require(result != -EAGAIN || size < EDGE_PROXY_HEADER_MAX);
    /* Also byte by byte; the first answer stays. */
    for (size_t part = 0; part < size; part++) {
        struct edge_proxy proxy = {0};
        int now = parse(data, part, &proxy);
        if (now == -EAGAIN)
            continue;
        require(now == result && proxy.size == whole.size);
        require(proxy.has_address == whole.has_address);
        require(memcmp(&proxy.address, &whole.address, sizeof whole.address) == 0);
        break;
    }
    return 0;
}
