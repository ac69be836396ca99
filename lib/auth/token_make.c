#include "auth/base64url.h"
#include "auth/token.h"

#include "json/json.h"

#include <errno.h>

static void write_header(const struct auth_key *key, struct buffer *out)
{
    struct buffer json = {0};
    buffer_printf(&json, "{\"alg\":\"%s\",\"typ\":\"JWT\"", auth_alg_name(key->alg));
    if (key->kid[0] != '\0') {
        buffer_append_text(&json, TEXT(",\"kid\":"));
        json_write_string(&json, text_of(key->kid));
    }
    buffer_append_text(&json, TEXT("}"));
    auth_base64url_write(out, json.data, json.size);
    out->failed = out->failed || json.failed;
    buffer_free(&json);
}

int auth_token_make(const struct auth_key *key, struct text claims, struct buffer *out)
{
    uint8_t signature[AUTH_SIGNATURE_MAX];
    size_t size;
    size_t begin = out->size;
    write_header(key, out);
    buffer_append_text(out, TEXT("."));
    auth_base64url_write(out, claims.data, claims.size);
    if (out->failed)
        return -ENOMEM;
    struct text whole = buffer_text(out);
    struct text input = {.data = whole.data + begin, .size = whole.size - begin};
    int err = auth_key_sign(key, input, signature, &size);
    if (err != 0)
        return err;
    buffer_append_text(out, TEXT("."));
    auth_base64url_write(out, signature, size);
    return out->failed ? -ENOMEM : 0;
}
