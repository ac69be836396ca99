/* Whose request it is: which entries are believed, and where belief ends. */
#include "edge/edge_forwarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TRUSTED "10.0.0.0/8, fd00::/8"

struct row {
    const char *peer;
    const char *first; /* NULL: there is no header */
    const char *second;
    const char *client;
};

static void check(enum edge_forwarded_header header, const struct row *row)
{
    struct networks trusted;
    struct address peer;
    char text[ADDRESS_TEXT_SIZE];
    assert_int_equal(networks_parse(TEXT(TRUSTED), &trusted), 0);
    assert_int_equal(address_parse(text_of(row->peer), &peer), 0);
    struct text values[2] = {{0}};
    size_t count = row->first == NULL ? 0 : row->second == NULL ? 1 : 2;
    for (size_t i = 0; i < count; i++)
        values[i] = text_of(i == 0 ? row->first : row->second);
    struct edge_forwarded forwarded = {header, &trusted, values, count};
    struct address client = edge_forwarded_client(&forwarded, &peer);
    address_text(&client, text);
    if (strcmp(text, row->client) != 0)
        fail_msg("%s, %s: %s, not %s", row->peer, row->first, text, row->client);
}

static void who_is_no_balancer_is_not_believed(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"192.0.2.1", "198.51.100.1", NULL, "192.0.2.1"},
        {"192.0.2.1", "10.0.0.1", NULL, "192.0.2.1"},
        {"11.0.0.1", "198.51.100.1", NULL, "11.0.0.1"},
        {"2001:db8::1", "198.51.100.1, fd00::1", NULL, "2001:db8::1"},
        {"::1", "198.51.100.1", NULL, "::1"},
        {"192.0.2.1", NULL, NULL, "192.0.2.1"},
        {"10.0.0.1", NULL, NULL, "10.0.0.1"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check(EDGE_FORWARDED_X_FOR, &rows[i]);
    check(EDGE_FORWARDED_RFC7239,
          &(struct row){"192.0.2.1", "for=198.51.100.1", NULL, "192.0.2.1"});
}

static void the_last_address_that_is_no_balancers_is_the_client(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"10.0.0.1", "192.0.2.1", NULL, "192.0.2.1"},
        {"fd00::9", "2001:db8::1", NULL, "2001:db8::1"},
        {"10.0.0.1", "198.51.100.7, 192.0.2.1", NULL, "192.0.2.1"},
        {"10.0.0.1", "198.51.100.7,192.0.2.1,10.0.0.2", NULL, "192.0.2.1"},
        {"10.0.0.1", "198.51.100.7 ,\t192.0.2.1 , fd00::2", NULL, "192.0.2.1"},
        {"10.0.0.1", "10.0.0.3, 10.0.0.2", NULL, "10.0.0.3"},
        /* Several headers are one list. */
        {"10.0.0.1", "198.51.100.7", "192.0.2.1", "192.0.2.1"},
        {"10.0.0.1", "198.51.100.7, 192.0.2.1", "10.0.0.2", "192.0.2.1"},
        /* What a client invented stands to the left, whatever it is. */
        {"10.0.0.1", "nonsense, \", 192.0.2.1", NULL, "192.0.2.1"},
        {"10.0.0.1", "10.0.0.7, 192.0.2.1", NULL, "192.0.2.1"},
        /* Ports and brackets. */
        {"10.0.0.1", "192.0.2.1:4711", NULL, "192.0.2.1"},
        {"10.0.0.1", "[2001:db8::1]", NULL, "2001:db8::1"},
        {"10.0.0.1", "[2001:db8::1]:4711", NULL, "2001:db8::1"},
        {"10.0.0.1", "::ffff:192.0.2.1", NULL, "192.0.2.1"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check(EDGE_FORWARDED_X_FOR, &rows[i]);
}

