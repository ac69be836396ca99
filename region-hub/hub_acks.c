#include "region-hub/hub_acks.h"

#include "base/list.h"
#include "base/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct list link; /* in `ready` or `resting` */
    uint32_t epoch;
    uint64_t seq;
    uint64_t begins_at; /* while `begins` */
    uint64_t written;
    int64_t written_ms;
    bool begins; /* where it begins is not written yet */
    UT_hash_handle hh;
    size_t user_size;
    size_t device_size;
    char key[]; /* the user, a zero, the device: neither holds a zero */
};

struct hub_acks {
    size_t devices_max;
    int64_t interval_ms;
    struct entry *entries; /* uthash */
    struct list ready;     /* to be written, the first noted first */
    struct list resting;   /* written less than interval_ms ago, the oldest first */
};

struct hub_acks *hub_acks_new(size_t devices_max, int64_t interval_ms)
{
    struct hub_acks *acks = calloc(1, sizeof *acks);
    if (acks == NULL)
        return NULL;
    acks->devices_max = devices_max;
    acks->interval_ms = interval_ms;
    list_init(&acks->ready);
    list_init(&acks->resting);
    return acks;
}

static void forget(struct hub_acks *acks, struct entry *entry)
{
    list_remove(&entry->link);
    if (acks->entries != NULL) /* which is so: the entry is in it */
        HASH_DEL(acks->entries, entry);
    free(entry);
}

void hub_acks_reset(struct hub_acks *acks)
{
    struct list *const lists[] = {&acks->ready, &acks->resting};
    HASH_CLEAR(hh, acks->entries);
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        list_each(node, lists[i]) free(container_of(node, struct entry, link));
        list_init(lists[i]);
    }
}

void hub_acks_free(struct hub_acks *acks)
{
    if (acks == NULL)
        return;
    hub_acks_reset(acks);
    free(acks);
}

size_t hub_acks_count(const struct hub_acks *acks)
{
    return HASH_COUNT(acks->entries);
}

enum { KEY_MAX = TEXT_USER_MAX + 1 + TEXT_DEVICE_MAX };

/* The key's size, 0 when user or device is too long. */
static size_t write_key(char key[KEY_MAX], struct text user, struct text device)
{
    if (user.size > TEXT_USER_MAX || device.size > TEXT_DEVICE_MAX)
        return 0;
    memcpy(key, user.data, user.size);
    key[user.size] = '\0';
    memcpy(key + user.size + 1, device.data, device.size);
    return user.size + 1 + device.size;
}

static struct entry *find(const struct hub_acks *acks, struct text user, struct text device)
{
    char key[KEY_MAX];
    size_t size = write_key(key, user, device);
    struct entry *entry = NULL;
    if (size > 0)
        HASH_FIND(hh, acks->entries, key, size, entry);
    return entry;
}

void hub_acks_forget(struct hub_acks *acks, struct text user, struct text device)
{
    struct entry *entry = find(acks, user, device);
    if (entry != NULL)
        forget(acks, entry);
}

uint64_t hub_acks_noted(const struct hub_acks *acks, struct text user, struct text device,
                        uint32_t epoch)
{
    const struct entry *entry = find(acks, user, device);
    return entry != NULL && entry->epoch == epoch ? entry->seq : 0;
}

static int note(struct hub_acks *acks, const struct hub_ack *ack, bool begins)
{
    char key[KEY_MAX];
    size_t size = write_key(key, ack->user, ack->device);
    if (size == 0)
        return -ENOSPC;
    struct entry *entry;
    HASH_FIND(hh, acks->entries, key, size, entry);
    if (entry != NULL) {
        if (ack->epoch > entry->epoch) {
            entry->epoch = ack->epoch;
            entry->seq = ack->seq;
            entry->written = UINT64_MAX; /* nothing of this epoch */
            entry->begins = false;
        } else if (ack->epoch == entry->epoch && ack->seq > entry->seq) {
            entry->seq = ack->seq;
        }
        return 0;
    }
    if (HASH_COUNT(acks->entries) >= acks->devices_max)
        return -ENOSPC;
    entry = calloc(1, sizeof *entry + size);
    if (entry == NULL)
        return -ENOMEM;
    entry->epoch = ack->epoch;
    entry->seq = ack->seq;
    entry->begins = begins;
    entry->begins_at = ack->seq;
    entry->user_size = ack->user.size;
    entry->device_size = ack->device.size;
    memcpy(entry->key, key, size);
    HASH_ADD_KEYPTR(hh, acks->entries, entry->key, size, entry);
    list_push(&acks->ready, &entry->link);
    return 0;
}

int hub_acks_note(struct hub_acks *acks, const struct hub_ack *ack)
{
    return note(acks, ack, false);
}

int hub_acks_begin(struct hub_acks *acks, const struct hub_ack *ack)
{
    return note(acks, ack, true);
}

static void wake_rested(struct hub_acks *acks, int64_t now_ms)
{
    list_each(node, &acks->resting)
    {
        struct entry *entry = container_of(node, struct entry, link);
        if (now_ms - entry->written_ms < acks->interval_ms)
            return;
        if (entry->seq == entry->written) {
            forget(acks, entry);
            continue;
        }
        list_remove(&entry->link);
        list_push(&acks->ready, &entry->link);
    }
}

bool hub_acks_next(struct hub_acks *acks, int64_t now_ms, struct hub_ack *ret_ack)
{
    wake_rested(acks, now_ms);
    if (list_empty(&acks->ready))
        return false;
    const struct entry *entry = container_of(acks->ready.next, struct entry, link);
    *ret_ack = (struct hub_ack){
        .user = {entry->key, entry->user_size},
        .device = {entry->key + entry->user_size + 1, entry->device_size},
        .epoch = entry->epoch,
        .seq = entry->begins ? entry->begins_at : entry->seq,
    };
    return true;
}

void hub_acks_written(struct hub_acks *acks, int64_t now_ms)
{
    struct list *node = list_pop(&acks->ready);
    if (node == NULL)
        return;
    struct entry *entry = container_of(node, struct entry, link);
    entry->written = entry->begins ? entry->begins_at : entry->seq;
    entry->begins = false;
    entry->written_ms = now_ms;
    list_push(&acks->resting, &entry->link);
}
