#include "edge/edge_auth.h"

#include "base/clock.h"
#include "log/log.h"
#include "revoked/revoked.h"
#include "wire/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct edge_auth {
    const struct auth_settings *settings;
    struct auth_keys *keys; /* NULL: the settings name none */
    const struct revoked *revoked;
};

struct edge_auth *edge_auth_new(const struct auth_settings *settings, struct error_text *reterr_why)
{
    struct edge_auth *auth = calloc(1, sizeof *auth);
    if (auth == NULL) {
        error_text_set(reterr_why, -ENOMEM, "memory is short");
        return NULL;
    }
    auth->settings = settings;
    if (settings->key_count > 0) {
        auth->keys = auth_keys_load(settings, reterr_why);
        if (auth->keys == NULL) {
            free(auth);
            return NULL;
        }
    }
    return auth;
}

void edge_auth_free(struct edge_auth *auth)
{
    if (auth == NULL)
        return;
    auth_keys_free(auth->keys);
    free(auth);
}

void edge_auth_reload(struct edge_auth *auth)
{
    struct error_text why = {0};
    if (auth->settings->key_count == 0)
        return;
    struct auth_keys *keys = auth_keys_load(auth->settings, &why);
    if (keys == NULL) {
        log_error("the keys stay as they were", LOG_STRING("reason", why.text));
        return;
    }
    auth_keys_free(auth->keys);
    auth->keys = keys;
    log_info("the keys were read again", LOG_U64("keys", keys->count));
}

bool edge_auth_requires(const struct edge_auth *auth)
{
    return auth != NULL && auth->settings->required;
}

bool edge_auth_has_keys(const struct edge_auth *auth)
{
    return auth != NULL && auth->keys != NULL;
}

void edge_auth_follow(struct edge_auth *auth, const struct revoked *revoked)
{
    auth->revoked = revoked;
}

bool edge_auth_is_revoked(const struct edge_auth *auth, const struct edge_token *token,
                          struct text device)
{
    if (auth == NULL || auth->revoked == NULL || token == NULL)
        return false;
    const struct auth_holder holder = edge_token_holder(token, device);
    return revoked_covers(auth->revoked, &holder);
}

static int refuse(const char *why)
{
    static struct log_limit limit;
    log_limited(&limit, LOG_LEVEL_INFO, "a client is refused", LOG_STRING("reason", why));
    return -EACCES;
}

int edge_auth_judge(const struct edge_auth *auth, struct text shown, int64_t now_ms,
                    struct edge_token **ret_token)
{
    struct auth_identity identity;
    enum auth_reason reason;
    int64_t wall_ms = clock_wall_ms();
    *ret_token = NULL;
    if (shown.size == 0 && edge_auth_requires(auth))
        return refuse("it shows no token");
    if (shown.size == 0 || !edge_auth_has_keys(auth))
        return 0;
    if (auth_token_verify(auth->settings, auth->keys, shown, wall_ms, &identity, &reason) != 0)
        return refuse(auth_reason_text(reason));
    if (!wire_is_person(text_of(identity.user)))
        return refuse("its token is of a reserved user");
    const struct auth_holder holder = auth_holder_of(&identity, TEXT(""));
    if (auth->revoked != NULL && revoked_covers(auth->revoked, &holder))
        return refuse("its token is revoked");
    *ret_token = edge_token_new(&identity, shown, auth->settings->leeway_ms, wall_ms, now_ms);
    return *ret_token == NULL ? -ENOMEM : 0;
}

int edge_auth_fit(const struct edge_auth *auth, const struct edge_token *token, struct text user,
                  struct text device)
{
    if (token != NULL && !edge_token_fits(token, user, device))
        return refuse("its token is of another user or device");
    return edge_auth_is_revoked(auth, token, device) ? refuse("its token is revoked") : 0;
}

/* Where it stands. */

static bool takes_prefix(struct text *from, struct text prefix, bool fold)
{
    if (from->size < prefix.size || (fold ? strncasecmp(from->data, prefix.data, prefix.size)
                                          : memcmp(from->data, prefix.data, prefix.size)) != 0)
        return false;
    from->data += prefix.size;
    from->size -= prefix.size;
    return true;
}

struct text edge_auth_of_authorization(struct text header)
{
    struct text rest = text_trim(header);
    if (!takes_prefix(&rest, TEXT("Bearer "), true))
        return TEXT("");
    return text_trim(rest);
}

struct text edge_auth_of_protocols(struct text header)
{
    while (header.size > 0) {
        const char *comma = memchr(header.data, ',', header.size);
        size_t size = comma == NULL ? header.size : (size_t)(comma - header.data);
        struct text item = text_trim((struct text){.data = header.data, .size = size});
        if (takes_prefix(&item, TEXT("bearer."), false))
            return item;
        size_t used = comma == NULL ? size : size + 1;
        header.data += used;
        header.size -= used;
    }
    return TEXT("");
}
