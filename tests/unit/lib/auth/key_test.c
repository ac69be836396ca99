/* Signatures: those of RFC 7515, and our own, there and back. */
#include "auth/key.h"

#include "auth/base64url.h"
#include "auth/jwks.h"
#include "auth/token.h"

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

/* RFC 7515, appendix A.1 to A.3: the key, and the token signed with it. */
#define RFC_CLAIMS                                                                                 \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl" \
    "fQ"
static const struct {
    const char *jwk, *token;
} rfc[AUTH_ALGS] = {
    [AUTH_HS256] =
        {"{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75"
         "aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}",
         "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." RFC_CLAIMS
         ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
    [AUTH_RS256] =
        {"{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_"
         "wWJcyQoTbji9k0l8W26mPddxHmfHQp-"
         "Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb"
         "_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlx"
         "vb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h"
         "4FRWyuXpoQ\",\"e\":\"AQAB\"}",
         "eyJhbGciOiJSUzI1NiJ9." RFC_CLAIMS
         ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W"
         "2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSj"
         "tQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh"
         "6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
    [AUTH_ES256] =
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvR"
         "VEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
         "eyJhbGciOiJFUzI1NiJ9." RFC_CLAIMS
         ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6"
         "NU1Q"},
};

static struct auth_keys *rfc_key(enum auth_alg alg)
{
    char json[1024];
    struct error_text why = {0};
    struct auth_keys *keys = calloc(1, sizeof *keys);
    assert_non_null(keys);
    snprintf(json, sizeof json, "{\"keys\":[%s]}", rfc[alg].jwk);
    if (auth_jwks_read(keys, text_of(json), &why) != 0)
        fail_msg("%s: %s", auth_alg_name(alg), why.text);
    assert_int_equal(keys->count, 1);
    assert_int_equal(keys->keys[0].alg, alg);
    return keys;
}

static void verifies_the_examples_of_the_rfc(void **state)
{
    (void)state;
    for (enum auth_alg alg = 0; alg < AUTH_ALGS; alg++) {
        struct auth_keys *keys = rfc_key(alg);
        struct auth_token_parts parts;
        uint8_t signature[AUTH_SIGNATURE_MAX];
        size_t size;
        assert_int_equal(auth_token_split(text_of(rfc[alg].token), &parts), 0);
        assert_int_equal(auth_base64url_read(parts.signature, signature, sizeof signature, &size),
                         0);
        assert_true(auth_key_verify(&keys->keys[0], parts.input, signature, size));
        for (size_t i = 0; i < size; i++) { /* no byte of it is idle */
            signature[i] ^= 1;
            assert_false(auth_key_verify(&keys->keys[0], parts.input, signature, size));
            signature[i] ^= 1;
        }
        for (size_t cut = 0; cut < size; cut++)
            assert_false(auth_key_verify(&keys->keys[0], parts.input, signature, cut));
        parts.input.size--;
        assert_false(auth_key_verify(&keys->keys[0], parts.input, signature, size));
        auth_keys_free(keys);
    }
}

static void what_a_new_key_signs_it_verifies(void **state)
{
    (void)state;
    for (enum auth_alg alg = 0; alg < AUTH_ALGS; alg++) {
        struct buffer secret = {0}, open = {0};
        struct auth_key signer = {0}, verifier = {0};
        uint8_t signature[AUTH_SIGNATURE_MAX];
        size_t size;
        assert_int_equal(auth_key_make(alg, &secret, &open), 0);
        if (alg == AUTH_HS256) {
            assert_int_equal(secret.size, 43);
            assert_int_equal(auth_key_of_secret(&signer, buffer_text(&secret), NULL), 0);
            assert_int_equal(auth_key_of_secret(&verifier, buffer_text(&secret), NULL), 0);
        } else {
            assert_int_equal(auth_key_of_pem(&signer, buffer_text(&secret), true, NULL), 0);
            assert_int_equal(auth_key_of_pem(&verifier, buffer_text(&open), false, NULL), 0);
        }
        assert_int_equal(verifier.alg, alg);
        for (int i = 0; i < 50; i++) { /* r and s begin with zeros once in a while */
            char input[32];
            snprintf(input, sizeof input, "input %d", i);
            assert_int_equal(auth_key_sign(&signer, text_of(input), signature, &size), 0);
            assert_true(auth_key_verify(&verifier, text_of(input), signature, size));
            assert_false(auth_key_verify(&verifier, TEXT("another"), signature, size));
            i += alg == AUTH_RS256 ? 20 : 0; /* dear under the sanitizers */
        }
        if (alg != AUTH_HS256)
            assert_int_equal(auth_key_sign(&verifier, TEXT("x"), signature, &size), -EINVAL);
        auth_key_done(&signer);
        auth_key_done(&verifier);
        buffer_free(&secret);
        buffer_free(&open);
    }
}

static void a_secret_has_its_bounds(void **state)
{
    (void)state;
    char bytes[AUTH_SECRET_MAX + 1];
    memset(bytes, 'x', sizeof bytes);
    static const struct {
        size_t size;
        int expected;
    } rows[] = {{0, -EINVAL},
                {AUTH_SECRET_MIN - 1, -EINVAL},
                {AUTH_SECRET_MIN, 0},
                {AUTH_SECRET_MAX, 0},
                {AUTH_SECRET_MAX + 1, -EINVAL}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct auth_key key = {0};
        assert_int_equal(auth_key_of_secret(&key, (struct text){bytes, rows[i].size}, NULL),
                         rows[i].expected);
        auth_key_done(&key);
    }
    bytes[63] = '\n';
    struct auth_key key = {0};
    assert_int_equal(auth_key_of_secret(&key, (struct text){bytes, 64}, NULL), -EINVAL);
}

/* openssl genrsa 1024; ecparam -name secp384r1; ed25519: the public keys. */
static const struct {
    const char *pem, *why;
} refused[] = {
    {"", "no public key"},
    {"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "no public key"},
    {"-----BEGIN PUBLIC KEY-----\n"
     "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCg61uM+EBHGWpULkVcQuAFqoLc\n"
     "0Llk3eV1xTMPTl3rpK71ZF83NgppYCVymFiyeTXfPMZm1YvIS4tjoz7nJn5UjXEG\n"
     "8B0uaSrG1KZhZbDWoGjaNjodJH/SICkywTkIEh7OC9NtT0N5NQMqNoFP3O5C+63V\n"
     "pqlH2eP8zLAZRyotnwIDAQAB\n"
     "-----END PUBLIC KEY-----\n",
     "has 1024 bits"},
    {"-----BEGIN PUBLIC KEY-----\n"
     "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAESYHVgk7hrC98EkR2isL8Zx6WRofdNE2I\n"
     "wXVeCl9kRWmUdai8bkC35QHODWEPdLDPJKWRR81RqbAnmCgK8q4oMC07FURjgxG8\n"
     "OmTK9oduCm7G1cQi5JYfkyL5s0fsgiCY\n"
     "-----END PUBLIC KEY-----\n",
     "must be P-256"},
    {"-----BEGIN PUBLIC KEY-----\n"
     "MCowBQYDK2VwAyEA7WmCFPd2KfzvicmzHR737aphEx4WH1oLI+nJkUUUwfU=\n"
     "-----END PUBLIC KEY-----\n",
     "neither RSA nor EC"},
    {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "a private key stands"},
};

static void a_public_key_that_will_not_do_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        struct auth_key key = {0};
        struct error_text why = {0};
        assert_int_equal(auth_key_of_pem(&key, text_of(refused[i].pem), false, &why), -EINVAL);
        if (strstr(why.text, refused[i].why) == NULL)
            fail_msg("expected '%s' in: %s", refused[i].why, why.text);
        assert_null(key.pkey);
    }
}

static void a_private_key_is_not_taken_for_a_public_one(void **state)
{
    (void)state;
    struct buffer secret = {0}, open = {0};
    struct auth_key key = {0};
    struct error_text why = {0};
    assert_int_equal(auth_key_make(AUTH_ES256, &secret, &open), 0);
    assert_int_equal(auth_key_of_pem(&key, buffer_text(&secret), false, &why), -EINVAL);
    assert_non_null(strstr(why.text, "a private key stands there"));
    assert_int_equal(auth_key_of_pem(&key, buffer_text(&open), true, &why), -EINVAL);
    buffer_free(&secret);
    buffer_free(&open);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verifies_the_examples_of_the_rfc),
        cmocka_unit_test(what_a_new_key_signs_it_verifies),
        cmocka_unit_test(a_secret_has_its_bounds),
        cmocka_unit_test(a_public_key_that_will_not_do_is_refused),
        cmocka_unit_test(a_private_key_is_not_taken_for_a_public_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
