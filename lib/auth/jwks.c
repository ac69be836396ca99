#include "auth/jwks.h"

#include "auth/base64url.h"
#include "json/json.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

enum { NUMBER_MAX = 1024 }; /* bytes of a member that holds a number or a secret */

struct jwk {
    struct json_value kty, use, key_ops, alg, kid, crv, k, n, e, x, y, d;
};

static bool is_string(struct json_value value, const char *word)
{
    char room[16];
    struct text text;
    return value.type == JSON_STRING && json_string_read(value, room, sizeof room, &text) == 0 &&
           text_equal(text, text_of(word));
}

/* Absent, or a list with "verify". */
static bool may_verify(struct json_value key_ops)
{
    struct json_reader reader;
    struct json_value value;
    if (key_ops.type != JSON_ARRAY || json_array_open(&reader, key_ops.raw) != 0)
        return key_ops.type == JSON_ABSENT;
    while (json_array_next(&reader, &value) == 1)
        if (is_string(value, "verify"))
            return true;
    return false;
}

static const struct kind {
    const char *kty;
    enum auth_alg alg;
} kinds[] = {{"oct", AUTH_HS256}, {"RSA", AUTH_RS256}, {"EC", AUTH_ES256}};

/* NULL: not one of ours, or not for this. */
static const struct kind *kind_of(const struct jwk *jwk)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (!is_string(jwk->kty, kinds[i].kty))
            continue;
        bool fits =
            (jwk->use.type == JSON_ABSENT || is_string(jwk->use, "sig")) &&
            may_verify(jwk->key_ops) &&
            (jwk->alg.type == JSON_ABSENT || is_string(jwk->alg, auth_alg_name(kinds[i].alg))) &&
            (kinds[i].alg != AUTH_ES256 || is_string(jwk->crv, "P-256"));
        return fits ? &kinds[i] : NULL;
    }
    return NULL;
}

static int read_number(struct json_value value, const char *name, uint8_t room[NUMBER_MAX],
                       struct text *ret_number, struct error_text *reterr_why)
{
    char text_room[NUMBER_MAX * 4 / 3 + 4];
    struct text text;
    size_t size;
    if (value.type != JSON_STRING ||
        json_string_read(value, text_room, sizeof text_room, &text) != 0 ||
        auth_base64url_read(text, room, NUMBER_MAX, &size) != 0)
        return error_text_set(reterr_why, -EINVAL, "'%s' is missing, no base64url or too long",
                              name);
    *ret_number = (struct text){.data = (const char *)room, .size = size};
    return 0;
}

static int read_secret(struct auth_key *key, const struct jwk *jwk, struct error_text *reterr_why)
{
    uint8_t room[NUMBER_MAX];
    struct text secret;
    int err = read_number(jwk->k, "k", room, &secret, reterr_why);
    if (err == 0)
        err = auth_key_of_secret(key, secret, reterr_why);
    OPENSSL_cleanse(room, sizeof room);
    return err;
}

static int read_rsa(struct auth_key *key, const struct jwk *jwk, struct error_text *reterr_why)
{
    uint8_t n_room[NUMBER_MAX], e_room[NUMBER_MAX];
    struct text n, e;
    int err = read_number(jwk->n, "n", n_room, &n, reterr_why);
    if (err == 0)
        err = read_number(jwk->e, "e", e_room, &e, reterr_why);
    return err == 0 ? auth_key_of_rsa(key, n, e, reterr_why) : err;
}

static int read_ec(struct auth_key *key, const struct jwk *jwk, struct error_text *reterr_why)
{
    uint8_t x_room[NUMBER_MAX], y_room[NUMBER_MAX];
    struct text x, y;
    int err = read_number(jwk->x, "x", x_room, &x, reterr_why);
    if (err == 0)
        err = read_number(jwk->y, "y", y_room, &y, reterr_why);
    if (err == 0 && (x.size != AUTH_EC_SIZE || y.size != AUTH_EC_SIZE))
        err = error_text_set(reterr_why, -EINVAL, "'x' and 'y' are not of %d bytes", AUTH_EC_SIZE);
    return err == 0 ? auth_key_of_ec(key, x_room, y_room, reterr_why) : err;
}

static int read_kid(struct auth_key *key, struct json_value kid, struct error_text *reterr_why)
{
    char room[AUTH_KID_MAX];
    struct text text;
    if (kid.type == JSON_ABSENT)
        return 0;
    if (kid.type != JSON_STRING || json_string_read(kid, room, sizeof room, &text) != 0 ||
        !auth_is_kid(text))
        return error_text_set(reterr_why, -EINVAL,
                              "'kid' is not 1 to %d printable ASCII characters", AUTH_KID_MAX);
    return text_put(key->kid, sizeof key->kid, text);
}

static int read_key(struct auth_keys *keys, const struct jwk *jwk, const struct kind *kind,
                    struct error_text *reterr_why)
{
    struct auth_key *key;
    if (kind->alg != AUTH_HS256 && jwk->d.type != JSON_ABSENT)
        return error_text_set(reterr_why, -EINVAL,
                              "it is a private key; who verifies needs the public one only");
    int err = auth_keys_add(keys, &key, reterr_why);
    if (err == 0 && kind->alg == AUTH_HS256)
        err = read_secret(key, jwk, reterr_why);
    else if (err == 0)
        err = kind->alg == AUTH_RS256 ? read_rsa(key, jwk, reterr_why)
                                      : read_ec(key, jwk, reterr_why);
    return err == 0 ? read_kid(key, jwk->kid, reterr_why) : err;
}

static int read_entry(struct auth_keys *keys, struct json_value entry, size_t index,
                      struct error_text *reterr_why)
{
    struct jwk jwk;
    struct error_text why = {"it is no JSON object with its members once"};
    const struct json_pick picks[] = {
        {"kty", &jwk.kty}, {"use", &jwk.use}, {"key_ops", &jwk.key_ops},
        {"alg", &jwk.alg}, {"kid", &jwk.kid}, {"crv", &jwk.crv},
        {"k", &jwk.k},     {"n", &jwk.n},     {"e", &jwk.e},
        {"x", &jwk.x},     {"y", &jwk.y},     {"d", &jwk.d},
    };
    int err = -EINVAL;
    if (entry.type == JSON_OBJECT && json_object_pick(entry.raw, picks, COUNT_OF(picks)) == 0) {
        const struct kind *kind = kind_of(&jwk);
        err = kind == NULL ? 0 : read_key(keys, &jwk, kind, &why);
    }
    return err == 0 ? 0 : error_text_set(reterr_why, err, "key %zu: %s", index + 1, why.text);
}

int auth_jwks_read(struct auth_keys *keys, struct text json, struct error_text *reterr_why)
{
    struct json_value list, entry;
    struct json_reader reader;
    const struct json_pick picks[] = {{"keys", &list}};
    if (json_object_pick(json, picks, 1) != 0 || list.type != JSON_ARRAY ||
        json_array_open(&reader, list.raw) != 0)
        return error_text_set(reterr_why, -EINVAL, "it is no JWK Set: {\"keys\":[...]}");
    int err = 0;
    for (size_t i = 0; err == 0 && json_array_next(&reader, &entry) == 1; i++)
        err = read_entry(keys, entry, i, reterr_why);
    return err;
}
