#include "wan/sites.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { HEADER = 20 };

static struct wan_sites sites;

static int set_up(void **state)
{
    (void)state;
    sites = (struct wan_sites){0};
    assert_int_equal(wan_sites_add(&sites, TEXT("sin=10.77.1.0/24@/run/netns/a"), NULL), 0);
    assert_int_equal(wan_sites_add(&sites, TEXT("iad=10.77.2.0/24@/run/netns/b"), NULL), 0);
    return 0;
}

static void reads_a_site(void **state)
{
    (void)state;
    assert_string_equal(sites.site[1].name, "iad");
    assert_string_equal(sites.site[1].namespace_path, "/run/netns/b");
    assert_int_equal(wan_sites_find(&sites, TEXT("iad")), 1);
    assert_int_equal(wan_sites_find(&sites, TEXT("dub")), -ENOENT);
    assert_int_equal(wan_sites_all(&sites), 3);
}

static void refuses_what_is_no_site(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "dub",
        "dub=10.77.3.0/24",
        "dub=10.77.3.0/24@",
        "=10.77.3.0/24@/run/netns/c",
        "Dub=10.77.3.0/24@/run/netns/c",
        "dub-of-seventeen-=10.77.3.0/24@/run/netns/c",
        "dub=10.77.3.1/24@/run/netns/c",
        "dub=10.77.3.0/33@/run/netns/c",
        "dub=2001:db8::/32@/run/netns/c",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(wan_sites_add(&sites, text_of(bad[i]), NULL), -EINVAL);
    assert_int_equal(sites.count, 2);
}

static void refuses_a_name_or_a_network_twice(void **state)
{
    (void)state;
    struct error_text why;
    assert_int_equal(wan_sites_add(&sites, TEXT("sin=10.77.3.0/24@/run/netns/c"), &why), -EEXIST);
    assert_string_equal(why.text, "site sin is there twice");
    assert_int_equal(wan_sites_add(&sites, TEXT("dub=10.77.0.0/16@/run/netns/c"), &why), -EEXIST);
    assert_string_equal(why.text, "the networks of sin and dub overlap");
    assert_int_equal(wan_sites_add(&sites, TEXT("dub=10.77.2.9@/run/netns/c"), &why), -EEXIST);
}

static void takes_a_path_that_just_fits(void **state)
{
    (void)state;
    char spec[512];
    int size = snprintf(spec, sizeof spec, "dub=10.77.3.0/24@%0*d", WAN_PATH_MAX + 1, 0);
    assert_int_equal(wan_sites_add(&sites, text_of(spec), NULL), -EINVAL);
    spec[size - 1] = '\0';
    assert_int_equal(wan_sites_add(&sites, text_of(spec), NULL), 0);
}

static void takes_as_many_as_fit_in_a_set(void **state)
{
    (void)state;
    char spec[64];
    for (int i = 3; i <= WAN_SITES_MAX + 1; i++) {
        snprintf(spec, sizeof spec, "s%d=10.77.%d.0/24@/run/netns/c", i, i);
        assert_int_equal(wan_sites_add(&sites, text_of(spec), NULL),
                         i <= WAN_SITES_MAX ? 0 : -ENOSPC);
    }
    assert_int_equal(wan_sites_all(&sites), UINT32_MAX);
    assert_int_equal(wan_sites_find(&sites, TEXT("s32")), 31);
}

static int route(const char *to, size_t size, uint8_t first)
{
    uint8_t packet[HEADER] = {[0] = first};
    struct address address;
    assert_int_equal(address_parse(text_of(to), &address), 0);
    memcpy(packet + 16, address.bytes + 12, 4);
    return wan_sites_route(&sites, packet, size);
}

static void finds_the_site_of_a_packet(void **state)
{
    (void)state;
    assert_int_equal(route("10.77.1.0", HEADER, 0x45), 0);
    assert_int_equal(route("10.77.1.255", HEADER, 0x45), 0);
    assert_int_equal(route("10.77.2.1", HEADER, 0x45), 1);
    assert_int_equal(route("10.77.3.1", HEADER, 0x45), -ENOENT);
    assert_int_equal(route("10.77.1.1", HEADER - 1, 0x45), -EBADMSG);
    assert_int_equal(route("10.77.1.1", 0, 0x45), -EBADMSG);
    assert_int_equal(route("10.77.1.1", HEADER, 0x65), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, set_up)
        TEST(reads_a_site),
        TEST(refuses_what_is_no_site),
        TEST(refuses_a_name_or_a_network_twice),
        TEST(takes_a_path_that_just_fits),
        TEST(takes_as_many_as_fit_in_a_set),
        TEST(finds_the_site_of_a_packet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
