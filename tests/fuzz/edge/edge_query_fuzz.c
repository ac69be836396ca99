/* The query of a URL: whatever it says, what is read of it is within its bounds and is what a hello
 * may say, and what is wrong is told. */
#include "edge/edge_query.h"

#include "wire/record.h"

#include <stdlib.h>
#include <string.h>

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct edge_query query;
    char *copy = malloc(size == 0 ? 1 : size); /* exact: the sanitizer sees every read past it */
    require(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    unsigned takes = size == 0 ? 63 : 63 & ~(1U << (data[0] & 7));
    const char *wrong = edge_query_read((struct text){copy, size}, takes, &query);
    free(copy); /* nothing that was read is borrowed from it */
    if (wrong != NULL)
        return 0;
    require((query.keys & ~takes) == 0);
    require(query.device.size == 0 || text_is_device_id(query.device));
    require(query.user.size == 0 || wire_is_person(query.user));
    require(query.token.size <= AUTH_TOKEN_MAX);
    return 0;
}
