/* Tokens by table: what is taken, and what is refused and why. Times are given. */
#include "auth/token.h"

#include "auth/base64url.h"

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

#define NOW_S 1790000000
#define NOW_MS (NOW_S * 1000LL)
/* exp and iat that leave nothing to object to */
#define TIMES "\"exp\":1790003600,\"iat\":1790000000"
#define WHO "\"iss\":\"https://login.example\",\"aud\":\"meridian\",\"sub\":\"alice\""
#define GOOD "{" WHO "," TIMES "}"

enum { H, R, E, SIGNERS };

static struct {
    struct auth_settings settings;
    struct auth_keys keys; /* what verifies: kid "h", "r", "e" */
    struct auth_key signers[SIGNERS];
    struct buffer public_rsa;
} it;

static int begin(void **state)
{
    (void)state;
    static const char *const kids[SIGNERS] = {"h", "r", "e"};
    it.settings = (struct auth_settings){.issuer = "https://login.example",
                                         .audience = "meridian",
                                         .leeway_ms = 30000,
                                         .lifetime_max_ms = 86400000};
    for (int i = 0; i < SIGNERS; i++) {
        struct buffer secret = {0}, open = {0};
        struct auth_key *key;
        assert_int_equal(auth_key_make((enum auth_alg)i, &secret, &open), 0);
        assert_int_equal(auth_keys_add(&it.keys, &key, NULL), 0);
        if (i == H) {
            assert_int_equal(auth_key_of_secret(key, buffer_text(&secret), NULL), 0);
            assert_int_equal(auth_key_of_secret(&it.signers[i], buffer_text(&secret), NULL), 0);
        } else {
            assert_int_equal(auth_key_of_pem(key, buffer_text(&open), false, NULL), 0);
            assert_int_equal(auth_key_of_pem(&it.signers[i], buffer_text(&secret), true, NULL), 0);
        }
        strcpy(key->kid, kids[i]);
        strcpy(it.signers[i].kid, kids[i]);
        if (i == R)
            buffer_append_text(&it.public_rsa, buffer_text(&open));
        buffer_free(&secret);
        buffer_free(&open);
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (size_t i = 0; i < it.keys.count; i++)
        auth_key_done(&it.keys.keys[i]);
    free(it.keys.keys);
    for (int i = 0; i < SIGNERS; i++)
        auth_key_done(&it.signers[i]);
    buffer_free(&it.public_rsa);
    return 0;
}

/* Header and claims as they are given, signed with `key`. */
static struct buffer sign(const char *header, const char *claims, const struct auth_key *key)
{
    struct buffer token = {0};
    uint8_t signature[AUTH_SIGNATURE_MAX];
    size_t size;
    auth_base64url_write(&token, header, strlen(header));
    buffer_append_text(&token, TEXT("."));
    auth_base64url_write(&token, claims, strlen(claims));
    assert_int_equal(auth_key_sign(key, buffer_text(&token), signature, &size), 0);
    buffer_append_text(&token, TEXT("."));
    auth_base64url_write(&token, signature, size);
    return token;
}

static int verify(struct text token, struct auth_identity *identity, enum auth_reason *reason)
{
    return auth_token_verify(&it.settings, &it.keys, token, NOW_MS, identity, reason);
}

#define HEADER_H "{\"alg\":\"HS256\",\"kid\":\"h\"}"

static void good_ones_are_taken(void **state)
{
    (void)state;
    static const struct {
        int key;
        const char *header, *claims, *user, *device, *token_id, *home;
    } rows[] = {
        {H, HEADER_H, GOOD, "alice", "", "", ""},
        {R, "{\"alg\":\"RS256\",\"kid\":\"r\"}", GOOD, "alice", "", "", ""},
        {E, "{\"alg\":\"ES256\",\"kid\":\"e\"}", GOOD, "alice", "", "", ""},
        /* white space, order, unknown members, escapes */
        {H, " {\r\n\"typ\":\"JWT\", \"x\":[{}], \"kid\":\"\\u0068\",\"a\\u006cg\":\"HS256\"} ",
         "{ " TIMES " , " WHO ", \"scope\":{\"a\":1,\"a\":2} }", "alice", "", "", ""},
        {H, HEADER_H, "{" WHO "," TIMES ",\"device\":\"phone\",\"jti\":\"t-1\",\"home\":\"dub\"}",
         "alice", "phone", "t-1", "dub"},
        {E, "{\"kid\":\"e\",\"alg\":\"ES256\"}",
         "{\"iss\":\"https://"
         "login.example\",\"aud\":[\"x\",\"meridian\"],\"sub\":\"b\\u00f6b\"," TIMES "}",
         "b\xc3\xb6"
         "b",
         "", "", ""},
        /* at the leeway: expired 29 s ago, valid and issued 30 s from now */
        {H, HEADER_H, "{" WHO ",\"exp\":1789999971,\"iat\":1789999000}", "alice", "", "", ""},
        {H, HEADER_H, "{" WHO ",\"exp\":1790003600,\"iat\":1790000030,\"nbf\":1790000030}", "alice",
         "", "", ""},
        /* at the longest lifetime */
        {H, HEADER_H, "{" WHO ",\"exp\":1790086400,\"iat\":1790000000}", "alice", "", "", ""},
        {R, "{\"alg\":\"RS256\",\"kid\":\"r\"}",
         "{\"iss\":\"https:\\/\\/login.example\",\"aud\":\"meridian\",\"sub\":\"a b/c\"," TIMES "}",
         "a b/c", "", "", ""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct auth_identity identity;
        enum auth_reason reason = 0;
        struct buffer token = sign(rows[i].header, rows[i].claims, &it.signers[rows[i].key]);
        if (verify(buffer_text(&token), &identity, &reason) != 0)
            fail_msg("row %zu: %s", i, auth_reason_text(reason));
        assert_string_equal(identity.user, rows[i].user);
        assert_string_equal(identity.device, rows[i].device);
        assert_string_equal(identity.token_id, rows[i].token_id);
        assert_string_equal(identity.home, rows[i].home);
        assert_true(identity.expires_at_s >= 1789999971 && identity.issued_at_s >= 1789999000);
        buffer_free(&token);
    }
    assert_int_equal(COUNT_OF(rows), 10);
}

static void the_scope_says_who_is_an_admin_or_a_service(void **state)
{
    (void)state;
    static const struct {
        const char *word, *scope;
        bool has;
    } rows[] = {
        {"a.admin", "\"a.admin\"", true},
        {"a.admin", "\"read a.admin write\"", true},
        {"a.admin", "\"read  a.admin\"", true},
        {"a.admin", "\"a.\\u0061dmin\"", true}, /* an escape */
        {"a.admin", "\"a.administrator\"", false},
        {"a.admin", "\"A.ADMIN\"", false},
        {"a.admin", "\"read,a.admin\"", false},
        {"a.admin", "\"\"", false},
        {"a.admin", "[\"a.admin\"]", false},
        {"a.admin", "null", false},
        {"", "\"\"", false},
        {"", "\"read  write\"", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct auth_identity identity = {0};
        enum auth_reason reason;
        char claims[512];
        strcpy(it.settings.admin_scope, rows[i].word);
        strcpy(it.settings.service_scope, rows[i].word);
        snprintf(claims, sizeof claims, "{" WHO "," TIMES ",\"scope\":%s}", rows[i].scope);
        struct buffer token = sign(HEADER_H, claims, &it.signers[H]);
        assert_int_equal(verify(buffer_text(&token), &identity, &reason), 0);
        if (identity.admin != rows[i].has || identity.service != rows[i].has)
            fail_msg("row %zu", i);
        buffer_free(&token);
    }
    it.settings.admin_scope[0] = it.settings.service_scope[0] = '\0';
}

static void one_word_makes_no_other(void **state)
{
    (void)state;
    struct auth_identity identity = {0};
    enum auth_reason reason;
    strcpy(it.settings.admin_scope, "a.admin");
    strcpy(it.settings.service_scope, "a.service");
    struct buffer token =
        sign(HEADER_H, "{" WHO "," TIMES ",\"scope\":\"a.service\"}", &it.signers[H]);
    assert_int_equal(verify(buffer_text(&token), &identity, &reason), 0);
    assert_true(identity.service && !identity.admin);
    buffer_free(&token);
    it.settings.admin_scope[0] = it.settings.service_scope[0] = '\0';
}

static void refused(size_t row, struct text token, enum auth_reason expected)
{
    struct auth_identity identity = {.user = "nobody"};
    enum auth_reason reason = AUTH_REASONS_COUNT;
    int answer = verify(token, &identity, &reason);
    if (answer != -EACCES || reason != expected)
        fail_msg("row %zu: %d, %s", row, answer,
                 reason < AUTH_REASONS_COUNT ? auth_reason_text(reason) : "taken");
    assert_string_equal(identity.user, "nobody"); /* untouched */
}

#define MEMBERS_10(n)                                                                              \
    "\"" n "0\":0,\"" n "1\":0,\"" n "2\":0,\"" n "3\":0,\"" n "4\":0,\"" n "5\":0,\"" n           \
    "6\":0,\"" n "7\":0,\"" n "8\":0,\"" n "9\":0,"
#define MEMBERS_60                                                                                 \
    MEMBERS_10("a") MEMBERS_10("b") MEMBERS_10("c") MEMBERS_10("d") MEMBERS_10("e") MEMBERS_10("f")

/* Signed by a key that is known, and refused. */
static const struct {
    const char *header, *claims;
    enum auth_reason reason;
} signed_rows[] = {
    {"", GOOD, AUTH_REFUSED_HEADER},
    {"[]", GOOD, AUTH_REFUSED_HEADER},
    {"{", GOOD, AUTH_REFUSED_HEADER},
    {"{\"alg\":\"HS256\",\"alg\":\"HS256\"}", GOOD, AUTH_REFUSED_HEADER},
    {"{\"alg\":\"HS256\",\"kid\":\"h\",\"x\":1,\"\\u0078\":2}", GOOD, AUTH_REFUSED_HEADER},
    {"{" MEMBERS_60 "\"g\":0,\"h\":0,\"i\":0,\"alg\":\"HS256\",\"kid\":\"h\"}", GOOD,
     AUTH_REFUSED_HEADER},
    {"{\"alg\":\"HS256\",\"kid\":\"h\"}x", GOOD, AUTH_REFUSED_HEADER},
    {"{\"alg\":\"HS256\",\"kid\":\"h\",\"crit\":[\"exp\"],\"exp\":1}", GOOD, AUTH_REFUSED_CRIT},
    {"{\"alg\":\"HS256\",\"kid\":\"h\",\"crit\":null}", GOOD, AUTH_REFUSED_CRIT},
    {"{\"alg\":\"HS256\"}", GOOD, AUTH_REFUSED_KEY}, /* which of three? */
    {"{\"alg\":\"HS256\",\"kid\":\"H\"}", GOOD, AUTH_REFUSED_KEY},
    {"{\"alg\":\"HS256\",\"kid\":\"\"}", GOOD, AUTH_REFUSED_KEY},
    {"{\"alg\":\"HS256\",\"kid\":7}", GOOD, AUTH_REFUSED_KEY},
    {"{\"alg\":\"HS256\",\"kid\":null}", GOOD, AUTH_REFUSED_KEY},
    {"{\"alg\":\"HS256\",\"kid\":\"../../h\"}", GOOD, AUTH_REFUSED_KEY},
    {"{\"kid\":\"h\"}", GOOD, AUTH_REFUSED_ALG},
    {"{\"alg\":\"none\",\"kid\":\"h\"}", GOOD, AUTH_REFUSED_ALG},
    {"{\"alg\":\"None\",\"kid\":\"h\"}", GOOD, AUTH_REFUSED_ALG},
    {"{\"alg\":\"hs256\",\"kid\":\"h\"}", GOOD, AUTH_REFUSED_ALG},
    {"{\"alg\":\"HS512\",\"kid\":\"h\"}", GOOD, AUTH_REFUSED_ALG},
    {"{\"alg\":\"RS256\",\"kid\":\"h\"}", GOOD, AUTH_REFUSED_ALG},
    {"{\"alg\":\"HS256\",\"kid\":\"r\"}", GOOD, AUTH_REFUSED_ALG}, /* the classic confusion */
    {"{\"alg\":\"HS256\",\"kid\":\"e\"}", GOOD, AUTH_REFUSED_ALG},
    {"{\"alg\":[\"HS256\"],\"kid\":\"h\"}", GOOD, AUTH_REFUSED_ALG},
    {HEADER_H, "", AUTH_REFUSED_CLAIMS},
    {HEADER_H, "null", AUTH_REFUSED_CLAIMS},
    {HEADER_H, "{" WHO "," TIMES ",}", AUTH_REFUSED_CLAIMS},
    {HEADER_H, "{" WHO "," TIMES ",\"sub\":\"bob\"}", AUTH_REFUSED_CLAIMS},
    {HEADER_H, "{" WHO "," TIMES ",\"s\\u0075b\":\"bob\"}", AUTH_REFUSED_CLAIMS},
    {HEADER_H, "{" MEMBERS_60 WHO "," TIMES "}", AUTH_REFUSED_CLAIMS},
    {HEADER_H, "{" WHO "," TIMES ",\"x\":\"\xff\"}", AUTH_REFUSED_CLAIMS},
    {HEADER_H, "{\"aud\":\"meridian\",\"sub\":\"alice\"," TIMES "}", AUTH_REFUSED_ISS},
    {HEADER_H, "{\"iss\":\"https://login.example/\",\"aud\":\"meridian\",\"sub\":\"a\"," TIMES "}",
     AUTH_REFUSED_ISS},
    {HEADER_H, "{\"iss\":[\"https://login.example\"],\"aud\":\"meridian\",\"sub\":\"a\"," TIMES "}",
     AUTH_REFUSED_ISS},
    {HEADER_H, "{\"iss\":\"https://login.example\",\"sub\":\"alice\"," TIMES "}", AUTH_REFUSED_AUD},
    {HEADER_H, "{\"iss\":\"https://login.example\",\"aud\":[],\"sub\":\"alice\"," TIMES "}",
     AUTH_REFUSED_AUD},
    {HEADER_H,
     "{\"iss\":\"https://login.example\",\"aud\":[[\"meridian\"]],\"sub\":\"alice\"," TIMES "}",
     AUTH_REFUSED_AUD},
    {HEADER_H,
     "{\"iss\":\"https://login.example\",\"aud\":\"meridian2\",\"sub\":\"alice\"," TIMES "}",
     AUTH_REFUSED_AUD},
    {HEADER_H, "{\"iss\":\"https://login.example\",\"aud\":\"meridian\"," TIMES "}",
     AUTH_REFUSED_SUB},
    {HEADER_H, "{\"iss\":\"https://login.example\",\"aud\":\"meridian\",\"sub\":\"\"," TIMES "}",
     AUTH_REFUSED_SUB},
    {HEADER_H, "{\"iss\":\"https://login.example\",\"aud\":\"meridian\",\"sub\":5," TIMES "}",
     AUTH_REFUSED_SUB},
    {HEADER_H,
     "{\"iss\":\"https://login.example\",\"aud\":\"meridian\",\"sub\":\"alice\\u0000\"," TIMES "}",
     AUTH_REFUSED_SUB},
    {HEADER_H,
     "{\"iss\":\"https://login.example\",\"aud\":\"meridian\",\"sub\":\"\\ud800\"," TIMES "}",
     AUTH_REFUSED_SUB},
    {HEADER_H, "{" WHO ",\"iat\":1790000000}", AUTH_REFUSED_EXP},
    {HEADER_H, "{" WHO ",\"exp\":null,\"iat\":1790000000}", AUTH_REFUSED_EXP},
    {HEADER_H, "{" WHO ",\"exp\":\"1790003600\",\"iat\":1790000000}", AUTH_REFUSED_EXP},
    {HEADER_H, "{" WHO ",\"exp\":-1,\"iat\":1790000000}", AUTH_REFUSED_EXP},
    {HEADER_H, "{" WHO ",\"exp\":1790003600.5,\"iat\":1790000000}", AUTH_REFUSED_EXP},
    {HEADER_H, "{" WHO ",\"exp\":253402300800,\"iat\":1790000000}", AUTH_REFUSED_EXP},
    {HEADER_H, "{" WHO ",\"exp\":1789999970,\"iat\":1789999000}", AUTH_REFUSED_EXPIRED},
    {HEADER_H, "{" WHO ",\"exp\":0,\"iat\":0}", AUTH_REFUSED_EXPIRED},
    {HEADER_H, "{" WHO "," TIMES ",\"nbf\":true}", AUTH_REFUSED_NBF},
    {HEADER_H, "{" WHO "," TIMES ",\"nbf\":1790000031}", AUTH_REFUSED_TOO_EARLY},
    {HEADER_H, "{" WHO ",\"exp\":1790003600}", AUTH_REFUSED_IAT},
    {HEADER_H, "{" WHO ",\"exp\":1790003600,\"iat\":\"now\"}", AUTH_REFUSED_IAT},
    {HEADER_H, "{" WHO ",\"exp\":1790003600,\"iat\":1790000031}", AUTH_REFUSED_FROM_FUTURE},
    {HEADER_H, "{" WHO ",\"exp\":1790086401,\"iat\":1790000000}", AUTH_REFUSED_LIFETIME},
    {HEADER_H, "{" WHO "," TIMES ",\"jti\":\"a b\"}", AUTH_REFUSED_JTI},
    {HEADER_H, "{" WHO "," TIMES ",\"jti\":\"\"}", AUTH_REFUSED_JTI},
    {HEADER_H, "{" WHO "," TIMES ",\"device\":null}", AUTH_REFUSED_DEVICE},
    {HEADER_H, "{" WHO "," TIMES ",\"tenant\":\"\"}", AUTH_REFUSED_TENANT},
    {HEADER_H, "{" WHO "," TIMES ",\"tenant\":[\"acme\"]}", AUTH_REFUSED_TENANT},
    {HEADER_H, "{" WHO "," TIMES ",\"tenant\":\"a c\"}", AUTH_REFUSED_TENANT},
    {HEADER_H, "{" WHO "," TIMES ",\"device\":\"\xc3\xa9\"}", AUTH_REFUSED_DEVICE},
    {HEADER_H, "{" WHO "," TIMES ",\"home\":\"Dublin\"}", AUTH_REFUSED_HOME},
};

static void what_is_signed_and_says_the_wrong_thing_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(signed_rows); i++) {
        struct buffer token = sign(signed_rows[i].header, signed_rows[i].claims, &it.signers[H]);
        refused(i, buffer_text(&token), signed_rows[i].reason);
        buffer_free(&token);
    }
    assert_true(COUNT_OF(signed_rows) >= 60);
}

/* What is no token at all. */
static void what_has_not_the_form_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "", ".", "..", "...", "a.b", "a.b.c.d", "eyJhbGciOiJIUzI1NiJ9", "\xff.\xff.\xff",
    };
    static const enum auth_reason reasons[] = {
        AUTH_REFUSED_FORM, AUTH_REFUSED_FORM, AUTH_REFUSED_HEADER, AUTH_REFUSED_FORM,
        AUTH_REFUSED_FORM, AUTH_REFUSED_FORM, AUTH_REFUSED_FORM,   AUTH_REFUSED_HEADER,
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        refused(i, text_of(rows[i]), reasons[i]);
    refused(99, (struct text){NULL, 0}, AUTH_REFUSED_FORM);
}

