/* What a client is told of a notice, also when the notice is not what it should be. */
#include "edge/edge_receipt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct wire_deliver plain = {.user = {"alice", 5},
                                          .epoch = 1,
                                          .seq = 9,
                                          .at_ms = 1790000000000,
                                          .flags = WIRE_FLAG_NOTICE,
                                          .sender = {WIRE_NOTICE_SENDER, 9},
                                          .id = {"n", 1}};

static void expect_of(const struct wire_deliver *deliver, const char *expected)
{
    struct buffer out = {0};
    buffer_append_text(&out, TEXT("before"));
    edge_receipt_write(&out, deliver);
    buffer_append(&out, "", 1);
    assert_string_equal((const char *)out.data + strlen("before"), expected);
    buffer_free(&out);
}

/* The body is an exact copy, so that a read past it is seen. */
static void expect_size(const char *body, size_t size, const char *expected)
{
    struct wire_deliver deliver = plain;
    char *copy = malloc(size == 0 ? 1 : size);
    assert_non_null(copy);
    memcpy(copy, body, size);
    deliver.body = (struct text){.data = copy, .size = size};
    expect_of(&deliver, expected);
    free(copy);
}

static void expect(const char *body, const char *expected)
{
    expect_size(body, strlen(body), expected);
}

#define RECEIPT(members) "{\"t\":\"receipt\",\"cursor\":\"1:9\"," members ",\"at\":1790000000000}"

static void known_notices_are_passed_on(void **state)
{
    (void)state;
    expect("{\"kind\":\"stored\",\"by\":\"bob\",\"ids\":[\"m1\"],\"cursor\":\"1:57\"}",
           RECEIPT("\"kind\":\"stored\",\"by\":\"bob\",\"ids\":[\"m1\"],\"of_cursor\":\"1:57\""));
    expect("{\"cursor\":\"1:60\",\"ids\":[\"m1\",\"m2\"],\"by\":\"b\\\"\",\"kind\":\"delivered\"}",
           RECEIPT("\"kind\":\"delivered\",\"by\":\"b\\\"\",\"ids\":[\"m1\",\"m2\"],"
                   "\"of_cursor\":\"1:60\""));
    expect("{\"kind\":\"read\",\"by\":\"bob\",\"ids\":[],\"cursor\":\"1:60\"}",
           RECEIPT("\"kind\":\"read\",\"by\":\"bob\",\"ids\":[],\"of_cursor\":\"1:60\""));
    expect("{\"kind\":\"device_dropped\",\"device\":\"old-phone\"}",
           RECEIPT("\"kind\":\"device_dropped\",\"device\":\"old-phone\""));
}

static void what_is_not_known_in_one_is_left_out(void **state)
{
    (void)state;
    expect("{\"kind\":\"read\",\"by\":\"bob\",\"t\":\"msg\",\"new\":{\"a\":[1]}}",
           RECEIPT("\"kind\":\"read\",\"by\":\"bob\""));
}

static void what_makes_no_sense_is_unknown_and_keeps_its_place(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "1",
        "[]",
        "{",
        "{}",
        "{\"kind\":1}",
        "{\"kind\":\"pinched\",\"by\":\"bob\"}",
        "{\"kind\":\"read\",\"kind\":\"read\"}",
        "{\"kind\":\"read\",\"by\":7}",
        "{\"kind\":\"read\",\"by\":\"\"}",
        "{\"kind\":\"read\",\"by\":\"a\\u0007\"}",
        "{\"kind\":\"read\",\"by\":\"\\ud800\"}",
        "{\"kind\":\"read\",\"by\":\"$meridian\"}",
        "{\"kind\":\"read\",\"by\":\"bob\",\"ids\":\"m1\"}",
        "{\"kind\":\"read\",\"by\":\"bob\",\"ids\":[1]}",
        "{\"kind\":\"read\",\"by\":\"bob\",\"ids\":[\"a\",\"b c\"]}",
        "{\"kind\":\"read\",\"by\":\"bob\",\"ids\":[\"a\"],\"cursor\":57}",
        "{\"kind\":\"read\",\"by\":\"bob\",\"ids\":[\"a\"],\"cursor\":\"57\"}",
        "{\"kind\":\"device_dropped\",\"device\":\"old phone\"}",
        "{\"kind\":\"read\"}x",
    };
    for (size_t i = 0; i < COUNT_OF(bodies); i++)
        expect(bodies[i], RECEIPT("\"kind\":\"unknown\""));
}

static void long_values_are_refused(void **state)
{
    (void)state;
    char body[512];
    char word[300];
    memset(word, 'a', sizeof word);
    snprintf(body, sizeof body, "{\"kind\":\"read\",\"by\":\"%.*s\"}", TEXT_USER_MAX + 1, word);
    expect(body, RECEIPT("\"kind\":\"unknown\""));
    snprintf(body, sizeof body, "{\"kind\":\"read\",\"ids\":[\"%.*s\"]}", TEXT_MESSAGE_ID_MAX + 1,
             word);
    expect(body, RECEIPT("\"kind\":\"unknown\""));
}

static void ids_are_taken_up_to_their_bound(void **state)
{
    (void)state;
    for (size_t count = 255; count <= 257; count++) {
        struct buffer body = {0};
        struct buffer expected = {0};
        buffer_append_text(&body, TEXT("{\"kind\":\"delivered\",\"ids\":["));
        for (size_t i = 0; i < count; i++)
            buffer_printf(&body, "%s\"m%zu\"", i == 0 ? "" : ",", i);
        buffer_append_text(&body, TEXT("]}"));
        buffer_append_text(&expected, TEXT("{\"t\":\"receipt\",\"cursor\":\"1:9\","));
        if (count <= 256)
            buffer_append(&expected, body.data + 1, body.size - 2);
        else
            buffer_append_text(&expected, TEXT("\"kind\":\"unknown\""));
        buffer_append_text(&expected, TEXT(",\"at\":1790000000000}"));
        buffer_append(&expected, "", 1);
        expect_size((const char *)body.data, body.size, (const char *)expected.data);
        buffer_free(&body);
        buffer_free(&expected);
    }
}

static void nobody_else_speaks_in_the_name_of_notices(void **state)
{
    (void)state;
    struct wire_deliver deliver = plain;
    deliver.sender = TEXT("mallory");
    deliver.body = TEXT("{\"kind\":\"read\",\"by\":\"bob\"}");
    expect_of(&deliver, RECEIPT("\"kind\":\"unknown\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_notices_are_passed_on),
        cmocka_unit_test(what_is_not_known_in_one_is_left_out),
        cmocka_unit_test(what_makes_no_sense_is_unknown_and_keeps_its_place),
        cmocka_unit_test(long_values_are_refused),
        cmocka_unit_test(ids_are_taken_up_to_their_bound),
        cmocka_unit_test(nobody_else_speaks_in_the_name_of_notices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
