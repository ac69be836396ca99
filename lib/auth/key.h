/* One key and what it signs or verifies, by OpenSSL's libcrypto. The key says the algorithm: what a
 * token names is only compared with it. A key that was made is never changed, so any thread may
 * verify with it. */
#pragma once

#include "base/buffer.h"
#include "base/error_text.h"
#include "base/macros.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum auth_alg { AUTH_HS256, AUTH_RS256, AUTH_ES256, AUTH_ALGS };

enum {
    AUTH_KID_MAX = 64,
    AUTH_SECRET_MIN = 32, /* bytes; RFC 7518, 3.2: as long as the hash */
    AUTH_SECRET_MAX = 1024,
    AUTH_RSA_BITS_MIN = 2048,
    AUTH_RSA_BITS_MAX = 8192,
    AUTH_EC_SIZE = 32, /* bytes of a coordinate of P-256 */
    AUTH_SIGNATURE_MAX = AUTH_RSA_BITS_MAX / 8,
};

struct evp_pkey_st; /* OpenSSL's EVP_PKEY */

/* Zeroed before one of auth_key_...(); they fill it or leave it alone. */
struct auth_key {
    enum auth_alg alg;
    char kid[AUTH_KID_MAX + 1]; /* set by the caller; empty: it has none */
    struct evp_pkey_st *pkey;   /* RS256, ES256 */
    struct buffer secret;       /* HS256 */
};
void auth_key_done(struct auth_key *key); /* the secret is wiped */

const char *auth_alg_name(enum auth_alg alg); /* "HS256" */
/* -ENOENT. */
MUST_USE int auth_alg_parse(struct text name, enum auth_alg *ret_alg);
/* What a kid may be: 1 to AUTH_KID_MAX bytes of printable ASCII, space excluded. */
bool auth_is_kid(struct text text);

/* -EINVAL with the reason, -ENOMEM. A secret is the bytes as they are; one that ends with a line
 * end is refused, for nobody can tell whether it is meant. */
MUST_USE int auth_key_of_secret(struct auth_key *key, struct text secret,
                                struct error_text *reterr_why);
/* SubjectPublicKeyInfo ("BEGIN PUBLIC KEY"), or with `private_key` an unencrypted private key. RSA
 * becomes RS256, P-256 ES256. A private key where a public one is asked for is refused. */
MUST_USE int auth_key_of_pem(struct auth_key *key, struct text pem, bool private_key,
                             struct error_text *reterr_why);
/* From big-endian numbers; the point of a P-256 key must lie on the curve. */
MUST_USE int auth_key_of_rsa(struct auth_key *key, struct text modulus, struct text exponent,
                             struct error_text *reterr_why);
MUST_USE int auth_key_of_ec(struct auth_key *key, const uint8_t x[AUTH_EC_SIZE],
                            const uint8_t y[AUTH_EC_SIZE], struct error_text *reterr_why);

/* Signatures are as JWS has them: that of ES256 is r and s, 32 bytes each. */
bool auth_key_verify(const struct auth_key *key, struct text input, const uint8_t *signature,
                     size_t size);
/* Needs a secret or a private key. -EINVAL when the key cannot sign. */
MUST_USE int auth_key_sign(const struct auth_key *key, struct text input,
                           uint8_t signature[AUTH_SIGNATURE_MAX], size_t *ret_size);

/* A new key: of HS256 the secret as 43 characters of base64url, else a private key in PEM; and,
 * when there is one, the public key in PEM. Appended. -ENOMEM. */
MUST_USE int auth_key_make(enum auth_alg alg, struct buffer *secret_out, struct buffer *public_out);