static void a_token_changed_in_any_place_is_refused(void **state)
{
    (void)state;
    for (int key = 0; key < SIGNERS; key++) {
        static const char *const headers[] = {HEADER_H, "{\"alg\":\"RS256\",\"kid\":\"r\"}",
                                              "{\"alg\":\"ES256\",\"kid\":\"e\"}"};
        struct auth_identity identity;
        enum auth_reason reason;
        struct buffer token = sign(headers[key], GOOD, &it.signers[key]);
        for (size_t i = 0; i < token.size; i++) {
            uint8_t was = token.data[i];
            token.data[i] = was == 'A' ? 'B' : 'A';
            assert_int_equal(verify(buffer_text(&token), &identity, &reason), -EACCES);
            token.data[i] = was;
        }
        for (size_t size = 0; size < token.size; size++)
            assert_int_equal(verify((struct text){(char *)token.data, size}, &identity, &reason),
                             -EACCES);
        assert_int_equal(verify(buffer_text(&token), &identity, &reason), 0);
        /* The last character of these signatures has unused bits: one way to write them only. */
        token.data[token.size - 1]++;
        assert_int_equal(verify(buffer_text(&token), &identity, &reason), -EACCES);
        buffer_free(&token);
    }
}

static void the_signature_of_another_key_is_refused(void **state)
{
    (void)state;
    static const char *const headers[] = {HEADER_H, "{\"alg\":\"RS256\",\"kid\":\"r\"}",
                                          "{\"alg\":\"ES256\",\"kid\":\"e\"}"};
    for (int named = 0; named < SIGNERS; named++) {
        for (int signer = 0; signer < SIGNERS; signer++) {
            struct buffer token = sign(headers[named], GOOD, &it.signers[signer]);
            if (named != signer)
                refused(0, buffer_text(&token), AUTH_REFUSED_SIGNATURE);
            buffer_free(&token);
        }
    }
}

