#include "c/url.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct meridian_url url;

static int parse(const char *text)
{
    return meridian_url_parse(text_of(text), &url);
}

static void reads_the_usual_forms(void **state)
{
    (void)state;
    assert_int_equal(parse("http://127.0.1.21:24080"), 0);
    assert_string_equal(url.host, "127.0.1.21");
    assert_int_equal(url.port, 24080);
    assert_string_equal(url.path, "/ws");
    assert_false(url.tls);
    assert_int_equal(parse("wss://edge.example/"), 0);
    assert_string_equal(url.host, "edge.example");
    assert_int_equal(url.port, 443);
    assert_string_equal(url.path, "/ws");
    assert_true(url.tls);
    assert_int_equal(parse("ws://[::1]:8080/behind/this/"), 0);
    assert_string_equal(url.host, "::1");
    assert_int_equal(url.port, 8080);
    assert_string_equal(url.path, "/behind/this/ws");
    assert_int_equal(parse("https://[::1]"), 0);
    assert_int_equal(url.port, 443);
}

static void refuses_the_rest(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "http://",
                                      "ftp://x",
                                      "edge:80",
                                      "http://:80",
                                      "http://x:0",
                                      "http://x:65536",
                                      "http://x:",
                                      "http://[::1",
                                      "http://[::1]80",
                                      "http://x/a?b",
                                      "http://x/a b",
                                      "http://x/a#b"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(parse(bad[i]), -EINVAL);
}

static void refuses_what_does_not_fit(void **state)
{
    (void)state;
    char long_url[sizeof "http://x/" + MERIDIAN_URL_PATH_MAX] = "http://x/";
    size_t start = strlen(long_url);
    memset(long_url + start, 'p', MERIDIAN_URL_PATH_MAX - strlen("/") - strlen("/ws"));
    assert_int_equal(parse(long_url), 0);
    long_url[strlen(long_url)] = 'p';
    assert_int_equal(parse(long_url), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_usual_forms),
        cmocka_unit_test(refuses_the_rest),
        cmocka_unit_test(refuses_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
