/* What a stream's leader answers, in all the ways that it may be wrong. */
#include "bus/bus_stream.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 12 };

struct answer {
    int err;
    uint64_t position;
    size_t size;
    char data[ROOM + 1];
};

static struct answer read_answer(const char *text)
{
    const struct bus_message message = {.data = (const uint8_t *)text, .size = strlen(text)};
    struct answer answer = {0};
    answer.err = bus_leader_entry_read(&message, (uint8_t *)answer.data, ROOM, &answer.position,
                                       &answer.size);
    return answer;
}

static void reads_a_message(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        const char *is;
    } cases[] = {
        {"", ""},
        {"YQ==", "a"},
        {"YWI=", "ab"},
        {"YWJj", "abc"},
        {"YWJjZA==", "abcd"},
        {"YWJjZGVmZ2hpams=", "abcdefghijk"},
        {"+/8=", "\xfb\xff"},
        {"YWJjZGVmZ2hpamts", "abcdefghijkl"}, /* as much as there is room */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[128];
        snprintf(text, sizeof text, "{\"message\":{\"seq\":7,\"data\":\"%s\"}}", cases[i].data);
        struct answer answer = read_answer(text);
        assert_int_equal(answer.err, 0);
        assert_true(answer.position == 7);
        assert_int_equal(answer.size, strlen(cases[i].is));
        assert_memory_equal(answer.data, cases[i].is, answer.size);
    }
    assert_int_equal(read_answer("{\"message\":{\"seq\":7}}").size, 0);
}

static void waits_for_the_right_one_of_two_answers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool again;
    } cases[] = {
        {"{\"error\":{\"code\":503,\"err_code\":10039,\"description\":\"JetStream not enabled\"}}",
         true},
        {"{\"error\":{\"code\":404,\"err_code\":10037}}", false},
        {"{\"error\":{\"code\":503}}", false},
        {"{\"message\":{\"seq\":10039}}", false},
        {"", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct bus_message message = {.data = (const uint8_t *)cases[i].text,
                                            .size = strlen(cases[i].text)};
        assert_int_equal(bus_leader_answers_again(&message), cases[i].again);
    }
}

static void tells_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int err;
    } cases[] = {
        {"", -EBADMSG},
        {"[]", -EBADMSG},
        {"{}", -EBADMSG},
        {"{\"error\":{\"code\":404,\"err_code\":10037,\"description\":\"no\"}}", -ENOENT},
        {"{\"error\":{\"code\":503,\"err_code\":10008}}", -EAGAIN},
        {"{\"error\":{\"code\":404}}", -EBADMSG},
        {"{\"error\":{\"err_code\":-1}}", -EBADMSG},
        {"{\"message\":1}", -EBADMSG},
        {"{\"message\":{\"data\":\"YQ==\"}}", -EBADMSG},
        {"{\"message\":{\"seq\":\"7\",\"data\":\"YQ==\"}}", -EBADMSG},
        {"{\"message\":{\"seq\":-7,\"data\":\"YQ==\"}}", -EBADMSG},
        {"{\"message\":{\"seq\":7,\"data\":1}}", -EBADMSG},
        {"{\"message\":{\"seq\":7,\"data\":\"YQ=\"}}", -EBADMSG},
        {"{\"message\":{\"seq\":7,\"data\":\"Y*==\"}}", -EBADMSG},
        {"{\"message\":{\"seq\":7,\"data\":\"YWJjZGVmZ2hpamtsbQ==\"}}", -ENOSPC},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(read_answer(cases[i].text).err, cases[i].err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_message),
        cmocka_unit_test(waits_for_the_right_one_of_two_answers),
        cmocka_unit_test(tells_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
