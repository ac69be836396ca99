#include "c/frames.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct buffer strings;
static struct meridian_frame frame;

static int read_frame(const char *json)
{
    return meridian_frame_read(text_of(json), &strings, &frame);
}

static int free_strings(void **state)
{
    (void)state;
    buffer_free(&strings);
    return 0;
}

static void reads_a_throttle(void **state)
{
    (void)state;
    assert_int_equal(read_frame("{\"t\":\"throttle\",\"retry_after_ms\":1000,\"sends_per_s\":20}"),
                     0);
    assert_int_equal(frame.kind, MERIDIAN_FRAME_THROTTLE);
    assert_int_equal(frame.retry_after_ms, 1000);
    assert_int_equal(frame.sends_per_s, 20);
}

static void reads_a_welcome(void **state)
{
    (void)state;
    assert_int_equal(read_frame("{\"t\":\"welcome\",\"user\":\"bob\",\"region\":\"sin\","
                                "\"edge\":\"sin-1\",\"home\":\"dub\",\"cursor\":\"1:57\","
                                "\"resumed\":true,\"limits\":{\"body_max\":65536}}"),
                     0);
    assert_int_equal(frame.kind, MERIDIAN_FRAME_WELCOME);
    assert_string_equal(frame.region, "sin");
    assert_string_equal(frame.edge, "sin-1");
    assert_string_equal(frame.home, "dub");
    assert_string_equal(frame.cursor, "1:57");
    assert_true(frame.resumed);
    assert_string_equal(frame.code, "");
}

static void a_body_stays_as_it_was_written(void **state)
{
    (void)state;
    assert_int_equal(
        read_frame("{\"t\":\"msg\",\"cursor\":\"1:2\",\"id\":\"m\",\"from\":\"a\\u006c\","
                   "\"body\":{ \"x\" : [1.50, \"\\u0041\"]},\"at\":1700000000000}"),
        0);
    assert_int_equal(frame.kind, MERIDIAN_FRAME_MSG);
    assert_string_equal(frame.from, "al");
    assert_true(text_equal(frame.body, TEXT("{ \"x\" : [1.50, \"\\u0041\"]}")));
    assert_true(frame.at_ms == 1700000000000);
}

static void reads_when_a_token_ends(void **state)
{
    (void)state;
    assert_int_equal(read_frame("{\"t\":\"expiring\",\"expires_at\":1790003600000,"
                                "\"left_ms\":60000}"),
                     0);
    assert_int_equal(frame.kind, MERIDIAN_FRAME_EXPIRING);
    assert_true(frame.expires_at_ms == 1790003600000 && frame.left_ms == 60000);
    assert_int_equal(read_frame("{\"t\":\"refreshed\",\"expires_at\":\"soon\"}"), 0);
    assert_int_equal(frame.kind, MERIDIAN_FRAME_REFRESHED);
    assert_true(frame.expires_at_ms == 0);
}

static void reads_a_rejection(void **state)
{
    (void)state;
    assert_int_equal(read_frame("{\"t\":\"rejected\",\"id\":\"m1\",\"code\":\"busy\","
                                "\"retryable\":true,\"retry_after_ms\":250,\"message\":\"later\"}"),
                     0);
    assert_int_equal(frame.kind, MERIDIAN_FRAME_REJECTED);
    assert_string_equal(frame.code, "busy");
    assert_true(frame.retryable);
    assert_int_equal(frame.retry_after_ms, 250);
}

static void what_it_does_not_know_is_other(void **state)
{
    (void)state;
    assert_int_equal(read_frame("{\"t\":\"dance\",\"to\":[\"a\"]}"), 0);
    assert_int_equal(frame.kind, MERIDIAN_FRAME_OTHER);
    assert_string_equal(frame.to, "");
}

static void what_is_no_frame_is_refused(void **state)
{
    (void)state;
    assert_int_equal(read_frame(""), -EBADMSG);
    assert_int_equal(read_frame("[]"), -EBADMSG);
    assert_int_equal(read_frame("{}"), -EBADMSG);
    assert_int_equal(read_frame("{\"t\":7}"), -EBADMSG);
    assert_int_equal(read_frame("{\"t\":\"msg\",\"at\":1.5}"), -EBADMSG);
}

