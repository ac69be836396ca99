/* Whom a hub lets read a mailbox, and for how long. */
#include "region-hub/hub_admission.h"

#include "auth/token.h"
#include "base/buffer.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { NOW_S = 1790000000, LEEWAY_MS = 3000, LOOP_MS = 500 };
#define NOW_MS (NOW_S * (int64_t)1000)

static const char first_secret[] = "a secret of the tests, 32 or more";
static const char next_secret[] = "the secret that comes after the first";
static struct auth_key_settings row = {.format = AUTH_FORMAT_SECRET};
static struct auth_settings settings = {.required = true,
                                        .issuer = "https://login.example",
                                        .audience = "meridian",
                                        .leeway_ms = LEEWAY_MS,
                                        .lifetime_max_ms = 86400000,
                                        .keys = &row,
                                        .key_count = 1};
static struct auth_settings none;
static atomic_uint reloads;
static struct hub_admission *admission;

static void write_secret(const char *secret)
{
    FILE *file = fopen(row.file, "w");
    assert_non_null(file);
    fputs(secret, file);
    fclose(file);
}

static int begin(void **state)
{
    (void)state;
    strcpy(row.file, "/tmp/admission_XXXXXX");
    close(mkstemp(row.file));
    write_secret(first_secret);
    settings.required = true;
    admission = hub_admission_new(&settings, &reloads, NULL);
    return admission == NULL;
}

static int end(void **state)
{
    (void)state;
    hub_admission_free(admission);
    unlink(row.file);
    return 0;
}

/* A token of `user`, and of `device` unless it is empty, that ends in `left_s`. */
static struct text token_by(const char *secret, const char *user, const char *device, int left_s)
{
    static char kept[AUTH_TOKEN_MAX + 1];
    struct buffer token = {0};
    struct auth_key key = {0};
    char claims[512];
    bool named = device[0] != '\0';
    snprintf(claims, sizeof claims,
             "{\"iss\":\"https://login.example\",\"aud\":\"meridian\",\"sub\":\"%s\",\"iat\":%d,"
             "\"exp\":%d%s%s%s}",
             user, NOW_S, NOW_S + left_s, named ? ",\"device\":\"" : "", device, named ? "\"" : "");
    assert_int_equal(auth_key_of_secret(&key, text_of(secret), NULL), 0);
    assert_int_equal(auth_token_make(&key, text_of(claims), &token), 0);
    assert_int_equal(text_put(kept, sizeof kept, buffer_text(&token)), 0);
    auth_key_done(&key);
    buffer_free(&token);
    return text_of(kept);
}

static int judge_at(struct text token, const char *user, const char *device, int64_t later_ms,
                    int64_t *ret_until_ms)
{
    const struct hub_admission_ask ask = {.token = token,
                                          .user = text_of(user),
                                          .device = text_of(device),
                                          .wall_ms = NOW_MS + later_ms,
                                          .now_ms = LOOP_MS + later_ms};
    return hub_admission_judge(admission, &ask, ret_until_ms);
}

static void a_token_opens_its_users_mailbox_alone(void **state)
{
    (void)state;
    static const struct {
        const char *of_user, *of_device, *user, *device;
        int result;
    } rows[] = {
        {"bob", "", "bob", "phone", 0},          {"bob", "phone", "bob", "phone", 0},
        {"bob", "phone", "bob", "", 0},          {"bob", "", "alice", "phone", -EACCES},
        {"bob", "", "bobb", "", -EACCES},        {"bob", "", "bo", "", -EACCES},
        {"bob", "phone", "bob", "pad", -EACCES}, {"bob", "phone", "alice", "phone", -EACCES},
    };
    for (int again = 0; again < 2; again++) { /* verified, and remembered */
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            int64_t until_ms = -1;
            struct text token = token_by(first_secret, rows[i].of_user, rows[i].of_device, 60);
            assert_int_equal(judge_at(token, rows[i].user, rows[i].device, 0, &until_ms),
                             rows[i].result);
            assert_true(
                until_ms ==
                (rows[i].result == 0 ? LOOP_MS + 60000 + LEEWAY_MS + HUB_ADMISSION_GRACE_MS : -1));
        }
    }
}

