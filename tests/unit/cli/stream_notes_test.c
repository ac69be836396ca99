#include "cli/stream_notes.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct cli_notes notes = {.incarnation = {0x01, 0xAB, [15] = 0xFF},
                                       .region = "sin",
                                       .shards = 2,
                                       .dedupe_key = {9},
                                       .has_dedupe_key = true,
                                       .config = "level=1 retention_s=604800"};

static void write_config(const struct cli_notes *from, struct buffer *out)
{
    buffer_append_text(out, TEXT("{\"metadata\":"));
    cli_notes_write(from, out);
    buffer_append_text(out, TEXT("}"));
}

static void reads_what_it_wrote(void **state)
{
    (void)state;
    struct buffer config = {0};
    struct cli_notes read = {0};
    write_config(&notes, &config);
    assert_int_equal(cli_notes_read(buffer_text(&config), &read), 0);
    assert_memory_equal(read.incarnation, notes.incarnation, 16);
    assert_memory_equal(read.dedupe_key, notes.dedupe_key, 16);
    assert_true(read.has_dedupe_key);
    assert_string_equal(read.region, "sin");
    assert_int_equal(read.shards, 2);
    assert_string_equal(read.config, notes.config);
    buffer_free(&config);
}

static void a_key_may_be_absent(void **state)
{
    (void)state;
    struct buffer config = {0};
    struct cli_notes read = {0}, without = notes;
    without.has_dedupe_key = false;
    write_config(&without, &config);
    assert_int_equal(cli_notes_read(buffer_text(&config), &read), 0);
    assert_false(read.has_dedupe_key);
    buffer_free(&config);
}

static void tells_none_from_bad(void **state)
{
    (void)state;
    struct cli_notes read = {.shards = 77};
    assert_int_equal(cli_notes_read(TEXT("{}"), &read), -ENOENT);
    assert_int_equal(cli_notes_read(TEXT("{\"metadata\":{\"other\":\"x\"}}"), &read), -ENOENT);
    assert_int_equal(
        cli_notes_read(TEXT("{\"metadata\":{\"meridian.incarnation\":\"01ab\"}}"), &read),
        -EBADMSG);
    assert_int_equal(cli_notes_read(TEXT("{\"metadata\":{\"meridian.incarnation\":7}}"), &read),
                     -EBADMSG);
    assert_int_equal(cli_notes_read(TEXT("nonsense"), &read), -EBADMSG);
    assert_int_equal(read.shards, 77);
}

static void describes_a_config_so_that_its_retention_can_be_read(void **state)
{
    (void)state;
    char text[CLI_CONFIG_TEXT_MAX];
    uint32_t retention_s = 0;
    const struct wire_config config = {.level = UINT8_MAX,
                                       .dedupe_window_s = UINT32_MAX,
                                       .retention_s = UINT32_MAX,
                                       .mailbox_max_messages = UINT32_MAX,
                                       .mailbox_max_bytes = UINT64_MAX,
                                       .devices_max = UINT16_MAX};
    cli_config_describe(&config, text); /* the longest there is fits */
    assert_non_null(strstr(text, "devices_max=65535"));
    assert_int_equal(cli_config_retention(text, &retention_s), 0);
    assert_int_equal(retention_s, UINT32_MAX);
    uint8_t level = 0;
    assert_int_equal(cli_config_level(text, &level), 0);
    assert_int_equal(level, UINT8_MAX);
    assert_int_equal(cli_config_level("level=256", &level), -EBADMSG);
    assert_int_equal(cli_config_level("", &level), -EBADMSG);
    assert_int_equal(cli_config_retention("", &retention_s), -EBADMSG);
    assert_int_equal(cli_config_retention("retention_s=x", &retention_s), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_it_wrote),
        cmocka_unit_test(a_key_may_be_absent),
        cmocka_unit_test(tells_none_from_bad),
        cmocka_unit_test(describes_a_config_so_that_its_retention_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