static void an_entry_that_is_no_address_ends_the_search(void **state)
{
    (void)state;
    static const char *const entries[] = {
        "",
        "unknown",
        "_hidden",
        "192.0.2.256",
        "192.0.2.1:",
        "192.0.2.1:x",
        "192.0.2.1:65536",
        "192.0.2.1:000080",
        "[192.0.2.1]",
        "[2001:db8::1",
        "[2001:db8::1]x",
        "[]",
        "[",
        "2001:db8::1]",
        "192.0.2.1 192.0.2.2",
        "for=192.0.2.1",
        "\"192.0.2.1\"",
        "fe80::1%eth0",
    };
    for (size_t i = 0; i < COUNT_OF(entries); i++) {
        char list[128];
        struct row row = {"10.0.0.1", list, NULL, "10.0.0.1"};
        snprintf(list, sizeof list, "198.51.100.7, %s", entries[i]);
        check(EDGE_FORWARDED_X_FOR, &row);
        row.client = "10.0.0.2"; /* the balancer that said it */
        snprintf(list, sizeof list, "198.51.100.7, %s, 10.0.0.2", entries[i]);
        check(EDGE_FORWARDED_X_FOR, &row);
    }
}

static void forwarded_is_read_as_its_rfc_says(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"10.0.0.1", "for=192.0.2.1", NULL, "192.0.2.1"},
        {"10.0.0.1", "For=192.0.2.1;proto=https;by=10.0.0.9", NULL, "192.0.2.1"},
        {"10.0.0.1", "by=10.0.0.9;proto=https;FOR=\"192.0.2.1:4711\"", NULL, "192.0.2.1"},
        {"10.0.0.1", "for=\"[2001:db8::1]:4711\"", NULL, "2001:db8::1"},
        {"10.0.0.1", "for=198.51.100.7, for=192.0.2.1, for=10.0.0.2", NULL, "192.0.2.1"},
        {"10.0.0.1", "for=198.51.100.7", "for=192.0.2.1", "192.0.2.1"},
        {"10.0.0.1", "for=192.0.2.1;host=\"a,b\"", NULL, "192.0.2.1"},
        {"10.0.0.1", "for=198.51.100.7;host=\"a\\\",b\", for=192.0.2.1", NULL, "192.0.2.1"},
        /* A quote that a client left open hides nothing. */
        {"10.0.0.1", "for=\", for=192.0.2.1", NULL, "192.0.2.1"},
        {"10.0.0.1", "for=\"\\, for=\"[2001:db8::1]\"", NULL, "2001:db8::1"},
    };
    static const char *const none[] = {
        "",
        "for=",
        "for",
        "192.0.2.1",
        "for=unknown",
        "for=_hidden",
        "for=\"_hidden:80\"",
        "for=192.0.2.1:4711", /* must be quoted */
        "for=[2001:db8::1]",
        "for=\"2001:db8::1\"",
        "for=\"192.0.2.1",
        "for=\"192.0.2\\.1\"",
        "for=192.0.2.1;for=192.0.2.2",
        "for=192.0.2.1 ;proto=http",
        "for = 192.0.2.1",
        "proto=https",
        "for=192.0.2.1;=x",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check(EDGE_FORWARDED_RFC7239, &rows[i]);
    for (size_t i = 0; i < COUNT_OF(none); i++)
        check(EDGE_FORWARDED_RFC7239, &(struct row){"10.0.0.1", none[i], NULL, "10.0.0.1"});
}

static void hops_have_a_bound(void **state)
{
    (void)state;
    for (int more = 0; more < 2; more++) {
        char list[EDGE_FORWARDED_HOPS_MAX * 16 + 32] = "192.0.2.1";
        for (int i = 0; i < EDGE_FORWARDED_HOPS_MAX - 1 + more; i++) {
            char hop[16];
            snprintf(hop, sizeof hop, ",10.0.1.%d", i);
            strncat(list, hop, sizeof list - strlen(list) - 1);
        }
        check(EDGE_FORWARDED_X_FOR,
              &(struct row){"10.0.0.1", list, NULL, more ? "10.0.1.0" : "192.0.2.1"});
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_no_balancer_is_not_believed),
        cmocka_unit_test(the_last_address_that_is_no_balancers_is_the_client),
        cmocka_unit_test(an_entry_that_is_no_address_ends_the_search),
        cmocka_unit_test(forwarded_is_read_as_its_rfc_says),
        cmocka_unit_test(hops_have_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
