#include "geo/country.h"
#include "geo/database.h"

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

#define FOLDER MERIDIAN_SOURCE_DIR "/tests/support/mmdb/"

static struct address address(const char *text)
{
    struct address read;
    assert_int_equal(address_parse(text_of(text), &read), 0);
    return read;
}

static struct geo_database *open_file(const char *name)
{
    char path[512];
    struct error_text why = {0};
    snprintf(path, sizeof path, FOLDER "%s.mmdb", name);
    struct geo_database *database = geo_database_open(path, &why);
    if (database == NULL)
        fail_msg("%s", why.text);
    return database;
}

static int find(const struct geo_database *database, const char *where, struct geo_place *place)
{
    struct address at = address(where);
    *place = (struct geo_place){.prefix = 0};
    return geo_database_find(database, &at, place);
}

static void finds_places(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *address;
        const char *country;
        const char *continent;
        bool has_coordinates;
        unsigned prefix;
    } rows[] = {
        {"GeoIP2-City-Test", "81.2.69.142", "GB", "EU", true, 96 + 31},
        {"GeoIP2-City-Test", "175.16.199.1", "CN", "AS", true, 96 + 24},
        {"GeoIP2-City-Test", "2001:218::1", "JP", "AS", true, 32},
        {"GeoLite2-City-Test", "2001:250::1", "CN", "AS", true, 24},
        {"GeoIP2-Country-Test", "81.2.69.142", "GB", "EU", false, 96 + 28},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct geo_database *database = open_file(rows[i].file);
        struct geo_place place;
        assert_int_equal(find(database, rows[i].address, &place), 0);
        assert_string_equal(place.country, rows[i].country);
        assert_string_equal(place.continent, rows[i].continent);
        assert_int_equal(place.has_coordinates, rows[i].has_coordinates);
        assert_true(place.prefix >= rows[i].prefix);
        geo_database_close(database);
    }
}

static void says_what_it_does_not_know(void **state)
{
    (void)state;
    struct geo_place place;
    struct geo_database *city = open_file("GeoIP2-City-Test");
    assert_int_equal(find(city, "10.1.2.3", &place), -ENOENT);
    assert_int_equal(find(city, "198.51.100.1", &place), -ENOENT);
    geo_database_close(city);
    struct geo_database *v4 = open_file("MaxMind-DB-test-ipv4-24");
    assert_int_equal(find(v4, "2001:db8::1", &place), -EAFNOSUPPORT);
    assert_int_equal(find(v4, "1.1.1.1", &place), -ENOENT);
    geo_database_close(v4);
    struct geo_database *systems = open_file("GeoLite2-ASN-Test");
    assert_int_equal(find(systems, "1.128.0.1", &place), -ENOENT);
    geo_database_close(systems);
}

static void damaged_files_do_not_open(void **state)
{
    (void)state;
    static const char *const names[] = {"GeoIP2-City-Test-Invalid-Node-Count",
                                        "libmaxminddb-metadata-marker-only", "not-there"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char path[512];
        struct error_text why = {0};
        snprintf(path, sizeof path, FOLDER "%s.mmdb", names[i]);
        assert_null(geo_database_open(path, &why));
        assert_non_null(strstr(why.text, names[i]));
    }
}

/* Damage that opens shows at some address, as an error and never as a place. */
static void damaged_entries_are_errors(void **state)
{
    (void)state;
    static const char *const names[] = {
        "GeoIP2-City-Test-Broken-Double-Format", "MaxMind-DB-test-broken-pointers-24",
        "MaxMind-DB-test-broken-search-tree-24", "libmaxminddb-corrupt-search-tree",
        "libmaxminddb-deep-nesting"};
    struct geo_place place;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct geo_database *database = open_file(names[i]);
        for (unsigned high = 0; high < 256; high++) {
            char text[ADDRESS_TEXT_SIZE];
            snprintf(text, sizeof text, "%u.1.1.%u", high, high);
            int err = find(database, text, &place);
            assert_true(err == 0 || err == -ENOENT || err == -EILSEQ);
        }
        geo_database_close(database);
    }
    struct geo_database *database = open_file(names[0]);
    assert_int_equal(find(database, "81.2.69.142", &place), -EILSEQ);
    geo_database_close(database);
}

