#include "auth/token.h"

#include "auth/base64url.h"
#include "auth/token_internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const char *const reason_texts[] = {
#define AUTH_REASON(name, text) text,
    AUTH_REASONS(AUTH_REASON)
#undef AUTH_REASON
};
static_assert(AUTH_REASONS_COUNT <= 32, "reasons are bits of a uint32_t");

const char *auth_reason_text(enum auth_reason reason)
{
    return reason_texts[reason];
}

/* Up to the next dot, which is passed over. False when there is none. */
static bool take_part(struct text *rest, struct text *ret_part)
{
    const char *dot = rest->size == 0 ? NULL : memchr(rest->data, '.', rest->size);
    if (dot == NULL)
        return false;
    size_t size = (size_t)(dot - rest->data);
    *ret_part = (struct text){.data = rest->data, .size = size};
    rest->data += size + 1;
    rest->size -= size + 1;
    return true;
}

int auth_token_split(struct text token, struct auth_token_parts *ret)
{
    struct auth_token_parts parts;
    struct text rest = token;
    if (!take_part(&rest, &parts.header) || !take_part(&rest, &parts.claims) ||
        memchr(rest.data, '.', rest.size) != NULL)
        return -EBADMSG;
    parts.signature = rest;
    parts.input = (struct text){.data = token.data, .size = token.size - rest.size - 1};
    *ret = parts;
    return 0;
}

/* Parts. */

/* Both between their quotes, with escapes. Keys that cannot be decoded equal nothing. */
static bool same_key(struct text a, struct text b)
{
    char room[128];
    struct text name;
    if (memchr(a.data, '\\', a.size) == NULL)
        return json_key_is(b, a);
    struct json_value quoted = {JSON_STRING, {.data = a.data - 1, .size = a.size + 2}};
    if (json_string_read(quoted, room, sizeof room, &name) != 0)
        return true; /* longer than any name that has a meaning, and escaped: nobody needs it */
    return json_key_is(b, name);
}

static int check_members(struct text json)
{
    struct json_reader reader;
    struct json_member member;
    struct text keys[AUTH_MEMBERS_MAX];
    size_t count = 0;
    int more = json_object_open(&reader, json);
    if (more != 0)
        return -EBADMSG;
    while ((more = json_object_next(&reader, &member)) == 1) {
        if (count == AUTH_MEMBERS_MAX)
            return -EBADMSG;
        for (size_t i = 0; i < count; i++)
            if (same_key(member.key, keys[i]))
                return -EBADMSG;
        keys[count++] = member.key;
    }
    return more == 0 ? 0 : -EBADMSG;
}

int auth_part_read(struct text from, struct auth_part *ret)
{
    size_t size;
    if (auth_base64url_read(from, (uint8_t *)ret->bytes, sizeof ret->bytes, &size) != 0)
        return -EBADMSG;
    ret->json = (struct text){.data = ret->bytes, .size = size};
    return check_members(ret->json);
}

/* The header and the signature. */

static bool has_alg(struct json_value alg, enum auth_alg wanted)
{
    char room[16];
    struct text name;
    enum auth_alg named;
    return alg.type == JSON_STRING && json_string_read(alg, room, sizeof room, &name) == 0 &&
           auth_alg_parse(name, &named) == 0 && named == wanted;
}

static const struct auth_key *find_key(const struct auth_keys *keys, struct json_value kid)
{
    char room[AUTH_KID_MAX];
    struct text name = {"", 0};
    if (kid.type != JSON_ABSENT &&
        (kid.type != JSON_STRING || json_string_read(kid, room, sizeof room, &name) != 0 ||
         !auth_is_kid(name)))
        return NULL;
    return auth_keys_find(keys, name);
}

static bool is_signed(const struct auth_key *key, const struct auth_token_parts *parts)
{
    uint8_t signature[AUTH_SIGNATURE_MAX];
    size_t size;
    return auth_base64url_read(parts->signature, signature, sizeof signature, &size) == 0 &&
           auth_key_verify(key, parts->input, signature, size);
}

static void judge_header(const struct auth_keys *keys, const struct auth_token_parts *parts,
                         struct auth_verdict *ret)
{
    struct auth_part header;
    struct json_value alg, kid, crit;
    const struct json_pick picks[] = {{"alg", &alg}, {"kid", &kid}, {"crit", &crit}};
    if (auth_part_read(parts->header, &header) != 0 ||
        json_object_pick(header.json, picks, COUNT_OF(picks)) != 0) {
        auth_refuse(ret, AUTH_REFUSED_HEADER);
        return;
    }
    if (crit.type != JSON_ABSENT)
        auth_refuse(ret, AUTH_REFUSED_CRIT);
    const struct auth_key *key = find_key(keys, kid);
    if (key == NULL)
        auth_refuse(ret, AUTH_REFUSED_KEY);
    else if (!has_alg(alg, key->alg))
        auth_refuse(ret, AUTH_REFUSED_ALG);
    else if (!is_signed(key, parts))
        auth_refuse(ret, AUTH_REFUSED_SIGNATURE);
}

/* The whole. */

void auth_token_judge(const struct auth_settings *settings, const struct auth_keys *keys,
                      struct text token, int64_t now_ms, bool all, struct auth_verdict *ret)
{
    struct auth_token_parts parts;
    struct auth_part claims;
    *ret = (struct auth_verdict){0};
    if (token.size > AUTH_TOKEN_MAX) {
        auth_refuse(ret, AUTH_REFUSED_TOO_LONG);
        return;
    }
    if (auth_token_split(token, &parts) != 0) {
        auth_refuse(ret, AUTH_REFUSED_FORM);
        return;
    }
    judge_header(keys, &parts, ret);
    if (ret->reasons != 0 && !all)
        return;
    if (auth_part_read(parts.claims, &claims) != 0)
        auth_refuse(ret, AUTH_REFUSED_CLAIMS);
    else
        auth_claims_judge(settings, &claims, now_ms, ret);
}

int auth_token_verify(const struct auth_settings *settings, const struct auth_keys *keys,
                      struct text token, int64_t now_ms, struct auth_identity *ret,
                      enum auth_reason *reterr_reason)
{
    struct auth_verdict verdict;
    auth_token_judge(settings, keys, token, now_ms, false, &verdict);
    if (verdict.reasons != 0) {
        *reterr_reason = (enum auth_reason)__builtin_ctz(verdict.reasons);
        return -EACCES;
    }
    *ret = verdict.identity;
    return 0;
}
