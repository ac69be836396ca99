#include "directory/directory.h"
#include "base/hash.h"
#include "base/list.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Of the entries, the absent users may keep this share when room is needed: they are worth two
 * seconds each, and a flood of made-up names must not push out the homes. */
enum { ABSENT_SHARE = 8, BUCKETS_MIN = 64 };

/* There is one for each user of whom an edge has heard: a chain of its own takes 48 bytes less of
 * each than a uthash. */
struct entry {
    struct entry *next;         /* of its bucket */
    struct list used;           /* in `homes` or `absent`, the one used longest ago first */
    int64_t absent_ms;          /* when the primary said that there is no such user */
    struct directory_home home; /* an empty region: absent */
    uint8_t user_size;
    char user[];
};

struct pulse {
    bool heard;  /* a heartbeat, so `last` counts */
    bool proved; /* a heartbeat that moved on, so `proved_ms` counts */
    struct directory_beat last;
    int64_t proved_ms;
};

struct directory {
    struct directory_settings settings;
    struct entry **buckets; /* by user */
    size_t bucket_count;    /* a power of 2 */
    size_t count;
    struct list homes;
    struct list absent;
    size_t absent_count;
    struct pulse pulses[]; /* of each bucket */
};

struct directory *directory_new(const struct directory_settings *settings)
{
    assert(settings->users_max >= 1 && settings->buckets >= 1);
    struct directory *directory =
        calloc(1, sizeof *directory + settings->buckets * sizeof directory->pulses[0]);
    if (directory == NULL)
        return NULL;
    directory->settings = *settings;
    directory->bucket_count = BUCKETS_MIN;
    directory->buckets = calloc(BUCKETS_MIN, sizeof directory->buckets[0]);
    if (directory->buckets == NULL) {
        free(directory);
        return NULL;
    }
    list_init(&directory->homes);
    list_init(&directory->absent);
    return directory;
}

static bool is_absent(const struct entry *entry)
{
    return entry->home.region[0] == '\0';
}

static struct entry **bucket_of(const struct directory *directory, struct text user)
{
    return &directory->buckets[hash_local(user.data, user.size) & (directory->bucket_count - 1)];
}

static struct text user_of(const struct entry *entry)
{
    return (struct text){.data = entry->user, .size = entry->user_size};
}

static struct entry *find(const struct directory *directory, struct text user)
{
    struct entry *entry = *bucket_of(directory, user);
    while (entry != NULL && !text_equal(user_of(entry), user))
        entry = entry->next;
    return entry;
}

static void chain(struct directory *directory, struct entry *entry)
{
    struct entry **bucket = bucket_of(directory, user_of(entry));
    entry->next = *bucket;
    *bucket = entry;
}

static void unchain(struct directory *directory, struct entry *entry)
{
    struct entry **at = bucket_of(directory, user_of(entry));
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
}

/* When memory is short the chains become longer, and that is all. */
static void grow(struct directory *directory)
{
    struct entry **narrow = directory->buckets;
    size_t narrow_count = directory->bucket_count;
    struct entry **wide = calloc(2 * narrow_count, sizeof wide[0]);
    if (wide == NULL)
        return;
    directory->buckets = wide;
    directory->bucket_count = 2 * narrow_count;
    for (size_t i = 0; i < narrow_count; i++) {
        for (struct entry *entry; (entry = narrow[i]) != NULL;) {
            narrow[i] = entry->next;
            chain(directory, entry);
        }
    }
    free(narrow);
}

static void unlink_entry(struct directory *directory, struct entry *entry)
{
    if (list_linked(&entry->used) && is_absent(entry))
        directory->absent_count--;
    list_remove(&entry->used);
}

static void link_entry(struct directory *directory, struct entry *entry)
{
    if (is_absent(entry))
        directory->absent_count++;
    list_push(is_absent(entry) ? &directory->absent : &directory->homes, &entry->used);
}

static void drop(struct directory *directory, struct entry *entry)
{
    unlink_entry(directory, entry);
    unchain(directory, entry);
    directory->count--;
    free(entry);
}

void directory_free(struct directory *directory)
{
    if (directory == NULL)
        return;
    list_each(node, &directory->homes)
    {
        drop(directory, container_of(node, struct entry, used));
    }
    list_each(node, &directory->absent)
    {
        drop(directory, container_of(node, struct entry, used));
    }
    free(directory->buckets);
    free(directory);
}

