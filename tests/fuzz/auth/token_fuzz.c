/* Any bytes as a token: judged to the first reason and to the last. A good one says who somebody
 * is, and both ways of judging agree whether it is good. */
#include "auth/token.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW_S = 1790000000 };

static const struct auth_settings settings = {
    .issuer = "i", .audience = "a", .leeway_ms = 30000, .lifetime_max_ms = 86400000};

static const struct auth_keys *keys_of_all_kinds(void)
{
    static struct auth_keys keys;
    struct auth_key *key;
    uint8_t x[AUTH_EC_SIZE] = {/* the base point of P-256 */
                               0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6,
                               0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb,
                               0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96};
    uint8_t y[AUTH_EC_SIZE] = {0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb,
                               0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31,
                               0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5};
    if (keys.count > 0)
        return &keys;
    int err = auth_keys_add(&keys, &key, NULL);
    assert(err == 0);
    err = auth_key_of_secret(key, TEXT("0123456789abcdef0123456789abcdef"), NULL);
    assert(err == 0);
    strcpy(key->kid, "h");
    err = auth_keys_add(&keys, &key, NULL);
    assert(err == 0);
    err = auth_key_of_ec(key, x, y, NULL);
    assert(err == 0);
    strcpy(key->kid, "e");
    return &keys;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text token = {(const char *)data, size};
    const struct auth_keys *keys = keys_of_all_kinds();
    struct auth_verdict verdict;
    struct auth_identity identity;
    enum auth_reason reason;
    auth_token_judge(&settings, keys, token, NOW_S * 1000LL, true, &verdict);
    int answer = auth_token_verify(&settings, keys, token, NOW_S * 1000LL, &identity, &reason);
    assert(answer == (verdict.reasons == 0 ? 0 : -EACCES));
    if (answer == 0) {
        assert(text_is_user_id(text_of(identity.user)));
        assert(identity.expires_at_s > NOW_S - 31 && identity.issued_at_s < NOW_S + 31);
    } else {
        assert(reason < AUTH_REASONS_COUNT && (verdict.reasons >> reason & 1) != 0);
    }
    return 0;
}