/* An HMAC whose secret is the public RSA key, which everybody has. */
static void a_public_key_is_no_secret(void **state)
{
    (void)state;
    struct auth_key thief = {0};
    struct text pem = buffer_text(&it.public_rsa);
    pem.size--; /* its line end */
    assert_int_equal(auth_key_of_secret(&thief, pem, NULL), 0);
    struct buffer token = sign("{\"alg\":\"HS256\",\"kid\":\"r\"}", GOOD, &thief);
    refused(0, buffer_text(&token), AUTH_REFUSED_ALG);
    buffer_free(&token);
    token = sign("{\"alg\":\"RS256\",\"kid\":\"r\"}", GOOD, &thief);
    refused(1, buffer_text(&token), AUTH_REFUSED_SIGNATURE);
    buffer_free(&token);
    auth_key_done(&thief);
}

static void without_a_signature_it_is_refused(void **state)
{
    (void)state;
    struct buffer token = {0};
    static const char none[] = "{\"alg\":\"none\",\"kid\":\"h\"}";
    auth_base64url_write(&token, none, strlen(none));
    buffer_append_text(&token, TEXT("."));
    auth_base64url_write(&token, GOOD, strlen(GOOD));
    buffer_append_text(&token, TEXT("."));
    refused(0, buffer_text(&token), AUTH_REFUSED_ALG);
    buffer_free(&token);
    auth_base64url_write(&token, HEADER_H, strlen(HEADER_H));
    buffer_append_text(&token, TEXT("."));
    auth_base64url_write(&token, GOOD, strlen(GOOD));
    buffer_append_text(&token, TEXT("."));
    refused(1, buffer_text(&token), AUTH_REFUSED_SIGNATURE);
    buffer_free(&token);
}

