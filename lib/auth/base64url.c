#include "auth/base64url.h"

#include <errno.h>
#include <sodium.h>

enum { VARIANT = sodium_base64_VARIANT_URLSAFE_NO_PADDING };

int auth_base64url_read(struct text from, uint8_t *room, size_t room_size, size_t *ret_size)
{
    size_t size;
    if (from.size / 4 * 3 + from.size % 4 * 3 / 4 > room_size)
        return -ENOSPC;
    if (sodium_base642bin(room, room_size, from.data, from.size, NULL, &size, NULL, VARIANT) != 0)
        return -EBADMSG;
    *ret_size = size;
    return 0;
}

void auth_base64url_write(struct buffer *out, const void *bytes, size_t size)
{
    size_t room = sodium_base64_encoded_len(size, VARIANT); /* with the terminator */
    char *to = (char *)buffer_reserve(out, room);
    if (to == NULL)
        return;
    sodium_bin2base64(to, room, bytes, size, VARIANT);
    out->size += room - 1;
}
