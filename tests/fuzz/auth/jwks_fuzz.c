/* Any bytes as a JWK Set: what is taken is a whole key, and can be asked to verify. */
#include "auth/jwks.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct auth_keys *keys = calloc(1, sizeof *keys);
    assert(keys != NULL);
    if (auth_jwks_read(keys, (struct text){(const char *)data, size}, NULL) == 0) {
        static const uint8_t signature[64];
        assert(keys->count <= AUTH_KEYS_MAX);
        for (size_t i = 0; i < keys->count; i++) {
            const struct auth_key *key = &keys->keys[i];
            assert(key->kid[0] == '\0' || auth_is_kid(text_of(key->kid)));
            assert((key->alg == AUTH_HS256) == (key->pkey == NULL));
            assert(!auth_key_verify(key, TEXT("input"), signature, sizeof signature));
        }
    }
    auth_keys_free(keys);
    return 0;
}
