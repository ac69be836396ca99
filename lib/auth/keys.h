/* The keys that tokens are verified with: made whole from the files that the settings name, then
 * never changed, so a new set can be made aside and put in the old one's place. */
#pragma once

#include "auth/settings.h"

#include <stdbool.h>
#include <stddef.h>

enum { AUTH_KEY_FILE_MAX = 256 * 1024 }; /* bytes */

struct auth_keys {
    struct auth_key *keys; /* in the order of the settings */
    size_t count;
};

/* NULL with the reason, which names the file: one that is not there or damaged, no key that can be
 * used, two of one kid, or one of several without a kid. Free with auth_keys_free(). */
MUST_USE struct auth_keys *auth_keys_load(const struct auth_settings *settings,
                                          struct error_text *reterr_why);
void auth_keys_free(struct auth_keys *keys); /* NULL is fine */

/* The key a token names by `kid` (empty: by none), or NULL. Without a kid it is the only key there
 * is; a key without a kid is meant by any, for it is the only one. */
const struct auth_key *auth_keys_find(const struct auth_keys *keys, struct text kid);

/* For loaders: room for one more, zeroed. -ENOSPC past AUTH_KEYS_MAX, -ENOMEM. */
MUST_USE int auth_keys_add(struct auth_keys *keys, struct auth_key **ret_key,
                           struct error_text *reterr_why);
/* A file whole, at most AUTH_KEY_FILE_MAX bytes. The caller frees `out`, also on failure. */
MUST_USE int auth_file_read(const char *path, struct buffer *out, struct error_text *reterr_why);
/* 0, or -EPERM when everybody may read the file, which holds a secret, or why nothing is known. */
MUST_USE int auth_file_check_private(const char *path, struct error_text *reterr_why);
