#include "auth/jwks.h"

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

#define X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define N                                                                                          \
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4" \
    "d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5re" \
    "xMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxX" \
    "FvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define K "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLrA"
#define EC "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\""

static int read_set(const char *json, size_t *ret_count, struct error_text *why)
{
    struct auth_keys *keys = calloc(1, sizeof *keys);
    assert_non_null(keys);
    int err = auth_jwks_read(keys, text_of(json), why);
    *ret_count = keys->count;
    auth_keys_free(keys);
    return err;
}

static void takes_what_it_knows_and_passes_over_the_rest(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        size_t count;
    } rows[] = {
        {"{\"keys\":[]}", 0},
        {"{\"keys\":[{" EC "}]}", 1},
        {"{\"x\":1,\"keys\":[{" EC ",\"use\":\"sig\",\"alg\":\"ES256\",\"kid\":\"a\",\"z\":{}}]}",
         1},
        {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" N "\",\"e\":\"AQAB\"},{\"kty\":\"oct\",\"k\":\"" K
         "\"}]}",
         2},
        {"{\"keys\":[{" EC ",\"key_ops\":[\"sign\",\"verify\"]}]}", 1},
        {"{\"keys\":[{" EC ",\"use\":\"enc\"}]}", 0},
        {"{\"keys\":[{" EC ",\"key_ops\":[\"sign\"]}]}", 0},
        {"{\"keys\":[{" EC ",\"key_ops\":\"verify\"}]}", 0},
        {"{\"keys\":[{" EC ",\"alg\":\"ES384\"}]}", 0},
        {"{\"keys\":[{\"kty\":\"RSA\",\"alg\":\"PS256\",\"n\":\"" N "\",\"e\":\"AQAB\"}]}", 0},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AA\",\"y\":\"AA\"}]}", 0},
        {"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"},{" EC "}]}", 1},
        {"{\"keys\":[{}]}", 0},
        {"{\"keys\":[{\"kty\":7}]}", 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct error_text why = {0};
        size_t count;
        if (read_set(rows[i].json, &count, &why) != 0 || count != rows[i].count)
            fail_msg("row %zu: %zu keys, %s", i, count, why.text);
    }
}

static void refuses_what_is_damaged(void **state)
{
    (void)state;
    static const struct {
        const char *json, *why;
    } rows[] = {
        {"", "no JWK Set"},
        {"[]", "no JWK Set"},
        {"{}", "no JWK Set"},
        {"{\"keys\":{}}", "no JWK Set"},
        {"{\"keys\":[],\"keys\":[]}", "no JWK Set"},
        {"{\"keys\":[{" EC "}]", "no JWK Set"},
        {"{\"keys\":[7]}", "key 1: it is no JSON object"},
        {"{\"keys\":[{" EC "},{" EC ",\"x\":\"AA\"}]}", "key 2: it is no JSON object"},
        {"{\"keys\":[{\"kty\":\"oct\"}]}", "'k' is missing"},
        {"{\"keys\":[{\"kty\":\"oct\",\"k\":7}]}", "'k' is missing"},
        {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"" K "=\"}]}", "'k' is missing, no base64url"},
        {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", "the secret has 3 bytes"},
        {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" N "\"}]}", "'e' is missing"},
        {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", "has 17 bits"},
        {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"\",\"e\":\"\"}]}", "RSA"},
        {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" N "\",\"e\":\"AQ\"}]}", "no key"},
        {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" N "\",\"e\":\"" K "\"}]}", "too long"},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\"}]}", "'y' is missing"},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" X "\"}]}",
         "does not lie on P-256"},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"" Y "\"}]}",
         "not of 32 bytes"},
        {"{\"keys\":[{" EC ",\"d\":\"" X "\"}]}", "a private key"},
        {"{\"keys\":[{" EC ",\"kid\":\"a b\"}]}", "'kid' is not"},
        {"{\"keys\":[{" EC ",\"kid\":7}]}", "'kid' is not"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct error_text why = {0};
        size_t count;
        if (read_set(rows[i].json, &count, &why) != -EINVAL ||
            strstr(why.text, rows[i].why) == NULL)
            fail_msg("row %zu: expected '%s' in: %s", i, rows[i].why, why.text);
    }
}

static void a_set_has_its_bound(void **state)
{
    (void)state;
    for (int most = AUTH_KEYS_MAX; most <= AUTH_KEYS_MAX + 1; most++) {
        struct buffer json = {0};
        struct error_text why = {0};
        size_t count;
        buffer_append_text(&json, TEXT("{\"keys\":["));
        for (int i = 0; i < most; i++)
            buffer_printf(&json, "%s{\"kty\":\"oct\",\"k\":\"" K "\"}", i == 0 ? "" : ",");
        buffer_append(&json, "]}", 3);
        assert_int_equal(read_set((char *)json.data, &count, &why),
                         most == AUTH_KEYS_MAX ? 0 : -ENOSPC);
        assert_int_equal(count, AUTH_KEYS_MAX);
        buffer_free(&json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_it_knows_and_passes_over_the_rest),
        cmocka_unit_test(refuses_what_is_damaged),
        cmocka_unit_test(a_set_has_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
