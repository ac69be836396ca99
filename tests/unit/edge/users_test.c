/* The body that ends connections; that it does, integration tests show. */
#include "edge/edge_users.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void a_body_says_whom_to_end(void **state)
{
    (void)state;
    static const struct {
        const char *body, *device, *reason;
        bool reconnect;
    } rows[] = {
        {"", "", "", false},
        {"{}", "", "", false},
        {" { } ", "", "", false},
        {"{\"device\":\"phone\"}", "phone", "", false},
        {"{\"reconnect\":true}", "", "", true},
        {"{\"reconnect\":false,\"reason\":\"it was stolen\"}", "", "it was stolen", false},
        {"{\"reason\":\"\\u00fc\",\"other\":1}", "", "\xc3\xbc", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct edge_users_disconnect read;
        assert_null(edge_users_read(text_of(rows[i].body), &read));
        assert_true(text_equal(read.device, text_of(rows[i].device)));
        assert_true(text_equal(read.reason, text_of(rows[i].reason)));
        assert_int_equal(read.reconnect, rows[i].reconnect);
    }
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *body, *wrong;
    } rows[] = {
        {"x", "not a JSON object"},
        {"[]", "not a JSON object"},
        {"{\"device\":\"a\",\"device\":\"b\"}", "not a JSON object"},
        {"{\"device\":\"\"}", "device is"},
        {"{\"device\":\"a b\"}", "device is"},
        {"{\"device\":null}", "device is"},
        {"{\"reason\":\"\"}", "reason is"},
        {"{\"reason\":\"a\\nb\"}", "reason is"},
        {"{\"reason\":7}", "reason is"},
        {"{\"reconnect\":\"true\"}", "reconnect is"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct edge_users_disconnect read;
        const char *wrong = edge_users_read(text_of(rows[i].body), &read);
        assert_non_null(wrong);
        assert_non_null(strstr(wrong, rows[i].wrong));
    }
}

static void texts_have_their_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        int size;
        bool good;
    } rows[] = {{"device", TEXT_DEVICE_MAX, true},
                {"device", TEXT_DEVICE_MAX + 1, false},
                {"reason", TEXT_USER_MAX, true},
                {"reason", TEXT_USER_MAX + 1, false}};
    char letters[256];
    memset(letters, 'x', sizeof letters);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct edge_users_disconnect read;
        char body[512];
        snprintf(body, sizeof body, "{\"%s\":\"%.*s\"}", rows[i].key, rows[i].size, letters);
        assert_int_equal(edge_users_read(text_of(body), &read) == NULL, rows[i].good);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_says_whom_to_end),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(texts_have_their_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
