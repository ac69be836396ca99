#include "c/recall.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect_written(const struct meridian_recall *recall, const char *expected)
{
    struct buffer out = {0};
    meridian_recall_write(recall, &out);
    assert_true(text_equal(buffer_text(&out), text_of(expected)));
    buffer_free(&out);
}

static void one_waits_at_a_time(void **state)
{
    (void)state;
    struct meridian_recall recall = {0};
    assert_false(meridian_recall_is(&recall, "h0"));
    assert_int_equal(meridian_recall_ask(&recall, NULL, NULL, 0), 0);
    expect_written(&recall, "{\"t\":\"history\",\"id\":\"h1\"}");
    assert_true(meridian_recall_is(&recall, "h1"));
    assert_false(meridian_recall_is(&recall, "h2"));
    assert_int_equal(meridian_recall_ask(&recall, "1:5", NULL, 7), -EBUSY);
    recall.waits = false;
    assert_false(meridian_recall_is(&recall, "h1"));
    assert_int_equal(meridian_recall_ask(&recall, "1:5", NULL, 7), 0);
    expect_written(&recall, "{\"t\":\"history\",\"id\":\"h2\",\"before\":\"1:5\",\"limit\":7}");
    recall.waits = false;
    assert_int_equal(meridian_recall_ask(&recall, NULL, "2:8", 0), 0);
    expect_written(&recall, "{\"t\":\"history\",\"id\":\"h3\",\"after\":\"2:8\"}");
}

static void cursors_are_checked(void **state)
{
    (void)state;
    struct meridian_recall recall = {0};
    assert_int_equal(meridian_recall_ask(&recall, "1:5", "1:5", 0), -EINVAL);
    assert_int_equal(meridian_recall_ask(&recall, "1", NULL, 0), -EINVAL);
    assert_int_equal(meridian_recall_ask(&recall, NULL, "\":1", 0), -EINVAL);
    assert_int_equal(meridian_recall_ask(&recall, "0000000000000000000000001:000001", NULL, 0),
                     -EINVAL); /* 32 characters */
    assert_int_equal(meridian_recall_ask(&recall, "000000000000000000000001:000001", NULL, 0), 0);
}

static void messages_are_read_as_they_are(void **state)
{
    (void)state;
    struct buffer strings = {0};
    struct meridian_message *messages;
    size_t count;
    static const char page[] = "[{\"cursor\":\"1:7\",\"id\":\"m1\",\"from\":\"al\\\"ice\","
                               "\"body\":{ \"a\" : 1e2 },\"at\":1790000000000},"
                               "{\"cursor\":\"1:9\",\"id\":\"m2\",\"from\":\"bob\",\"body\":null,"
                               "\"at\":1,\"later\":[]}]";
    assert_int_equal(meridian_recall_read(text_of(page), &strings, &messages, &count), 0);
    assert_int_equal(count, 2);
    assert_string_equal(messages[0].cursor, "1:7");
    assert_string_equal(messages[0].id, "m1");
    assert_string_equal(messages[0].from, "al\"ice");
    assert_string_equal(messages[0].body, "{ \"a\" : 1e2 }");
    assert_int_equal(messages[0].body_size, 13);
    assert_true(messages[0].at_ms == 1790000000000);
    assert_string_equal(messages[1].cursor, "1:9");
    assert_string_equal(messages[1].body, "null");
    free(messages);
    assert_int_equal(meridian_recall_read(TEXT("[]"), &strings, &messages, &count), 0);
    assert_int_equal(count, 0);
    free(messages);
    buffer_free(&strings);
}

static void what_is_no_page_is_refused(void **state)
{
    (void)state;
    static const char *const pages[] = {
        "",
        "{}",
        "[7]",
        "[{}]",
        "[{\"cursor\":\"1:1\",\"at\":1}]",
        "[{\"cursor\":1,\"body\":1,\"at\":1}]",
        "[{\"cursor\":\"1:1\",\"body\":1,\"at\":\"1\"}]",
        "[{\"cursor\":\"1:1\",\"body\":1}]",
    };
    struct buffer strings = {0};
    struct meridian_message *messages;
    size_t count;
    for (size_t i = 0; i < COUNT_OF(pages); i++)
        assert_int_equal(meridian_recall_read(text_of(pages[i]), &strings, &messages, &count),
                         -EBADMSG);
    struct buffer many = {0};
    for (int i = 0; i < 1025; i++)
        buffer_printf(&many, "%s{\"cursor\":\"1:1\",\"body\":1,\"at\":1}", i == 0 ? "[" : ",");
    buffer_append_text(&many, TEXT("]"));
    assert_int_equal(meridian_recall_read(buffer_text(&many), &strings, &messages, &count),
                     -EBADMSG);
    buffer_free(&many);
    buffer_free(&strings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_waits_at_a_time),
        cmocka_unit_test(cursors_are_checked),
        cmocka_unit_test(messages_are_read_as_they_are),
        cmocka_unit_test(what_is_no_page_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