static void a_token_is_read_up_to_its_bound(void **state)
{
    (void)state;
    char claims[AUTH_TOKEN_MAX];
    struct auth_identity identity;
    enum auth_reason reason;
    size_t taken = 0, last = 0;
    for (size_t pad = 2860; pad < 2940; pad++) {
        snprintf(claims, sizeof claims, "{" WHO "," TIMES ",\"x\":\"%0*d\"}", (int)pad, 0);
        struct buffer token = sign(HEADER_H, claims, &it.signers[H]);
        if (token.size > AUTH_TOKEN_MAX)
            refused(pad, buffer_text(&token), AUTH_REFUSED_TOO_LONG);
        else if (verify(buffer_text(&token), &identity, &reason) == 0)
            taken++;
        last = token.size <= AUTH_TOKEN_MAX ? token.size : last;
        if (token.size <= AUTH_TOKEN_MAX)
            assert_true(taken > 0);
        buffer_free(&token);
    }
    assert_true(taken > 0 && taken < 80);
    assert_true(last > AUTH_TOKEN_MAX - 3);
}

static void the_operator_is_told_everything(void **state)
{
    (void)state;
    struct auth_verdict verdict;
    struct buffer token = sign(
        "{\"alg\":\"ES256\",\"kid\":\"h\"}",
        "{\"iss\":\"x\",\"aud\":\"meridian\",\"sub\":\"alice\",\"exp\":5,\"iat\":4,\"home\":7}",
        &it.signers[H]);
    auth_token_judge(&it.settings, &it.keys, buffer_text(&token), NOW_MS, true, &verdict);
    assert_int_equal(verdict.reasons, 1u << AUTH_REFUSED_ALG | 1u << AUTH_REFUSED_ISS |
                                          1u << AUTH_REFUSED_EXPIRED | 1u << AUTH_REFUSED_HOME);
    assert_string_equal(verdict.identity.user, "alice");
    auth_token_judge(&it.settings, &it.keys, buffer_text(&token), NOW_MS, false, &verdict);
    assert_int_equal(verdict.reasons, 1u << AUTH_REFUSED_ALG);
    assert_string_equal(verdict.identity.user, ""); /* the claims were not looked at */
    buffer_free(&token);
}

