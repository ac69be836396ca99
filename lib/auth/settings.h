/* The settings section `auth:` of a daemon: which tokens it takes. The rows are part of the
 * daemon's own table, AUTH_SETTINGS_ROWS(struct edge_settings, auth). */
#pragma once

#include "auth/key.h"
#include "base/error_text.h"
#include "base/macros.h"
#include "settings/settings.h"

#include <stdbool.h>
#include <stdint.h>

enum { AUTH_KEYS_MAX = 64 };

enum auth_key_format { AUTH_FORMAT_PEM, AUTH_FORMAT_SECRET, AUTH_FORMAT_JWKS };

struct auth_key_settings {
    char file[512];
    unsigned format; /* enum auth_key_format */
    char kid[AUTH_KID_MAX + 1];
    uint32_t line;
};

struct auth_settings {
    bool required;
    char issuer[256];
    char audience[256];
    char admin_scope[65];
    char service_scope[65];
    int64_t leeway_ms;
    int64_t lifetime_max_ms;
    int64_t expiring_ms;
    uint32_t revocations_max;
    struct auth_key_settings *keys;
    size_t key_count;
};

extern const struct setting auth_key_settings_table[];

/* clang-format off */
#define AUTH_SETTINGS_ROWS(owner, auth)                                                            \
    SETTING_BOOL(owner, auth.required, "auth.required", false,                                     \
        "Whether a client must show a good token. false: it is who it says; only on loopback addresses."), \
    SETTING_TEXT(owner, auth.issuer, "auth.issuer", "", 0,                                         \
        "What `iss` of a token must be."),                                                         \
    SETTING_TEXT(owner, auth.audience, "auth.audience", "", 0,                                     \
        "What `aud` of a token must be, or list."),                                                \
    SETTING_TEXT(owner, auth.admin_scope, "auth.admin_scope", "", 0,                               \
        "A word of `scope` that lets a token ask about users other than its own, and disconnect them; empty: none does."), \
    SETTING_TEXT(owner, auth.service_scope, "auth.service_scope", "", 0,                           \
        "A word of `scope` that says that a token is of a service, not of a person: edges let it send more; empty: none is."), \
    SETTING_DURATION(owner, auth.leeway_ms, "auth.leeway", 30000, 0, 60000,                        \
        "How far the clock of the issuer may be from the one here."),                              \
    SETTING_DURATION(owner, auth.lifetime_max_ms, "auth.lifetime_max", 86400000, 60000, 366 * 86400000LL, \
        "The longest a token may live, from `iat` to `exp`; a revocation is kept for so long."),   \
    SETTING_DURATION(owner, auth.expiring_ms, "auth.expiring", 60000, 0, 3600000,                  \
        "How long before its token's end a client is told, to show a new one."),                   \
    SETTING_U32(owner, auth.revocations_max, "auth.revocations_max", 100000, 1, 1000000,           \
        "Revocations that are kept in memory; with one more nobody new is let in."),               \
    SETTING_LIST(owner, auth.keys, auth.key_count, "auth.keys", struct auth_key_settings, line,    \
        auth_key_settings_table, AUTH_KEYS_MAX,                                                    \
        "Keys that tokens are verified with; read again on SIGHUP.")
/* clang-format on */

/* The rules between the settings: keys need an issuer and an audience, and who requires tokens
 * needs keys. -EINVAL with the reason. */
MUST_USE int auth_settings_fit(const struct auth_settings *settings, struct error_text *reterr_why);
