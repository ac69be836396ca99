#include "base/buffer.h"
#include "geo/geo_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool check(const char *name, const char *where, const char *country, const char *finding)
{
    struct buffer out = {0};
    struct geo_known known = {.country = ""};
    char path[512];
    struct error_text why = {0};
    memcpy(known.country, country, 2);
    snprintf(path, sizeof path, MERIDIAN_SOURCE_DIR "/tests/support/mmdb/%s.mmdb", name);
    assert_int_equal(address_parse(text_of(where), &known.address), 0);
    struct geo_database *database = geo_database_open(path, &why);
    assert_non_null(database);
    int64_t built_s = geo_database_facts(database).built_s;
    bool good = geo_check_database(database, built_s + 46 * 86400, &known, 1, &out);
    buffer_append(&out, "", 1);
    if (strstr((const char *)out.data, finding) == NULL)
        fail_msg("%s", (const char *)out.data);
    buffer_free(&out);
    geo_database_close(database);
    return good;
}

static void checks_fitness(void **state)
{
    (void)state;
    assert_true(check("GeoIP2-City-Test", "81.2.69.142", "GB", "ok it has coordinates"));
    assert_true(check("GeoIP2-City-Test", "81.2.69.142", "GB", "warning built 46 days ago"));
    assert_false(check("GeoIP2-City-Test", "81.2.69.142", "FR", "in 'GB', should be in FR"));
    assert_false(check("GeoIP2-City-Test", "10.0.0.1", "FR", "not found"));
    assert_false(check("GeoIP2-Country-Test", "81.2.69.142", "GB", "error no coordinates"));
    assert_false(check("GeoLite2-ASN-Test", "1.128.0.1", "AU", "not found"));
    assert_false(check("GeoIP2-City-Test-Broken-Double-Format", "81.2.69.142", "GB", "damaged"));
    assert_false(check("MaxMind-DB-test-ipv4-24", "1.1.1.1", "AU", "warning IPv4 only"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks_fitness),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
