/* The claims, after the signature was found good. */
#include "auth/token_internal.h"

#include <string.h>

/* Year 9999: sums of it, in milliseconds, stay far from the end of 64 bits. */
enum { MS_PER_S = 1000 };
static const uint64_t seconds_max = 253402300799;

struct claims {
    struct json_value iss, aud, sub, exp, nbf, iat, jti, device, home, tenant, scope;
};

static bool is_text(struct json_value value, const char *wanted)
{
    char room[256];
    struct text text;
    return value.type == JSON_STRING && json_string_read(value, room, sizeof room, &text) == 0 &&
           text_equal(text, text_of(wanted));
}

static bool names_audience(struct json_value aud, const char *audience)
{
    struct json_reader reader;
    struct json_value one;
    if (aud.type != JSON_ARRAY)
        return is_text(aud, audience);
    if (json_array_open(&reader, aud.raw) != 0)
        return false;
    while (json_array_next(&reader, &one) == 1)
        if (is_text(one, audience))
            return true;
    return false;
}

/* Whether a text of words with spaces between has this one. No text has an empty word, and one of
 * more than the room has none. */
static bool has_word(struct json_value value, struct text word)
{
    char room[1024];
    struct text text;
    if (word.size == 0 || value.type != JSON_STRING ||
        json_string_read(value, room, sizeof room, &text) != 0)
        return false;
    while (text.size > 0) {
        const char *space = memchr(text.data, ' ', text.size);
        size_t size = space == NULL ? text.size : (size_t)(space - text.data);
        if (text_equal((struct text){.data = text.data, .size = size}, word))
            return true;
        size_t used = space == NULL ? size : size + 1;
        text.data += used;
        text.size -= used;
    }
    return false;
}

/* Copies a claim that is_good() takes. */
static bool read_text(struct json_value value, bool (*is_good)(struct text), char *to, size_t size)
{
    char room[TEXT_USER_MAX];
    struct text text;
    return value.type == JSON_STRING && json_string_read(value, room, sizeof room, &text) == 0 &&
           is_good(text) && text_put(to, size, text) == 0;
}

static void judge_texts(const struct claims *claims, struct auth_verdict *ret)
{
    struct auth_identity *identity = &ret->identity;
    const struct row {
        struct json_value value;
        bool (*is_good)(struct text);
        char *to;
        size_t size;
        enum auth_reason reason;
        bool required;
    } rows[] = {
        {claims->sub, text_is_user_id, identity->user, sizeof identity->user, AUTH_REFUSED_SUB,
         true},
        {claims->jti, text_is_message_id, identity->token_id, sizeof identity->token_id,
         AUTH_REFUSED_JTI, false},
        {claims->device, text_is_device_id, identity->device, sizeof identity->device,
         AUTH_REFUSED_DEVICE, false},
        {claims->home, text_is_region_name, identity->home, sizeof identity->home,
         AUTH_REFUSED_HOME, false},
        {claims->tenant, text_is_message_id, identity->tenant, sizeof identity->tenant,
         AUTH_REFUSED_TENANT, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        bool good = row->value.type == JSON_ABSENT
                        ? !row->required
                        : read_text(row->value, row->is_good, row->to, row->size);
        if (!good)
            auth_refuse(ret, row->reason);
    }
}

/* False, and refused with `reason`, when it is no time. */
static bool read_time(struct json_value value, enum auth_reason reason, struct auth_verdict *ret,
                      int64_t *ret_s)
{
    uint64_t seconds;
    if (json_to_u64(value, seconds_max, &seconds) != 0) {
        auth_refuse(ret, reason);
        return false;
    }
    *ret_s = (int64_t)seconds;
    return true;
}

static void judge_times(const struct auth_settings *settings, const struct claims *claims,
                        int64_t now_ms, struct auth_verdict *ret)
{
    struct auth_identity *identity = &ret->identity;
    int64_t latest_ms = now_ms + settings->leeway_ms;
    int64_t not_before_s;
    bool has_exp = read_time(claims->exp, AUTH_REFUSED_EXP, ret, &identity->expires_at_s);
    bool has_iat = read_time(claims->iat, AUTH_REFUSED_IAT, ret, &identity->issued_at_s);
    if (has_exp && identity->expires_at_s * MS_PER_S + settings->leeway_ms <= now_ms)
        auth_refuse(ret, AUTH_REFUSED_EXPIRED);
    if (has_iat && identity->issued_at_s * MS_PER_S > latest_ms)
        auth_refuse(ret, AUTH_REFUSED_FROM_FUTURE);
    if (has_exp && has_iat &&
        (identity->expires_at_s - identity->issued_at_s) * MS_PER_S > settings->lifetime_max_ms)
        auth_refuse(ret, AUTH_REFUSED_LIFETIME);
    if (claims->nbf.type != JSON_ABSENT &&
        read_time(claims->nbf, AUTH_REFUSED_NBF, ret, &not_before_s) &&
        not_before_s * MS_PER_S > latest_ms)
        auth_refuse(ret, AUTH_REFUSED_TOO_EARLY);
}

void auth_claims_judge(const struct auth_settings *settings, const struct auth_part *part,
                       int64_t now_ms, struct auth_verdict *ret)
{
    struct claims claims;
    const struct json_pick picks[] = {
        {"iss", &claims.iss},     {"aud", &claims.aud},       {"sub", &claims.sub},
        {"exp", &claims.exp},     {"nbf", &claims.nbf},       {"iat", &claims.iat},
        {"jti", &claims.jti},     {"home", &claims.home},     {"device", &claims.device},
        {"scope", &claims.scope}, {"tenant", &claims.tenant},
    };
    if (json_object_pick(part->json, picks, COUNT_OF(picks)) != 0) {
        auth_refuse(ret, AUTH_REFUSED_CLAIMS);
        return;
    }
    if (!is_text(claims.iss, settings->issuer))
        auth_refuse(ret, AUTH_REFUSED_ISS);
    if (!names_audience(claims.aud, settings->audience))
        auth_refuse(ret, AUTH_REFUSED_AUD);
    judge_texts(&claims, ret);
    ret->identity.admin = has_word(claims.scope, text_of(settings->admin_scope));
    ret->identity.service = has_word(claims.scope, text_of(settings->service_scope));
    judge_times(settings, &claims, now_ms, ret);
}