static void copy(const char *from, const char *to)
{
    char command[1200];
    snprintf(command, sizeof command, "cp '" FOLDER "%s.mmdb' '%s.new' && mv '%s.new' '%s'", from,
             to, to, to);
    assert_int_equal(system(command), 0);
}

static void takes_up_another_file(void **state)
{
    (void)state;
    char folder[] = "/tmp/geo-XXXXXX";
    char path[64];
    struct error_text why = {0};
    struct geo_place place;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/places.mmdb", folder);
    copy("GeoIP2-Country-Test", path);
    struct geo_database *database = geo_database_open(path, &why);
    assert_non_null(database);
    assert_int_equal(geo_database_reload(database, &why), 0);
    copy("GeoIP2-City-Test", path);
    assert_int_equal(find(database, "81.2.69.142", &place), 0); /* still the old one */
    assert_false(place.has_coordinates);
    assert_int_equal(geo_database_reload(database, &why), 1);
    assert_int_equal(find(database, "81.2.69.142", &place), 0);
    assert_true(place.has_coordinates);
    copy("libmaxminddb-metadata-marker-only", path);
    assert_int_equal(geo_database_reload(database, &why), -EILSEQ);
    assert_int_equal(geo_database_reload(database, &why), 0);   /* it was refused: once is enough */
    assert_int_equal(find(database, "81.2.69.142", &place), 0); /* the good one stays */
    assert_int_equal(unlink(path), 0);
    assert_true(geo_database_reload(database, &why) < 0);
    geo_database_close(database);
    assert_int_equal(rmdir(folder), 0);
}

/* Mapped as it is, such a file would end the process at the next look-up. */
static void outlives_a_file_that_is_cut_off(void **state)
{
    (void)state;
    char path[] = "/tmp/geo-XXXXXX";
    struct error_text why = {0};
    struct geo_place place;
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    copy("GeoIP2-City-Test", path);
    struct geo_database *database = geo_database_open(path, &why);
    assert_non_null(database);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(find(database, "81.2.69.142", &place), 0);
    assert_int_equal(find(database, "2001:218::1", &place), 0);
    assert_int_equal(geo_database_reload(database, &why), -EILSEQ);
    assert_int_equal(find(database, "81.2.69.142", &place), 0);
    copy("GeoIP2-City-Test", path);
    assert_int_equal(geo_database_reload(database, &why), 1);
    geo_database_close(database);
    assert_int_equal(unlink(path), 0);
    close(descriptor);
}

static void refuses_what_is_no_file(void **state)
{
    (void)state;
    struct error_text why = {0};
    assert_null(geo_database_open("/tmp", &why));
    assert_non_null(strstr(why.text, "Invalid argument"));
    assert_null(geo_database_open("/dev/null", &why));
}

static void bounds_the_size(void **state)
{
    (void)state;
    char path[] = "/tmp/geo-XXXXXX";
    struct error_text why = {0};
    int descriptor = mkstemp(path);
    assert_int_equal(ftruncate(descriptor, ((off_t)GEO_DATABASE_MIB_MAX << 20) + 1), 0);
    assert_null(geo_database_open(path, &why)); /* not a byte of it is read */
    assert_non_null(strstr(why.text, "too large"));
    assert_int_equal(unlink(path), 0);
    close(descriptor);
}

static void knows_continents(void **state)
{
    (void)state;
    assert_string_equal(geo_country_continent("SG"), "AS");
    assert_string_equal(geo_country_continent("IE"), "EU");
    assert_string_equal(geo_country_continent("US"), "NA");
    assert_string_equal(geo_country_continent("ZW"), "AF");
    assert_string_equal(geo_country_continent("XX"), "");
    assert_string_equal(geo_country_continent(""), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_places),
        cmocka_unit_test(says_what_it_does_not_know),
        cmocka_unit_test(damaged_files_do_not_open),
        cmocka_unit_test(damaged_entries_are_errors),
        cmocka_unit_test(takes_up_another_file),
        cmocka_unit_test(outlives_a_file_that_is_cut_off),
        cmocka_unit_test(refuses_what_is_no_file),
        cmocka_unit_test(bounds_the_size),
        cmocka_unit_test(knows_continents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