static void what_is_no_good_token_opens_nothing(void **state)
{
    (void)state;
    static char longest[AUTH_TOKEN_MAX + 1];
    int64_t until_ms;
    assert_int_equal(judge_at(TEXT(""), "bob", "phone", 0, &until_ms), -EACCES);
    assert_int_equal(judge_at(TEXT("x"), "bob", "phone", 0, &until_ms), -EACCES);
    assert_int_equal(judge_at(token_by(next_secret, "bob", "", 60), "bob", "", 0, &until_ms),
                     -EACCES);
    memset(longest, 'x', sizeof longest);
    for (size_t more = 0; more < 2; more++)
        assert_int_equal(
            judge_at((struct text){longest, AUTH_TOKEN_MAX + more}, "bob", "", 0, &until_ms),
            -EACCES);
}

static void one_that_has_ended_is_not_remembered(void **state)
{
    (void)state;
    int64_t until_ms;
    struct text token = token_by(first_secret, "bob", "", 60);
    int64_t last_ms = 60000 + LEEWAY_MS - 1;
    assert_int_equal(judge_at(token, "bob", "phone", 0, &until_ms), 0);
    assert_int_equal(judge_at(token, "bob", "phone", last_ms, &until_ms), 0);
    assert_true(until_ms == LOOP_MS + last_ms + 1 + HUB_ADMISSION_GRACE_MS);
    assert_int_equal(judge_at(token, "bob", "phone", last_ms + 1, &until_ms), -EACCES);
}

static void where_none_is_required_who_shows_none_is_who_it_says(void **state)
{
    (void)state;
    int64_t until_ms;
    settings.required = false;
    assert_int_equal(judge_at(TEXT(""), "bob", "phone", 0, &until_ms), 0);
    assert_true(until_ms == INT64_MAX);
    assert_int_equal(judge_at(TEXT("x"), "bob", "phone", 0, &until_ms), -EACCES);
}

static void without_keys_no_token_is_looked_at(void **state)
{
    (void)state;
    int64_t until_ms;
    hub_admission_free(admission);
    admission = hub_admission_new(&none, NULL, NULL);
    assert_int_equal(judge_at(TEXT("x"), "bob", "phone", 0, &until_ms), 0);
    assert_true(until_ms == INT64_MAX);
}

static void keys_are_read_again_and_a_damaged_file_is_passed_over(void **state)
{
    (void)state;
    int64_t until_ms;
    write_secret("short");
    atomic_fetch_add(&reloads, 1);
    assert_int_equal(judge_at(token_by(first_secret, "bob", "", 60), "bob", "", 0, &until_ms), 0);
    write_secret(next_secret);
    assert_int_equal(judge_at(token_by(first_secret, "bob", "", 60), "bob", "", 0, &until_ms), 0);
    atomic_fetch_add(&reloads, 1);
    assert_int_equal(judge_at(token_by(next_secret, "bob", "", 60), "bob", "", 0, &until_ms), 0);
    assert_int_equal(judge_at(token_by(first_secret, "bob", "", 60), "bob", "", 0, &until_ms),
                     -EACCES); /* it was remembered */
}

static void a_hub_does_not_start_with_a_damaged_file(void **state)
{
    (void)state;
    struct error_text why = {0};
    write_secret("short");
    assert_null(hub_admission_new(&settings, NULL, &why));
    assert_non_null(strstr(why.text, row.file));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_token_opens_its_users_mailbox_alone),
        TEST(what_is_no_good_token_opens_nothing),
        TEST(one_that_has_ended_is_not_remembered),
        TEST(where_none_is_required_who_shows_none_is_who_it_says),
        TEST(without_keys_no_token_is_looked_at),
        TEST(keys_are_read_again_and_a_damaged_file_is_passed_over),
        TEST(a_hub_does_not_start_with_a_damaged_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
