#include "wire/key.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t wire_key_encode(struct text text, char key[WIRE_KEY_MAX])
{
    size_t size = 0;
    uint32_t bits = 0;
    unsigned pending = 0; /* bits that are not written yet: 0, 2 or 4 between bytes */
    assert(text.size <= TEXT_USER_MAX);
    for (size_t i = 0; i < text.size; i++) {
        bits = bits << 8 | (uint8_t)text.data[i];
        for (pending += 8; pending >= 6; pending -= 6)
            key[size++] = digits[bits >> (pending - 6) & 63];
    }
    if (pending > 0)
        key[size++] = digits[bits << (6 - pending) & 63];
    return size;
}

int wire_key_decode(struct text key, char room[TEXT_USER_MAX], size_t *ret_size)
{
    size_t size = 0;
    uint32_t bits = 0;
    unsigned pending = 0;
    if (key.size > WIRE_KEY_MAX)
        return -EBADMSG;
    for (size_t i = 0; i < key.size; i++) {
        const char *digit = key.data[i] == '\0' ? NULL : strchr(digits, key.data[i]);
        if (digit == NULL)
            return -EBADMSG;
        bits = bits << 6 | (uint32_t)(digit - digits);
        pending += 6;
        if (pending >= 8) {
            pending -= 8;
            room[size++] = (char)(bits >> pending & 255);
        }
    }
    *ret_size = size;
    return pending < 6 && (bits & ((1U << pending) - 1)) == 0 ? 0 : -EBADMSG;
}
