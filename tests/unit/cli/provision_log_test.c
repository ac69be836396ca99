#include "cli/provision_log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct error_text why;

static struct wire_genesis good(void)
{
    return (struct wire_genesis){.region = TEXT("sin"),
                                 .destination = TEXT(""),
                                 .shard = 1,
                                 .shards = 2,
                                 .incarnation = {7},
                                 .hash_name = TEXT(HASH_SHARD_NAME),
                                 .hash_version = HASH_SHARD_VERSION};
}

static int check(struct wire_genesis genesis)
{
    struct wire_genesis wanted = good();
    why.text[0] = '\0';
    return cli_genesis_check(&genesis, &wanted, "LOG_sin_1", &why);
}

static void takes_its_own_beginning(void **state)
{
    (void)state;
    assert_int_equal(check(good()), 0);
}

static void refuses_another_number_of_shards_or_region(void **state)
{
    (void)state;
    struct wire_genesis other = good();
    other.shards = 4;
    assert_int_equal(check(other), -EINVAL);
    assert_string_equal(why.text, "LOG_sin_1 was begun for 4 shards, the catalogue says 2; the "
                                  "number of shards of a region never changes");
    other = good();
    other.region = TEXT("dub");
    assert_int_equal(check(other), -EINVAL);
    assert_string_equal(why.text, "LOG_sin_1 was begun by region 'dub', not 'sin'");
}

static void refuses_everything_else_that_differs(void **state)
{
    (void)state;
    struct wire_genesis other = good();
    other.shard = 0;
    assert_int_equal(check(other), -EINVAL);
    other = good();
    other.stream = 1;
    assert_int_equal(check(other), -EINVAL);
    other = good();
    other.destination = TEXT("iad");
    assert_int_equal(check(other), -EINVAL);
    other = good();
    other.incarnation[15] = 1;
    assert_int_equal(check(other), -EINVAL);
    other = good();
    other.hash_version++;
    assert_int_equal(check(other), -EINVAL);
}

static void only_shard_0_keeps_the_dedupe_key(void **state)
{
    (void)state;
    const struct catalogue_region region = {.name = "sin", .shards = 2};
    struct cli_stream stream = {.kind = CLI_STREAM_LOG, .region = &region};
    struct cli_found first = {0}, second = {0};
    static const uint8_t zeros[16];
    cli_found_begin(&first, &stream);
    stream.shard = 1;
    cli_found_begin(&second, &stream);
    assert_true(first.notes.has_dedupe_key);
    assert_false(second.notes.has_dedupe_key);
    assert_memory_not_equal(first.notes.dedupe_key, zeros, 16);
    assert_memory_not_equal(first.notes.incarnation, second.notes.incarnation, 16);
    assert_int_equal(first.notes.shards, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_its_own_beginning),
        cmocka_unit_test(refuses_another_number_of_shards_or_region),
        cmocka_unit_test(refuses_everything_else_that_differs),
        cmocka_unit_test(only_shard_0_keeps_the_dedupe_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
