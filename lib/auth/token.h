/* A token: a JWT (RFC 7519) as a compact JWS (RFC 7515), signed by HS256, RS256 or ES256. Pure: the
 * time comes in, the keys come in, a verdict goes out.
 *
 * The key is chosen by `kid`, and the key says the algorithm; `alg` of the token must equal it, so
 * "none", or an HMAC under a public key, is never tried. Nothing of the claims is looked at before
 * the signature was found good. Header and claims are objects with each member once, at most
 * AUTH_MEMBERS_MAX of them; `crit` is refused, since no extension is known here.
 *
 * Claims: `iss` as the settings say; `aud` is, or lists, the audience; `sub`, a user id; `exp` and
 * `iat`, whole seconds, at most the longest lifetime apart (without `iat` nobody could say when a
 * revocation has outlived the tokens it is about). Where they are there: `nbf`; `jti`, 1 to 64
 * printable ASCII characters; `device`, a device id; `home`, a region's name; `tenant`, as `jti`.
 * `scope` is a text of words with spaces between (RFC 8693, 4.2); of any other type it has none. */
#pragma once

#include "auth/keys.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    AUTH_TOKEN_MAX = 4096, /* bytes */
    AUTH_MEMBERS_MAX = 64, /* of the header, of the claims */
};

/* Why a token is refused: for the log and the operator. Peers are told one and the same thing. */
#define AUTH_REASONS(X)                                                                            \
    X(TOO_LONG, "it is longer than 4096 bytes")                                                    \
    X(FORM, "it is not three parts of base64url with dots between")                                \
    X(HEADER, "its header is no JSON object with each of up to 64 members once")                   \
    X(CRIT, "its header has 'crit'")                                                               \
    X(KEY, "its 'kid' names no key that is known here")                                            \
    X(ALG, "its 'alg' is not the algorithm of the key")                                            \
    X(SIGNATURE, "its signature is not one of the key")                                            \
    X(CLAIMS, "its claims are no JSON object with each of up to 64 members once")                  \
    X(ISS, "'iss' is not the issuer")                                                              \
    X(AUD, "'aud' does not name the audience")                                                     \
    X(SUB, "'sub' is no user id: 1 to 128 bytes of UTF-8 without controls")                        \
    X(EXP, "'exp' is no whole number of seconds")                                                  \
    X(EXPIRED, "it has expired")                                                                   \
    X(NBF, "'nbf' is no whole number of seconds")                                                  \
    X(TOO_EARLY, "'nbf' is still to come")                                                         \
    X(IAT, "'iat' is no whole number of seconds")                                                  \
    X(FROM_FUTURE, "'iat' is still to come")                                                       \
    X(LIFETIME, "it lives longer, from 'iat' to 'exp', than allowed")                              \
    X(JTI, "'jti' is not 1 to 64 printable ASCII characters")                                      \
    X(DEVICE, "'device' is not 1 to 64 printable ASCII characters")                                \
    X(HOME, "'home' is no name of a region")                                                       \
    X(TENANT, "'tenant' is not 1 to 64 printable ASCII characters")

enum auth_reason {
#define AUTH_REASON(name, text) AUTH_REFUSED_##name,
    AUTH_REASONS(AUTH_REASON)
#undef AUTH_REASON
        AUTH_REASONS_COUNT
};
const char *auth_reason_text(enum auth_reason reason);

/* What a good token says. Texts are terminated; empty: not said. */
struct auth_identity {
    char user[TEXT_USER_MAX + 1];
    char device[TEXT_DEVICE_MAX + 1];
    char token_id[TEXT_MESSAGE_ID_MAX + 1];
    char home[TEXT_REGION_MAX + 1];
    char tenant[TEXT_MESSAGE_ID_MAX + 1];
    bool admin;          /* `scope` has the settings' word for it */
    bool service;        /* and for this */
    int64_t issued_at_s; /* since 1970, as the next */
    int64_t expires_at_s;
};

struct auth_verdict {
    uint32_t reasons; /* bits 1 << enum auth_reason; 0: the token is good */
    /* Filled as far as the claims were read; to be believed only when the token is good. */
    struct auth_identity identity;
};

/* `now_ms` since 1970. Judged to the first reason, or with `all` as far as it can be read, the
 * claims of a token with a bad signature too. */
void auth_token_judge(const struct auth_settings *settings, const struct auth_keys *keys,
                      struct text token, int64_t now_ms, bool all, struct auth_verdict *ret);
/* -EACCES when the token is not good; `reterr_reason` says why. */
MUST_USE int auth_token_verify(const struct auth_settings *settings, const struct auth_keys *keys,
                               struct text token, int64_t now_ms, struct auth_identity *ret,
                               enum auth_reason *reterr_reason);

/* The parts of a token, borrowed. */
struct auth_token_parts {
    struct text header, claims, signature; /* in base64url */
    struct text input;                     /* what is signed: header, dot, claims */
};
/* -EBADMSG. */
MUST_USE int auth_token_split(struct text token, struct auth_token_parts *ret);

/* Signs `claims`, a JSON object, which are not looked at: appends the token. -EINVAL when the key
 * cannot sign, -ENOMEM. */
MUST_USE int auth_token_make(const struct auth_key *key, struct text claims, struct buffer *out);
