#include "edge/edge_token.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct edge_token *token_of_alice(void)
{
    const struct auth_identity identity = {
        .user = "alice", .device = "phone", .expires_at_s = 2000};
    /* The wall clock says 1990 s when the loop's says 5 s; leeway 3 s: it ends 13 s from then. */
    struct edge_token *token = edge_token_new(&identity, TEXT("a.b.c"), 3000, 1990000, 5000);
    assert_non_null(token);
    assert_int_equal(token->expires_ms, 15000);
    assert_int_equal(token->end_ms, 18000);
    assert_int_equal(token->expires_at_ms, 2000000);
    return token;
}

static void it_fits_its_user_and_device(void **state)
{
    (void)state;
    static const struct {
        const char *user, *device;
        bool fits, fits_without_device;
    } rows[] = {
        {"alice", "phone", true, true}, {"", "", true, true},
        {"alice", "", true, true},      {"", "phone", true, true},
        {"bob", "phone", false, false}, {"alic", "", false, false},
        {"alicee", "", false, false},   {"alice", "tablet", false, true},
        {"", "phon", false, true},
    };
    struct edge_token *token = token_of_alice();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct text user = text_of(rows[i].user), device = text_of(rows[i].device);
        token->device_size = 5;
        assert_int_equal(edge_token_fits(token, user, device), rows[i].fits);
        token->device_size = 0;
        assert_int_equal(edge_token_fits(token, user, device), rows[i].fits_without_device);
    }
    free(token);
}

static void it_is_due_in_time(void **state)
{
    (void)state;
    static const struct {
        int64_t now_ms;
        bool told;
        enum edge_token_due due;
        int64_t wait_ms;
    } rows[] = {
        {0, false, EDGE_TOKEN_GOOD, 35000},     {34999, false, EDGE_TOKEN_GOOD, 1},
        {35000, false, EDGE_TOKEN_EXPIRING, 0}, {99999, false, EDGE_TOKEN_EXPIRING, 0},
        {35000, true, EDGE_TOKEN_GOOD, 65000},  {99999, true, EDGE_TOKEN_GOOD, 1},
        {100000, true, EDGE_TOKEN_ENDED, 0},    {100000, false, EDGE_TOKEN_ENDED, 0},
        {999999, false, EDGE_TOKEN_ENDED, 0},
    };
    struct edge_token *token = token_of_alice();
    token->expires_ms = 95000;
    token->end_ms = 100000;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        token->told = rows[i].told;
        assert_int_equal(edge_token_due(token, 60000, rows[i].now_ms), rows[i].due);
        assert_int_equal(edge_token_wait_ms(token, 60000, rows[i].now_ms), rows[i].wait_ms);
    }
    free(token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_fits_its_user_and_device),
        cmocka_unit_test(it_is_due_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