static void make_room(struct directory *directory)
{
    if (directory->count < directory->settings.users_max)
        return;
    bool many_absent = directory->absent_count > directory->settings.users_max / ABSENT_SHARE;
    bool from_absent = many_absent || list_empty(&directory->homes);
    struct list *oldest = from_absent ? directory->absent.next : directory->homes.next;
    drop(directory, container_of(oldest, struct entry, used));
}

/* A new entry, in no list yet, or NULL: then it is not remembered, and asked for again. */
static struct entry *add(struct directory *directory, struct text user)
{
    assert(text_is_user_id(user));
    make_room(directory);
    struct entry *entry = calloc(1, sizeof *entry + user.size);
    if (entry == NULL)
        return NULL;
    memcpy(entry->user, user.data, user.size);
    entry->user_size = (uint8_t)user.size;
    if (directory->count >= 2 * directory->bucket_count)
        grow(directory);
    chain(directory, entry);
    directory->count++;
    return entry;
}

static bool is_current(const struct directory *directory, unsigned bucket, int64_t now_ms)
{
    const struct pulse *pulse = &directory->pulses[bucket];
    return pulse->proved && now_ms - pulse->proved_ms <= directory->settings.current_ms;
}

bool directory_is_current_of(const struct directory *directory, struct text user, int64_t now_ms)
{
    return is_current(directory, hash_shard(user, directory->settings.buckets), now_ms);
}

enum directory_answer directory_look_up(struct directory *directory, struct text user,
                                        int64_t now_ms, struct directory_home *ret_home)
{
    struct entry *entry = find(directory, user);
    if (entry == NULL)
        return DIRECTORY_ASK;
    if (is_absent(entry)) {
        bool fresh = now_ms - entry->absent_ms <= directory->settings.unknown_ms;
        return fresh ? DIRECTORY_UNKNOWN : DIRECTORY_ASK;
    }
    unlink_entry(directory, entry);
    link_entry(directory, entry);
    *ret_home = entry->home;
    return DIRECTORY_FOUND;
}

void directory_learn(struct directory *directory, struct text user,
                     const struct directory_home *home, int64_t now_ms)
{
    (void)now_ms; /* a home has no age */
    assert(home->region[0] != '\0');
    struct entry *entry = find(directory, user);
    if (entry != NULL && !is_absent(entry) && home->epoch < entry->home.epoch)
        return;
    if (entry == NULL)
        entry = add(directory, user);
    if (entry == NULL)
        return;
    unlink_entry(directory, entry);
    entry->home = *home;
    link_entry(directory, entry);
}

bool directory_learn_absent(struct directory *directory, struct text user, int64_t now_ms)
{
    struct entry *entry = find(directory, user);
    if (entry != NULL && !is_absent(entry))
        return false;
    if (entry == NULL)
        entry = add(directory, user);
    if (entry == NULL) /* it is true all the same */
        return true;
    unlink_entry(directory, entry);
    entry->absent_ms = now_ms;
    link_entry(directory, entry);
    return true;
}

void directory_forget(struct directory *directory, struct text user)
{
    struct entry *entry = find(directory, user);
    if (entry != NULL)
        drop(directory, entry);
}

void directory_heartbeat(struct directory *directory, unsigned bucket,
                         const struct directory_beat *beat, int64_t now_ms)
{
    assert(bucket < directory->settings.buckets);
    struct pulse *pulse = &directory->pulses[bucket];
    bool on = beat->position > pulse->last.position;
    bool anew = beat->position < pulse->last.position && beat->stored_ms > pulse->last.stored_ms;
    bool moved = pulse->heard && (on || anew);
    if (!pulse->heard || moved)
        pulse->last = *beat;
    pulse->heard = true;
    if (!moved)
        return;
    pulse->proved = true;
    pulse->proved_ms = now_ms;
}

bool directory_is_current(const struct directory *directory, int64_t now_ms)
{
    for (unsigned bucket = 0; bucket < directory->settings.buckets; bucket++)
        if (!is_current(directory, bucket, now_ms))
            return false;
    return true;
}

size_t directory_size(const struct directory *directory)
{
    return directory->count;
}