static void reads_a_receipt(void **state)
{
    (void)state;
    assert_int_equal(read_frame("{\"t\":\"receipt\",\"cursor\":\"1:9\",\"kind\":\"delivered\","
                                "\"by\":\"bob\",\"ids\":[\"m1\"],\"of_cursor\":\"1:60\",\"at\":5}"),
                     0);
    assert_int_equal(frame.kind, MERIDIAN_FRAME_RECEIPT);
    assert_string_equal(frame.cursor, "1:9");
    assert_string_equal(frame.receipt, "delivered");
    assert_string_equal(frame.by, "bob");
    assert_string_equal(frame.of_cursor, "1:60");
    assert_true(text_equal(frame.ids, TEXT("[\"m1\"]")));
    assert_int_equal(read_frame("{\"t\":\"receipt\",\"kind\":\"unknown\",\"ids\":7}"), 0);
    assert_string_equal(frame.by, "");
    assert_true(text_equal(frame.ids, TEXT("[]")));
}

static void reads_a_page_of_history(void **state)
{
    (void)state;
    assert_int_equal(read_frame("{\"t\":\"history\",\"id\":\"h1\",\"messages\":[ 1 ],"
                                "\"more\":true,\"complete\":false,\"reason\":\"lost\"}"),
                     0);
    assert_int_equal(frame.kind, MERIDIAN_FRAME_HISTORY);
    assert_string_equal(frame.id, "h1");
    assert_string_equal(frame.reason, "lost");
    assert_true(text_equal(frame.messages, TEXT("[ 1 ]")));
    assert_true(frame.more);
}

static void assert_written(struct buffer *out, const char *expected)
{
    buffer_append(out, "", 1);
    assert_string_equal((const char *)out->data, expected);
    buffer_free(out);
}

static void writes_what_a_client_says(void **state)
{
    (void)state;
    struct buffer out = {0};
    meridian_frame_hello(&out, &(struct meridian_hello){.user = "b\"ob", .device = "phone"});
    assert_written(&out, "{\"t\":\"hello\",\"user\":\"b\\\"ob\",\"device\":\"phone\"}");
    meridian_frame_hello(&out,
                         &(struct meridian_hello){
                             .user = "bob", .device = "phone", .cursor = "1:5", .from_head = true});
    assert_written(&out, "{\"t\":\"hello\",\"user\":\"bob\",\"device\":\"phone\","
                         "\"cursor\":\"1:5\",\"start\":\"head\"}");
    meridian_frame_hello(&out, &(struct meridian_hello){.token = "a.b.c"});
    assert_written(&out, "{\"t\":\"hello\",\"token\":\"a.b.c\"}");
    meridian_frame_refresh(&out, "a.b.c");
    assert_written(&out, "{\"t\":\"refresh\",\"token\":\"a.b.c\"}");
    meridian_frame_send(&out, "m1", "bob", 5, TEXT("1"));
    assert_written(&out, "{\"t\":\"send\",\"id\":\"m1\",\"to\":\"bob\","
                         "\"want\":[\"stored\",\"read\"],\"body\":1}");
    meridian_frame_read_up_to(&out, "al\"ice", "1:5");
    assert_written(&out, "{\"t\":\"receipt\",\"kind\":\"read\",\"from\":\"al\\\"ice\","
                         "\"cursor\":\"1:5\"}");
    meridian_frame_send(&out, "m1", "bob", 0, TEXT("[ 1 ]"));
    assert_written(&out, "{\"t\":\"send\",\"id\":\"m1\",\"to\":\"bob\",\"body\":[ 1 ]}");
    meridian_frame_ack(&out, "1:5");
    assert_written(&out, "{\"t\":\"ack\",\"cursor\":\"1:5\"}");
}

static void knows_the_form_of_a_cursor(void **state)
{
    (void)state;
    assert_true(meridian_is_cursor("1:0"));
    assert_true(meridian_is_cursor("4294967295:18446744073709551615"));
    assert_false(meridian_is_cursor("4294967296:1"));
    assert_false(meridian_is_cursor(""));
    assert_false(meridian_is_cursor("1"));
    assert_false(meridian_is_cursor(":1"));
    assert_false(meridian_is_cursor("1:"));
    assert_false(meridian_is_cursor("1:2:3"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_welcome),
        cmocka_unit_test(reads_a_throttle),
        cmocka_unit_test(a_body_stays_as_it_was_written),
        cmocka_unit_test(reads_when_a_token_ends),
        cmocka_unit_test(reads_a_rejection),
        cmocka_unit_test(reads_a_receipt),
        cmocka_unit_test(reads_a_page_of_history),
        cmocka_unit_test(what_it_does_not_know_is_other),
        cmocka_unit_test(what_is_no_frame_is_refused),
        cmocka_unit_test(writes_what_a_client_says),
        cmocka_unit_test(knows_the_form_of_a_cursor),
    };
    return cmocka_run_group_tests(tests, NULL, free_strings);
}
