#include "edge/edge_refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect(const struct edge_refusal *refusal, const char *json)
{
    struct buffer out = {0};
    edge_refusal_write(&out, refusal);
    assert_false(out.failed);
    buffer_append(&out, "", 1);
    assert_string_equal((const char *)out.data, json);
    buffer_free(&out);
}

static void a_refusal_is_one_object(void **state)
{
    (void)state;
    struct edge_refusal refusal = edge_refusal(400, "bad_request", "say \"please\"");
    assert_int_equal(refusal.status, 400);
    expect(&refusal, "{\"code\":\"bad_request\",\"message\":\"say \\\"please\\\"\","
                     "\"retryable\":false}");
}

static void what_is_of_the_moment_may_be_tried_again(void **state)
{
    (void)state;
    static const struct {
        int status;
        bool retryable;
        uint32_t retry_after_ms;
    } rows[] = {{400, false, 0}, {401, false, 0},   {404, false, 0},
                {409, false, 0}, {413, false, 0},   {429, true, 1000},
                {500, false, 0}, {503, true, 1000}, {504, false, 0}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct edge_refusal refusal = edge_refusal(rows[i].status, "code", "message");
        assert_int_equal(refusal.retryable, rows[i].retryable);
        assert_int_equal(refusal.retry_after_ms, rows[i].retry_after_ms);
    }
}

static void a_refused_message_is_named(void **state)
{
    (void)state;
    struct edge_refusal refusal = edge_refusal_of_message(EDGE_STORAGE_FULL, TEXT("m1"));
    const struct edge_code_row *row = edge_code_row(EDGE_STORAGE_FULL);
    assert_int_equal(refusal.status, row->http_status);
    assert_int_equal(refusal.retry_after_ms, row->retry_after_ms);
    expect(&refusal, "{\"status\":\"rejected\",\"id\":\"m1\",\"code\":\"storage_full\","
                     "\"message\":\"the log or outbox has no room\",\"retryable\":true}");
}

static void an_unknown_outcome_asks_for_a_repeat(void **state)
{
    (void)state;
    struct edge_refusal refusal = edge_refusal_unknown(TEXT("m1"));
    assert_int_equal(refusal.status, 504);
    expect(&refusal,
           "{\"status\":\"unknown\",\"id\":\"m1\",\"code\":\"unknown\","
           "\"message\":\"not known in time: send it again with this id\",\"retryable\":true}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_is_one_object),
        cmocka_unit_test(what_is_of_the_moment_may_be_tried_again),
        cmocka_unit_test(a_refused_message_is_named),
        cmocka_unit_test(an_unknown_outcome_asks_for_a_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
