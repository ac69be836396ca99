#include "auth/key.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

enum {
    HMAC_SIZE = 32,
    EC_RAW_SIZE = 2 * AUTH_EC_SIZE,
    EC_DER_MAX = 80, /* two numbers of up to 33 bytes and their heads */
};

static const char *const names[AUTH_ALGS] = {
    [AUTH_HS256] = "HS256",
    [AUTH_RS256] = "RS256",
    [AUTH_ES256] = "ES256",
};

const char *auth_alg_name(enum auth_alg alg)
{
    return names[alg];
}

int auth_alg_parse(struct text name, enum auth_alg *ret_alg)
{
    for (enum auth_alg alg = 0; alg < AUTH_ALGS; alg++) {
        if (text_equal(name, text_of(names[alg]))) {
            *ret_alg = alg;
            return 0;
        }
    }
    return -ENOENT;
}

bool auth_is_kid(struct text text)
{
    return text.size <= AUTH_KID_MAX && text_is_device_id(text);
}

void auth_key_done(struct auth_key *key)
{
    EVP_PKEY_free(key->pkey);
    if (key->secret.data != NULL)
        OPENSSL_cleanse(key->secret.data, key->secret.capacity);
    buffer_free(&key->secret);
    *key = (struct auth_key){0};
}

int auth_key_of_secret(struct auth_key *key, struct text secret, struct error_text *reterr_why)
{
    if (secret.size < AUTH_SECRET_MIN || secret.size > AUTH_SECRET_MAX)
        return error_text_set(reterr_why, -EINVAL, "the secret has %zu bytes, must be %d to %d",
                              secret.size, AUTH_SECRET_MIN, AUTH_SECRET_MAX);
    if (secret.data[secret.size - 1] == '\n')
        return error_text_set(reterr_why, -EINVAL,
                              "the secret ends with a line end; is that part of it? Make it "
                              "without");
    struct buffer copy = {0};
    buffer_append_text(&copy, secret);
    if (copy.failed)
        return error_text_set(reterr_why, -ENOMEM, "memory is short");
    key->alg = AUTH_HS256;
    key->secret = copy;
    return 0;
}

/* HMAC. */

static bool hmac(const struct auth_key *key, struct text input, uint8_t code[HMAC_SIZE])
{
    unsigned size = HMAC_SIZE;
    return HMAC(EVP_sha256(), key->secret.data, (int)key->secret.size, (const uint8_t *)input.data,
                input.size, code, &size) != NULL;
}

static bool verify_hmac(const struct auth_key *key, struct text input, const uint8_t *signature,
                        size_t size)
{
    uint8_t code[HMAC_SIZE];
    return size == HMAC_SIZE && hmac(key, input, code) &&
           CRYPTO_memcmp(code, signature, HMAC_SIZE) == 0; /* in constant time */
}

/* RSA and ECDSA. */

static bool verify_digest(const struct auth_key *key, struct text input, const uint8_t *signature,
                          size_t size)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good =
        context != NULL &&
        EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
        EVP_DigestVerify(context, signature, size, (const uint8_t *)input.data, input.size) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return good;
}

/* From r and s to DER; 0 when it cannot be. */
static size_t der_of_raw(const uint8_t raw[EC_RAW_SIZE], uint8_t der[EC_DER_MAX])
{
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, AUTH_EC_SIZE, NULL);
    BIGNUM *s = BN_bin2bn(raw + AUTH_EC_SIZE, AUTH_EC_SIZE, NULL);
    int size = 0;
    if (pair == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
        BN_free(r);
        BN_free(s);
    } else if (i2d_ECDSA_SIG(pair, NULL) <= EC_DER_MAX) {
        size = i2d_ECDSA_SIG(pair, &der);
    }
    ECDSA_SIG_free(pair);
    return size > 0 ? (size_t)size : 0;
}

static bool raw_of_der(const uint8_t *der, size_t der_size, uint8_t raw[EC_RAW_SIZE])
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)der_size);
    bool good =
        pair != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, AUTH_EC_SIZE) == AUTH_EC_SIZE &&
        BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + AUTH_EC_SIZE, AUTH_EC_SIZE) == AUTH_EC_SIZE;
    ECDSA_SIG_free(pair);
    return good;
}

static bool verify_ec(const struct auth_key *key, struct text input, const uint8_t *signature,
                      size_t size)
{
    uint8_t der[EC_DER_MAX];
    size_t der_size = size == EC_RAW_SIZE ? der_of_raw(signature, der) : 0;
    return der_size > 0 && verify_digest(key, input, der, der_size);
}

bool auth_key_verify(const struct auth_key *key, struct text input, const uint8_t *signature,
                     size_t size)
{
    switch (key->alg) {
    case AUTH_HS256:
        return verify_hmac(key, input, signature, size);
    case AUTH_RS256:
        return verify_digest(key, input, signature, size);
    case AUTH_ES256:
        return verify_ec(key, input, signature, size);
    default:
        return false;
    }
}

/* Signing. */

static int sign_digest(const struct auth_key *key, struct text input, uint8_t *signature,
                       size_t *size)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good =
        context != NULL && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
        EVP_DigestSign(context, signature, size, (const uint8_t *)input.data, input.size) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return good ? 0 : -EINVAL;
}

int auth_key_sign(const struct auth_key *key, struct text input,
                  uint8_t signature[AUTH_SIGNATURE_MAX], size_t *ret_size)
{
    uint8_t der[AUTH_SIGNATURE_MAX];
    size_t size = AUTH_SIGNATURE_MAX;
    int err = 0;
    if (key->alg == AUTH_HS256) {
        err = hmac(key, input, signature) ? 0 : -EINVAL;
        size = HMAC_SIZE;
    } else if (key->alg == AUTH_RS256) {
        err = sign_digest(key, input, signature, &size);
    } else {
        err = sign_digest(key, input, der, &size);
        if (err == 0 && !raw_of_der(der, size, signature))
            err = -EINVAL;
        size = EC_RAW_SIZE;
    }
    if (err == 0)
        *ret_size = size;
    return err;
}
