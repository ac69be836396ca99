#include "settings/address.h"
#include "settings/settings.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void splits_host_and_port(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *host;
        uint16_t port;
    } rows[] = {
        {"127.0.0.1:8080", "127.0.0.1", 8080},
        {"nats-1.example:4222", "nats-1.example", 4222},
        {"[::1]:1", "::1", 1},
        {"[2001:db8::a]:65535", "2001:db8::a", 65535},
        {"0.0.0.0:443", "0.0.0.0", 443},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct settings_address address;
        assert_int_equal(settings_address_parse(text_of(rows[i].text), &address), 0);
        assert_string_equal(address.host, rows[i].host);
        assert_int_equal(address.port, rows[i].port);
    }
}

static void refuses_what_is_no_address(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",      "a",     ":1",        "a:",         "a:0",     "a:65536",    "a:000001",
        "a:+1",  "a: 1",  "a:1 ",      "a b:1",      "::1:1",   "[::1]",      "[::1]1",
        "[]:1",  "[a]:1", "[1.2.3]:1", "[::1:1",     "::1]:1",  "-a:1",       ".a:1",
        "a/b:1", "a@b:1", "a:1:2",     "[::1%lo]:1", "[::g]:1", "\xC3\xA9:1",
    };
    struct settings_address address = {.port = 7};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(settings_address_parse(text_of(rows[i]), &address), -EINVAL);
    assert_int_equal(settings_address_parse((struct text){NULL, 0}, &address), -EINVAL);
    assert_int_equal(settings_address_parse((struct text){"a\0b:1", 5}, &address), -EINVAL);
    assert_int_equal(address.port, 7);
}

static void a_host_has_a_longest_name(void **state)
{
    (void)state;
    char text[SETTINGS_HOST_MAX + 4];
    struct settings_address address;
    memset(text, 'a', sizeof text);
    text[SETTINGS_HOST_MAX] = ':';
    text[SETTINGS_HOST_MAX + 1] = '1';
    assert_int_equal(settings_address_parse((struct text){text, SETTINGS_HOST_MAX + 2}, &address),
                     0);
    assert_int_equal(strlen(address.host), SETTINGS_HOST_MAX);
    text[SETTINGS_HOST_MAX] = 'a';
    text[SETTINGS_HOST_MAX + 1] = ':';
    text[SETTINGS_HOST_MAX + 2] = '1';
    assert_int_equal(settings_address_parse((struct text){text, SETTINGS_HOST_MAX + 3}, &address),
                     -EINVAL);
}

static void knows_urls(void **state)
{
    (void)state;
    assert_true(settings_is_url(TEXT("http://127.0.0.1:8080")));
    assert_true(settings_is_url(TEXT("https://edge.example")));
    assert_true(settings_is_url(TEXT("https://edge.example/")));
    assert_true(settings_is_url(TEXT("https://[::1]:8443/a/b?c=d")));
    assert_false(settings_is_url(TEXT("")));
    assert_false(settings_is_url(TEXT("http://")));
    assert_false(settings_is_url(TEXT("http:///a")));
    assert_false(settings_is_url(TEXT("ftp://a")));
    assert_false(settings_is_url(TEXT("edge.example")));
    assert_false(settings_is_url(TEXT("http://user@host")));
    assert_false(settings_is_url(TEXT("http://a:0")));
    assert_false(settings_is_url(TEXT("http://a/b c")));
    assert_false(settings_is_url(TEXT("http://a/\"")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_host_and_port),
        cmocka_unit_test(refuses_what_is_no_address),
        cmocka_unit_test(a_host_has_a_longest_name),
        cmocka_unit_test(knows_urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
