#include "region-hub/hub_stream.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct text answer =
    TEXT("{\"type\":\"io.nats.jetstream.api.v1.stream_info_response\",\"config\":{\"name\":\"X\","
         "\"max_bytes\":1000},\"created\":\"2026\",\"state\":{\"messages\":3,\"bytes\":250,"
         "\"first_seq\":1,\"last_seq\":3},\"cluster\":{}}");

static void reads_how_full_a_stream_is(void **state)
{
    (void)state;
    struct hub_stream_info info;
    assert_int_equal(hub_stream_info_read(answer, &info), 0);
    assert_int_equal(info.bytes, 250);
    assert_int_equal(info.max_bytes, 1000);
    assert_int_equal(info.first, 1);
    assert_int_equal(info.last, 3);
    assert_int_equal(hub_stream_permille(&info), 250);
    info.bytes = 5000;
    assert_int_equal(hub_stream_permille(&info), 1000);
    info.max_bytes = 0;
    assert_int_equal(hub_stream_permille(&info), 0);
}

static void a_stream_without_a_limit_is_never_full(void **state)
{
    (void)state;
    struct hub_stream_info info;
    const struct text unlimited = TEXT("{\"config\":{\"max_bytes\":-1},\"state\":{\"bytes\":9,"
                                       "\"first_seq\":0,\"last_seq\":0}}");
    assert_int_equal(hub_stream_info_read(unlimited, &info), 0);
    assert_int_equal(hub_stream_permille(&info), 0);
}

static void refuses_errors_and_what_is_no_answer(void **state)
{
    (void)state;
    struct hub_stream_info info;
    assert_int_equal(hub_stream_info_read(TEXT("{\"error\":{\"code\":404}}"), &info), -EBADMSG);
    assert_int_equal(hub_stream_info_read(TEXT(""), &info), -EBADMSG);
    for (size_t size = 0; size < answer.size; size++)
        assert_int_equal(hub_stream_info_read((struct text){answer.data, size}, &info), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_how_full_a_stream_is),
        cmocka_unit_test(a_stream_without_a_limit_is_never_full),
        cmocka_unit_test(refuses_errors_and_what_is_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
