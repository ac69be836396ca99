#include "auth/settings.h"

#include <errno.h>

static const char *const formats[] = {"pem", "secret", "jwks", NULL};

/* clang-format off */
const struct setting auth_key_settings_table[] = {
    SETTING_TEXT(struct auth_key_settings, file, "file", "", 1, "Path of the file.", SETTING_REQUIRED),
    SETTING_ENUM(struct auth_key_settings, format, "format", AUTH_FORMAT_PEM, formats,
        "pem: a public key, RSA (RS256) or P-256 (ES256); secret: the bytes of a secret (HS256); jwks: a JWK Set."),
    SETTING_TEXT_VALID(struct auth_key_settings, kid, "kid", "", 0, auth_is_kid,
        "a key's name: 1 to 64 printable ASCII characters", "What tokens call the key; a JWK Set says it itself."),
    SETTINGS_END,
};
/* clang-format on */

int auth_settings_fit(const struct auth_settings *settings, struct error_text *reterr_why)
{
    if (settings->required && settings->key_count == 0)
        return error_text_set(reterr_why, -EINVAL,
                              "'auth.keys' is empty, must name a key while 'auth.required' is "
                              "true");
    if (settings->key_count == 0)
        return 0;
    if (settings->issuer[0] == '\0' || settings->audience[0] == '\0')
        return error_text_set(reterr_why, -EINVAL,
                              "'auth.%s' is empty, must be what tokens say while there are keys",
                              settings->issuer[0] == '\0' ? "issuer" : "audience");
    for (size_t i = 0; i < settings->key_count; i++)
        if (settings->keys[i].format == AUTH_FORMAT_JWKS && settings->keys[i].kid[0] != '\0')
            return error_text_set(reterr_why, -EINVAL,
                                  "'auth.keys[%zu].kid' is '%s', must not be given: a JWK Set "
                                  "names its keys itself",
                                  i, settings->keys[i].kid);
    return 0;
}
