#include "revoked/revoked_answer.h"

#include "json/json.h"

#include <errno.h>

enum { NO_MESSAGE = 10037 };

int revoked_answer_read(struct text json, uint64_t *ret_position)
{
    struct json_value error, message, seq, code;
    const struct json_pick outer[] = {{"error", &error}, {"message", &message}};
    const struct json_pick of_message[] = {{"seq", &seq}};
    const struct json_pick of_error[] = {{"err_code", &code}};
    uint64_t position = 0, number = 0;
    if (json_object_pick(json, outer, COUNT_OF(outer)) != 0)
        return -EBADMSG;
    if (error.type != JSON_ABSENT) {
        if (json_object_pick(error.raw, of_error, COUNT_OF(of_error)) != 0 ||
            json_to_u64(code, UINT32_MAX, &number) != 0 || number != NO_MESSAGE)
            return -EAGAIN;
    } else if (json_object_pick(message.raw, of_message, COUNT_OF(of_message)) != 0 ||
               json_to_u64(seq, UINT64_MAX, &position) != 0) {
        return -EBADMSG;
    }
    *ret_position = position;
    return 0;
}
