#include "region-hub/hub_admission.h"

#include "auth/keys.h"
#include "auth/token.h"
#include "base/hash.h"
#include "log/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct good {                /* a token that was found to be of this user and device */
    struct fingerprint hash; /* of all three */
    int64_t ends_at_ms;      /* since 1970, with the leeway; 0: the place is empty */
};

struct hub_admission {
    const struct auth_settings *settings;
    const atomic_uint *reloads;
    unsigned reloaded;
    struct auth_keys *keys; /* NULL: the settings name none, and nothing is looked at */
    struct log_limit limit;
    uint8_t hash_key[16]; /* random, so that nobody finds two of one hash */
    struct good *cache;   /* HUB_ADMISSION_CACHE, by the hash; NULL without keys */
};

static unsigned reloads_of(const struct hub_admission *admission)
{
    return admission->reloads == NULL ? 0 : atomic_load(admission->reloads);
}

struct hub_admission *hub_admission_new(const struct auth_settings *settings,
                                        const atomic_uint *reloads, struct error_text *reterr_why)
{
    struct hub_admission *admission = calloc(1, sizeof *admission);
    if (admission == NULL) {
        error_text_set(reterr_why, -ENOMEM, "memory is short");
        return NULL;
    }
    admission->settings = settings;
    admission->reloads = reloads;
    admission->reloaded = reloads_of(admission);
    hash_random(admission->hash_key, sizeof admission->hash_key);
    if (settings->key_count == 0)
        return admission;
    admission->keys = auth_keys_load(settings, reterr_why);
    admission->cache = calloc(HUB_ADMISSION_CACHE, sizeof *admission->cache);
    if (admission->keys == NULL || admission->cache == NULL) {
        hub_admission_free(admission);
        return NULL;
    }
    return admission;
}

void hub_admission_free(struct hub_admission *admission)
{
    if (admission == NULL)
        return;
    auth_keys_free(admission->keys);
    free(admission->cache);
    free(admission);
}

/* When a file is damaged the old keys stay. */
static void read_keys_again(struct hub_admission *admission)
{
    struct error_text why = {0};
    unsigned reloads = reloads_of(admission);
    if (admission->keys == NULL || reloads == admission->reloaded)
        return;
    admission->reloaded = reloads;
    struct auth_keys *keys = auth_keys_load(admission->settings, &why);
    if (keys == NULL) {
        log_error("the keys stay as they were", LOG_STRING("reason", why.text));
        return;
    }
    auth_keys_free(admission->keys);
    admission->keys = keys;
    memset(admission->cache, 0, HUB_ADMISSION_CACHE * sizeof *admission->cache);
    log_info("the keys were read again", LOG_U64("keys", keys->count));
}

static int refuse(struct hub_admission *admission, const char *why)
{
    log_limited(&admission->limit, LOG_LEVEL_WARNING, "a mailbox may not be read",
                LOG_STRING("reason", why));
    return -EACCES;
}

static struct fingerprint hash_ask(const struct hub_admission *admission,
                                   const struct hub_admission_ask *ask)
{
    /* None of them has a zero in it. */
    const struct text parts[] = {ask->token, {"", 1}, ask->user, {"", 1}, ask->device};
    uint8_t room[AUTH_TOKEN_MAX + TEXT_USER_MAX + TEXT_DEVICE_MAX + 2];
    size_t size = 0;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        memcpy(room + size, parts[i].data, parts[i].size);
        size += parts[i].size;
    }
    return hash_fingerprint(admission->hash_key, room, size);
}

static int verify(struct hub_admission *admission, const struct hub_admission_ask *ask,
                  struct good *ret_good)
{
    struct auth_identity identity;
    enum auth_reason reason;
    if (auth_token_verify(admission->settings, admission->keys, ask->token, ask->wall_ms, &identity,
                          &reason) != 0)
        return refuse(admission, auth_reason_text(reason));
    if (!text_equal(text_of(identity.user), ask->user))
        return refuse(admission, "the token is of another user");
    if (identity.device[0] != '\0' && ask->device.size > 0 &&
        !text_equal(text_of(identity.device), ask->device))
        return refuse(admission, "the token is of another device");
    ret_good->ends_at_ms = identity.expires_at_s * 1000 + admission->settings->leeway_ms;
    return 0;
}

int hub_admission_judge(struct hub_admission *admission, const struct hub_admission_ask *ask,
                        int64_t *ret_until_ms)
{
    struct good asked = {0};
    size_t place;
    read_keys_again(admission);
    if (ask->token.size == 0 && admission->settings->required)
        return refuse(admission, "no token is shown");
    if (ask->token.size == 0 || admission->keys == NULL) {
        *ret_until_ms = INT64_MAX;
        return 0;
    }
    if (ask->token.size > AUTH_TOKEN_MAX)
        return refuse(admission, auth_reason_text(AUTH_REFUSED_TOO_LONG));
    asked.hash = hash_ask(admission, ask);
    memcpy(&place, asked.hash.bytes, sizeof place);
    struct good *good = &admission->cache[place % HUB_ADMISSION_CACHE];
    if (memcmp(&good->hash, &asked.hash, sizeof asked.hash) != 0 ||
        ask->wall_ms >= good->ends_at_ms) {
        int err = verify(admission, ask, &asked);
        if (err != 0)
            return err;
        *good = asked;
    }
    *ret_until_ms = good->ends_at_ms - ask->wall_ms + ask->now_ms + HUB_ADMISSION_GRACE_MS;
    return 0;
}
