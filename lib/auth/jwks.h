/* A JWK Set (RFC 7517): {"keys":[...]}. */
#pragma once

#include "auth/keys.h"

/* Adds the keys of kinds that are known: oct (HS256), RSA (RS256), EC on P-256 (ES256). A key of
 * another kind, curve or algorithm, or one that is not for signatures, is passed over, as the RFC
 * asks. One of a known kind that is damaged or private is an error, for then it would be missed in
 * silence: -EINVAL with the reason; what was added before it stays. */
MUST_USE int auth_jwks_read(struct auth_keys *keys, struct text json,
                            struct error_text *reterr_why);
