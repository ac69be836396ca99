#include "auth/revocations.h"

#include "base/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 1 + TEXT_USER_MAX + 1 + TEXT_DEVICE_MAX };

/* What one is about: the kind, then the user or the token's id, then a zero and the device. No text
 * holds a zero. */
struct key {
    char bytes[KEY_MAX];
    size_t size;
};

struct entry {
    UT_hash_handle hh;
    int64_t until_s;
    int64_t before_s;
    char key[];
};

struct auth_revocations {
    struct entry *entries;
    size_t most;
    uint64_t version;
};

static struct key key_of(enum wire_revoked_kind kind, struct text name, struct text device)
{
    struct key key = {.bytes = {(char)kind}, .size = 1};
    if (name.size > 0)
        memcpy(key.bytes + key.size, name.data, name.size);
    key.size += name.size;
    if (kind == WIRE_REVOKED_DEVICE) {
        key.bytes[key.size++] = '\0';
        memcpy(key.bytes + key.size, device.data, device.size);
        key.size += device.size;
    }
    return key;
}

static struct entry *find(const struct auth_revocations *set, const struct key *key)
{
    struct entry *entry;
    HASH_FIND(hh, set->entries, key->bytes, key->size, entry);
    return entry;
}

struct auth_revocations *auth_revocations_new(size_t most)
{
    struct auth_revocations *set = calloc(1, sizeof *set);
    if (set != NULL)
        set->most = most;
    return set;
}

static void drop(struct auth_revocations *set, struct entry *entry)
{
    HASH_DEL(set->entries, entry);
    free(entry);
}

void auth_revocations_free(struct auth_revocations *set)
{
    if (set == NULL)
        return;
    auth_revocations_expire(set, INT64_MAX);
    free(set);
}

size_t auth_revocations_expire(struct auth_revocations *set, int64_t now_s)
{
    struct entry *entry, *next;
    size_t before = HASH_COUNT(set->entries);
    HASH_ITER(hh, set->entries, entry, next)
    {
        if (entry->until_s <= now_s)
            drop(set, entry);
    }
    return before - HASH_COUNT(set->entries);
}

size_t auth_revocations_count(const struct auth_revocations *set)
{
    return HASH_COUNT(set->entries);
}

uint64_t auth_revocations_version(const struct auth_revocations *set)
{
    return set->version;
}

static int add(struct auth_revocations *set, const struct key *key, struct entry **ret_entry)
{
    struct entry *entry = calloc(1, sizeof *entry + key->size);
    if (entry == NULL)
        return -ENOMEM;
    memcpy(entry->key, key->bytes, key->size);
    HASH_ADD_KEYPTR(hh, set->entries, entry->key, key->size, entry);
    *ret_entry = entry;
    return 0;
}

int auth_revocations_put(struct auth_revocations *set, const struct wire_revoked *revoked,
                         int64_t now_s)
{
    bool is_token = revoked->kind == WIRE_REVOKED_TOKEN;
    struct key key =
        key_of(revoked->kind, is_token ? revoked->token_id : revoked->user, revoked->device);
    struct entry *entry = find(set, &key);
    if (revoked->until_s <= now_s) {
        if (entry != NULL)
            drop(set, entry);
        return 0;
    }
    if (entry == NULL) {
        if (HASH_COUNT(set->entries) >= set->most && auth_revocations_expire(set, now_s) == 0)
            return -ENOSPC;
        int err = add(set, &key, &entry);
        if (err != 0)
            return err;
    }
    if (entry->until_s != revoked->until_s || entry->before_s != revoked->before_s)
        set->version++;
    entry->until_s = revoked->until_s;
    entry->before_s = revoked->before_s;
    return 0;
}

/* One that is not over by `now_s`, or NULL. */
static const struct entry *find_now(const struct auth_revocations *set, enum wire_revoked_kind kind,
                                    struct text name, struct text device, int64_t now_s)
{
    struct key key = key_of(kind, name, device);
    const struct entry *entry = find(set, &key);
    return entry == NULL || entry->until_s <= now_s ? NULL : entry;
}

static bool was_before(const struct entry *entry, const struct auth_holder *holder)
{
    return entry != NULL && holder->issued_at_s < entry->before_s;
}

struct auth_holder auth_holder_of(const struct auth_identity *identity, struct text device)
{
    return (struct auth_holder){.user = text_of(identity->user),
                                .device = device.size > 0 ? device : text_of(identity->device),
                                .token_id = text_of(identity->token_id),
                                .issued_at_s = identity->issued_at_s};
}

bool auth_revocations_cover(const struct auth_revocations *set, const struct auth_holder *holder,
                            int64_t now_s)
{
    const struct text none = TEXT(""), user = holder->user;
    return find_now(set, WIRE_REVOKED_USER, user, none, now_s) != NULL ||
           (holder->device.size > 0 &&
            find_now(set, WIRE_REVOKED_DEVICE, user, holder->device, now_s) != NULL) ||
           (holder->token_id.size > 0 &&
            find_now(set, WIRE_REVOKED_TOKEN, holder->token_id, none, now_s) != NULL) ||
           was_before(find_now(set, WIRE_REVOKED_BEFORE, user, none, now_s), holder) ||
           was_before(find_now(set, WIRE_REVOKED_ALL_BEFORE, none, none, now_s), holder);
}

int64_t auth_revoked_until_s(const struct auth_settings *settings, int64_t at_s)
{
    /* Issued up to a leeway after it by a clock that is ahead, and good for a leeway longer. */
    return at_s + (settings->lifetime_max_ms + 2 * settings->leeway_ms) / 1000 + 1;
}
