/* Any bytes as a revocation: what is read and written again gives the same bytes. */
#include "wire/revoked.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_revoked revoked;
    struct buffer out = {0};
    if (wire_revoked_read(data, size, &revoked) != 0)
        return 0;
    int err = wire_revoked_write(&out, &revoked);
    assert(err == 0 && out.size == size && memcmp(out.data, data, size) == 0);
    buffer_free(&out);
    return 0;
}
