#include "cli/buckets.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void what_is_noted_is_read(void **state)
{
    (void)state;
    struct buffer config = {0};
    unsigned buckets = 0;
    buffer_append_text(&config, TEXT("{\"subjects\":[\"$KV.DIRECTORY_0.>\"],\"metadata\":"));
    cli_buckets_note(64, &config);
    buffer_append_text(&config, TEXT("}"));
    assert_int_equal(cli_buckets_read(buffer_text(&config), &buckets), 0);
    assert_int_equal(buckets, 64);
    buffer_free(&config);
}

static void a_bucket_without_a_note_is_the_only_one(void **state)
{
    (void)state;
    unsigned buckets = 0;
    assert_int_equal(cli_buckets_read(TEXT("{\"name\":\"KV_DIRECTORY\"}"), &buckets), 0);
    assert_int_equal(buckets, 1);
    assert_int_equal(cli_buckets_read(TEXT("{\"metadata\":{\"_nats.level\":\"1\"}}"), &buckets), 0);
    assert_int_equal(buckets, 1);
}

static void a_mirror_is_no_bucket(void **state)
{
    (void)state;
    unsigned buckets = 9;
    assert_int_equal(cli_buckets_read(TEXT("{\"mirror\":{\"name\":\"KV_DIRECTORY\"}}"), &buckets),
                     -ENOENT);
    assert_int_equal(buckets, 9);
}

static void a_note_that_is_no_number_of_buckets_is_refused(void **state)
{
    (void)state;
    static const char *const configs[] = {
        "",
        "{\"metadata\":{\"meridian.buckets\":\"0\"}}",
        "{\"metadata\":{\"meridian.buckets\":\"65\"}}",
        "{\"metadata\":{\"meridian.buckets\":\"many\"}}",
        "{\"metadata\":{\"meridian.buckets\":4}}",
    };
    for (size_t i = 0; i < COUNT_OF(configs); i++) {
        unsigned buckets = 9;
        assert_int_equal(cli_buckets_read(text_of(configs[i]), &buckets), -EBADMSG);
        assert_int_equal(buckets, 9);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_noted_is_read),
        cmocka_unit_test(a_bucket_without_a_note_is_the_only_one),
        cmocka_unit_test(a_mirror_is_no_bucket),
        cmocka_unit_test(a_note_that_is_no_number_of_buckets_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
