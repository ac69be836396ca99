/* Keys for RSA and P-256: from PEM, from numbers, and new ones. */
#include "auth/base64url.h"
#include "auth/key.h"

#include "base/hash.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <string.h>

static const char curve[] = "prime256v1";

/* The default would ask at the terminal. */
static int on_passphrase(char *room, int size, int writing, void *context)
{
    (void)room;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

static int refuse_rsa(EVP_PKEY *pkey, struct error_text *reterr_why)
{
    int bits = EVP_PKEY_get_bits(pkey);
    if (bits < AUTH_RSA_BITS_MIN || bits > AUTH_RSA_BITS_MAX)
        return error_text_set(reterr_why, -EINVAL, "the RSA key has %d bits, must be %d to %d",
                              bits, AUTH_RSA_BITS_MIN, AUTH_RSA_BITS_MAX);
    return 0;
}

static int refuse_ec(EVP_PKEY *pkey, struct error_text *reterr_why)
{
    char name[64] = "";
    if (EVP_PKEY_get_group_name(pkey, name, sizeof name, NULL) != 1 || strcmp(name, curve) != 0)
        return error_text_set(reterr_why, -EINVAL, "the curve of the EC key is '%s', must be P-256",
                              name);
    return 0;
}

static int check_public(EVP_PKEY *pkey, struct error_text *reterr_why)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(pkey, NULL);
    bool good = context != NULL && EVP_PKEY_public_check(context) == 1;
    EVP_PKEY_CTX_free(context);
    return good ? 0 : error_text_set(reterr_why, -EINVAL, "the key's numbers make no key");
}

/* Takes `pkey`, also on failure. */
static int take_pkey(struct auth_key *key, EVP_PKEY *pkey, struct error_text *reterr_why)
{
    int err;
    int kind = EVP_PKEY_get_base_id(pkey);
    if (kind == EVP_PKEY_RSA)
        err = refuse_rsa(pkey, reterr_why);
    else if (kind == EVP_PKEY_EC)
        err = refuse_ec(pkey, reterr_why);
    else
        err = error_text_set(reterr_why, -EINVAL, "the key is neither RSA nor EC");
    if (err == 0)
        err = check_public(pkey, reterr_why);
    ERR_clear_error();
    if (err != 0) {
        EVP_PKEY_free(pkey);
        return err;
    }
    key->alg = kind == EVP_PKEY_RSA ? AUTH_RS256 : AUTH_ES256;
    key->pkey = pkey;
    return 0;
}

static EVP_PKEY *read_pem(struct text pem, bool private_key)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    EVP_PKEY *pkey = NULL;
    if (bio != NULL)
        pkey = private_key ? PEM_read_bio_PrivateKey(bio, NULL, on_passphrase, NULL)
                           : PEM_read_bio_PUBKEY(bio, NULL, on_passphrase, NULL);
    BIO_free(bio);
    ERR_clear_error();
    return pkey;
}

int auth_key_of_pem(struct auth_key *key, struct text pem, bool private_key,
                    struct error_text *reterr_why)
{
    EVP_PKEY *pkey = read_pem(pem, private_key);
    if (pkey != NULL)
        return take_pkey(key, pkey, reterr_why);
    if (private_key)
        return error_text_set(reterr_why, -EINVAL,
                              "no private key in PEM without a passphrase stands there");
    if (memmem(pem.data, pem.size, "PRIVATE KEY", 11) != NULL)
        return error_text_set(reterr_why, -EINVAL,
                              "a private key stands there; who verifies needs the public one only");
    return error_text_set(reterr_why, -EINVAL,
                          "no public key in PEM (BEGIN PUBLIC KEY) stands there");
}

/* Frees `parts`. NULL when it is no key. */
static EVP_PKEY *pkey_of_parts(const char *kind, OSSL_PARAM_BLD *parts, bool built)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = built ? OSSL_PARAM_BLD_to_param(parts) : NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    if (params == NULL || context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(parts);
    ERR_clear_error();
    return pkey;
}

int auth_key_of_rsa(struct auth_key *key, struct text modulus, struct text exponent,
                    struct error_text *reterr_why)
{
    /* Bounded before it is computed with. */
    if (modulus.size > AUTH_RSA_BITS_MAX / 8 || exponent.size > 8)
        return error_text_set(reterr_why, -EINVAL, "the RSA key's numbers are too long");
    OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
    BIGNUM *n = BN_bin2bn((const uint8_t *)modulus.data, (int)modulus.size, NULL);
    BIGNUM *e = BN_bin2bn((const uint8_t *)exponent.data, (int)exponent.size, NULL);
    bool built = parts != NULL && n != NULL && e != NULL &&
                 OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
                 OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_E, e) == 1;
    EVP_PKEY *pkey = pkey_of_parts("RSA", parts, built);
    BN_free(n);
    BN_free(e);
    if (pkey == NULL)
        return error_text_set(reterr_why, -EINVAL, "the numbers are no RSA key");
    return take_pkey(key, pkey, reterr_why);
}

int auth_key_of_ec(struct auth_key *key, const uint8_t x[AUTH_EC_SIZE],
                   const uint8_t y[AUTH_EC_SIZE], struct error_text *reterr_why)
{
    uint8_t point[1 + 2 * AUTH_EC_SIZE] = {POINT_CONVERSION_UNCOMPRESSED};
    memcpy(point + 1, x, AUTH_EC_SIZE);
    memcpy(point + 1 + AUTH_EC_SIZE, y, AUTH_EC_SIZE);
    OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
    bool built =
        parts != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(parts, OSSL_PKEY_PARAM_GROUP_NAME, curve, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(parts, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) == 1;
    EVP_PKEY *pkey = pkey_of_parts("EC", parts, built);
    if (pkey == NULL)
        return error_text_set(reterr_why, -EINVAL, "the point does not lie on P-256");
    return take_pkey(key, pkey, reterr_why);
}

/* New ones. */

static int append_bio(struct buffer *out, BIO *bio)
{
    char *bytes;
    long size = BIO_get_mem_data(bio, &bytes);
    buffer_append(out, bytes, (size_t)size);
    return out->failed ? -ENOMEM : 0;
}

static int write_pem(EVP_PKEY *pkey, bool private_key, struct buffer *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool good = bio != NULL &&
                (private_key ? PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL)
                             : PEM_write_bio_PUBKEY(bio, pkey)) == 1;
    int err = good ? append_bio(out, bio) : -ENOMEM;
    BIO_free(bio);
    return err;
}

int auth_key_make(enum auth_alg alg, struct buffer *secret_out, struct buffer *public_out)
{
    if (alg == AUTH_HS256) {
        uint8_t secret[32];
        hash_random(secret, sizeof secret);
        auth_base64url_write(secret_out, secret, sizeof secret);
        return secret_out->failed ? -ENOMEM : 0;
    }
    EVP_PKEY *pkey = alg == AUTH_RS256 ? EVP_RSA_gen(AUTH_RSA_BITS_MIN) : EVP_EC_gen(curve);
    int err = pkey == NULL ? -ENOMEM : write_pem(pkey, true, secret_out);
    if (err == 0)
        err = write_pem(pkey, false, public_out);
    EVP_PKEY_free(pkey);
    return err;
}