static void what_is_made_here_is_taken(void **state)
{
    (void)state;
    for (int key = 0; key < SIGNERS; key++) {
        struct buffer token = {0};
        struct auth_identity identity;
        enum auth_reason reason;
        assert_int_equal(auth_token_make(&it.signers[key], text_of(GOOD), &token), 0);
        assert_int_equal(verify(buffer_text(&token), &identity, &reason), 0);
        assert_true(identity.issued_at_s == NOW_S && identity.expires_at_s == NOW_S + 3600);
        buffer_free(&token);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones_are_taken),
        cmocka_unit_test(the_scope_says_who_is_an_admin_or_a_service),
        cmocka_unit_test(one_word_makes_no_other),
        cmocka_unit_test(what_is_signed_and_says_the_wrong_thing_is_refused),
        cmocka_unit_test(what_has_not_the_form_is_refused),
        cmocka_unit_test(a_token_changed_in_any_place_is_refused),
        cmocka_unit_test(the_signature_of_another_key_is_refused),
        cmocka_unit_test(a_public_key_is_no_secret),
        cmocka_unit_test(without_a_signature_it_is_refused),
        cmocka_unit_test(a_token_is_read_up_to_its_bound),
        cmocka_unit_test(the_operator_is_told_everything),
        cmocka_unit_test(what_is_made_here_is_taken),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
