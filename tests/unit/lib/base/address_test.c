#include "base/address.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static struct address address(const char *text)
{
    struct address read;
    assert_int_equal(address_parse(text_of(text), &read), 0);
    return read;
}

static void reads_and_writes_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *written;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"2001:DB8:0:0::1", "2001:db8::1"},
        {"::", "::"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[ADDRESS_TEXT_SIZE];
        struct address read = address(rows[i].text);
        address_text(&read, text);
        assert_string_equal(text, rows[i].written);
    }
}

static void refuses_what_is_no_address(void **state)
{
    (void)state;
    static const char *const rows[] = {"",         "1.2.3", "1.2.3.4.5", "256.1.1.1",  "::g",
                                       "1.2.3.4 ", "host",  "[::1]",     "1.2.3.4/24", "01.2.3.4"};
    struct address read;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(address_parse(text_of(rows[i]), &read), -EINVAL);
    assert_int_equal(address_parse((struct text){"1.2.3.4\0x", 9}, &read), -EINVAL);
}

static void reads_networks(void **state)
{
    (void)state;
    static const struct {
        const char *network;
        const char *inside;
        const char *outside;
    } rows[] = {
        {"192.0.2.0/24", "192.0.2.255", "192.0.3.0"},
        {"192.0.2.7", "192.0.2.7", "192.0.2.6"},
        {"10.0.0.0/8", "10.255.255.255", "11.0.0.0"},
        {"10.128.0.0/9", "10.128.0.0", "10.127.255.255"},
        {"0.0.0.0/0", "255.255.255.255", "2001:db8::"},
        {"2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"},
        {"2001:db8::1", "2001:db8::1", "2001:db8::2"},
        {"fe80::/10", "febf::1", "fec0::"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct network network;
        assert_int_equal(network_parse(text_of(rows[i].network), &network), 0);
        struct address inside = address(rows[i].inside);
        struct address outside = address(rows[i].outside);
        assert_true(network_has(&network, &inside));
        assert_false(network_has(&network, &outside));
    }
}

static void refuses_what_is_no_network(void **state)
{
    (void)state;
    static const char *const rows[] = {"",          "/8",           "10.0.0.0/33", "10.0.0.1/8",
                                       "10.0.0.0/", "10.0.0.0/-1",  "::/129",      "2001:db8::1/32",
                                       "10.0.0/8",  "10.0.0.0/8/8", "10.0.0.0/8 "};
    struct network network;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(network_parse(text_of(rows[i]), &network), -EINVAL);
}

static void knows_private_addresses(void **state)
{
    (void)state;
    static const char *const private[] = {"10.1.2.3", "127.0.0.1", "100.64.0.1", "192.168.255.255",
                                          "::1",      "fd00::1",   "fe80::1",    "169.254.1.1"};
    static const char *const public[] = {"8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:4860::8888",
                                         "11.0.0.1"};
    for (size_t i = 0; i < COUNT_OF(private); i++) {
        struct address read = address(private[i]);
        assert_true(address_is_private(&read));
    }
    for (size_t i = 0; i < COUNT_OF(public); i++) {
        struct address read = address(public[i]);
        assert_false(address_is_private(&read));
    }
}

static void tells_the_neighbourhood(void **state)
{
    (void)state;
    char text[NETWORK_TEXT_SIZE];
    struct address v4 = address("203.0.113.77");
    struct network around = network_around(&v4);
    network_text(&around, text);
    assert_string_equal(text, "203.0.113.0/24");
    struct address v6 = address("2001:db8:1:2:3::4");
    around = network_around(&v6);
    network_text(&around, text);
    assert_string_equal(text, "2001:db8:1::/48");
}

static void takes_addresses_of_sockets(void **state)
{
    (void)state;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr = {htonl(0xc0000201)}};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr other = {.sa_family = AF_UNIX};
    struct address expected = address("192.0.2.1");
    struct address taken;
    assert_int_equal(address_of_socket((const struct sockaddr *)&v4, &taken), 0);
    assert_memory_equal(&taken, &expected, sizeof taken);
    expected = address("::1");
    assert_int_equal(address_of_socket((const struct sockaddr *)&v6, &taken), 0);
    assert_memory_equal(&taken, &expected, sizeof taken);
    assert_int_equal(address_of_socket(&other, &taken), -EINVAL);
}

static void knows_this_machine(void **state)
{
    (void)state;
    static const char *const here[] = {"127.0.0.1", "127.255.255.255", "::1"};
    static const char *const elsewhere[] = {"126.255.255.255", "128.0.0.0", "::", "::2",
                                            "7f00::1",         "10.0.0.1"};
    for (size_t i = 0; i < COUNT_OF(here); i++) {
        struct address read = address(here[i]);
        assert_true(address_is_loopback(&read));
    }
    for (size_t i = 0; i < COUNT_OF(elsewhere); i++) {
        struct address read = address(elsewhere[i]);
        assert_false(address_is_loopback(&read));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes_addresses),
        cmocka_unit_test(refuses_what_is_no_address),
        cmocka_unit_test(reads_networks),
        cmocka_unit_test(refuses_what_is_no_network),
        cmocka_unit_test(knows_private_addresses),
        cmocka_unit_test(knows_this_machine),
        cmocka_unit_test(tells_the_neighbourhood),
        cmocka_unit_test(takes_addresses_of_sockets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
