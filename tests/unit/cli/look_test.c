#include "cli/look.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* An answer of nats-server 2.15, but for what is not looked at. */
#define ANSWER(created, config)                                                                    \
    "{\"type\":\"io.nats.jetstream.api.v1.stream_info_response\",\"config\":{" config              \
    "},\"created\":\"" created "\",\"state\":{\"messages\":50,\"bytes\":4000,\"first_seq\":2,"     \
    "\"last_seq\":51,\"consumer_count\":0}}"

static void reads_where_a_stream_is_and_whose_mirror(void **state)
{
    (void)state;
    struct cli_look look;
    struct text answer = TEXT(ANSWER("2026-11-24T05:36:14.744202417Z",
                                     "\"name\":\"KV_DIRECTORY_sin\",\"placement\":{\"cluster\":"
                                     "\"sin\"},\"mirror\":{\"name\":\"KV_DIRECTORY\"}"));
    assert_int_equal(cli_look_read(answer, &look), 0);
    assert_int_equal(look.state, CLI_LOOK_THERE);
    assert_string_equal(look.cluster, "sin");
    assert_string_equal(look.mirror.text, "KV_DIRECTORY");
    assert_int_equal(look.last, 51);
    assert_int_equal(look.messages, 50);
    assert_int_equal(look.made_ns, 1795498574744202417);
}

static void an_origin_that_is_placed_anywhere_has_neither(void **state)
{
    (void)state;
    struct cli_look look;
    assert_int_equal(cli_look_read(TEXT(ANSWER("2026-11-24T05:36:14Z", "\"placement\":{}")), &look),
                     0);
    assert_string_equal(look.cluster, "");
    assert_string_equal(look.mirror.text, "");
    assert_int_equal(look.made_ns, 1795498574000000000);
}

static void fractions_of_a_second_count_whatever_their_length(void **state)
{
    (void)state;
    struct cli_look look;
    assert_int_equal(cli_look_read(TEXT(ANSWER("2026-11-24T05:36:14.7Z", "\"a\":1")), &look), 0);
    assert_int_equal(look.made_ns, 1795498574700000000);
}

static void what_is_no_such_answer_is_refused(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "",
        "{}",
        ANSWER("yesterday", "\"a\":1"),
        ANSWER("2026-11-24T05:36:14.7", "\"a\":1"),
        ANSWER("2026-11-24T05:36:14Z", "\"placement\":{\"cluster\":5}"),
        ANSWER("2026-11-24T05:36:14Z", "\"placement\":{\"cluster\":\"seventeen-letters\"}"),
    };
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct cli_look look = {.last = 9};
        assert_int_equal(cli_look_read(text_of(answers[i]), &look), -EBADMSG);
        assert_int_equal(look.last, 9);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_where_a_stream_is_and_whose_mirror),
        cmocka_unit_test(an_origin_that_is_placed_anywhere_has_neither),
        cmocka_unit_test(fractions_of_a_second_count_whatever_their_length),
        cmocka_unit_test(what_is_no_such_answer_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
