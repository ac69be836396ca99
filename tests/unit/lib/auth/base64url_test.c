#include "auth/base64url.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void reads_and_writes_what_the_rfc_shows(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *text;
    } rows[] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "-_8"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint8_t room[8];
        size_t size = 99;
        struct buffer out = {0};
        assert_int_equal(auth_base64url_read(text_of(rows[i].text), room, sizeof room, &size), 0);
        assert_int_equal(size, strlen(rows[i].bytes));
        assert_memory_equal(room, rows[i].bytes, size);
        auth_base64url_write(&out, rows[i].bytes, size);
        assert_true(text_equal(buffer_text(&out), text_of(rows[i].text)));
        buffer_free(&out);
    }
}

static void refuses_every_other_way_to_write_it(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "Zg==",  "Zm8=",   "Z",     "Zm9vY", "Zh",   "Zm9", "Zm-/",     "Zm+v",
        " Zm9v", "Zm9v\n", "Zm 9v", "Zm9v.", "====", "=",   "\xc3\xa9", "Zm9v*",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint8_t room[8];
        size_t size = 99;
        if (auth_base64url_read(text_of(rows[i]), room, sizeof room, &size) != -EBADMSG)
            fail_msg("'%s' was taken", rows[i]);
        assert_int_equal(size, 99);
    }
}

static void keeps_within_the_room(void **state)
{
    (void)state;
    uint8_t room[4] = {0, 0, 0, 7};
    size_t size;
    assert_int_equal(auth_base64url_read(TEXT("Zm9v"), room, 3, &size), 0);
    assert_int_equal(auth_base64url_read(TEXT("Zm9vYg"), room, 3, &size), -ENOSPC);
    assert_int_equal(room[3], 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes_what_the_rfc_shows),
        cmocka_unit_test(refuses_every_other_way_to_write_it),
        cmocka_unit_test(keeps_within_the_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
