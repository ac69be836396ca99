/* Any bytes as the drains of edges: what is read and written again gives the same bytes. */
#include "wire/drains.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_edge_drains drains;
    struct buffer out = {0};
    if (wire_edge_drains_read(data, size, &drains) != 0)
        return 0;
    int err = wire_edge_drains_write(&out, &drains);
    assert(err == 0 && out.size == size && memcmp(out.data, data, size) == 0);
    buffer_free(&out);
    return 0;
}
