/* The answer of an owner about who is attached, and the body that ends them, by the first byte.
 * What is taken of an answer is whole, and can be told. */
#include "edge/edge_users.h"

#include <stdlib.h>

static const uint64_t request = 0x0a0b0c0d0e0f0102; /* of the golden file */

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void try_answer(const uint8_t *data, size_t size)
{
    struct edge_who_answer answer;
    struct buffer json = {0};
    enum wire_answer code;
    if (edge_who_read(data, size, request, &code, &answer) != 0 || code != WIRE_OK)
        return;
    edge_who_write(&json, &answer);
    require(!json.failed && answer.count <= WIRE_WHO_MAX && json.size > answer.count);
    buffer_free(&json);
}

static void try_body(struct text body)
{
    struct edge_users_disconnect read;
    if (edge_users_read(body, &read) != NULL)
        return;
    require(read.device.size == 0 || text_is_device_id(read.device));
    require(read.reason.size == 0 || text_is_user_id(read.reason));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 2 == 0)
        try_answer(data + 1, size - 1);
    else
        try_body((struct text){(const char *)data + 1, size - 1});
    return 0;
}
