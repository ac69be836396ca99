/* What the origin says it holds last, by table. */
#include "revoked/revoked_answer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void an_answer_says_the_position_or_that_there_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int expected;
        uint64_t position;
    } rows[] = {
        {"{\"type\":\"x\",\"message\":{\"subject\":\"$KV.REVOKED.a\",\"seq\":12}}", 0, 12},
        {"{\"error\":{\"code\":404,\"err_code\":10037,\"description\":\"none\"}}", 0, 0},
        {"{\"error\":{\"code\":404,\"err_code\":10059}}", -EAGAIN, 7}, /* no such stream */
        {"{\"error\":{\"code\":503}}", -EAGAIN, 7},
        {"{\"error\":1}", -EAGAIN, 7},
        {"{\"message\":{\"seq\":-1}}", -EBADMSG, 7},
        {"{\"message\":{}}", -EBADMSG, 7},
        {"{\"message\":12}", -EBADMSG, 7},
        {"{}", -EBADMSG, 7},
        {"", -EBADMSG, 7},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t position = 7;
        if (revoked_answer_read(text_of(rows[i].json), &position) != rows[i].expected ||
            position != rows[i].position)
            fail_msg("%s", rows[i].json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_says_the_position_or_that_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
