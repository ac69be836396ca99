/* Users and their devices, in the order in which they came into being. */
#include "mailbox_internal.h"

#include <assert.h>
#include <string.h>

static struct mailbox_user_entry *find(const struct mailbox *mailbox, struct text name,
                                       unsigned hash)
{
    struct mailbox_user_entry *user;
    HASH_FIND_BYHASHVALUE(hh, mailbox->users, name.data, (unsigned)name.size, hash, user);
    return user;
}

struct mailbox_user_entry *mailbox_users_find(const struct mailbox *mailbox, struct text name)
{
    return find(mailbox, name, (unsigned)hash_local(name.data, name.size));
}

struct mailbox_user_entry *mailbox_users_take(struct mailbox *mailbox, struct text name)
{
    const unsigned hash = (unsigned)hash_local(name.data, name.size);
    struct mailbox_user_entry *user = find(mailbox, name, hash);
    if (user != NULL)
        return user;
    assert(name.size > 0 && name.size <= TEXT_USER_MAX);
    user = mailbox_allocate(NULL, sizeof *user + name.size);
    *user = (struct mailbox_user_entry){.epoch = 1, .oldest = 1, .name_size = (uint8_t)name.size};
    memcpy(user->name, name.data, name.size);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, mailbox->users, user->name, (unsigned)name.size, hash, user);
    return user;
}

static void free_user(struct mailbox_user_entry *user)
{
    while (user->devices != NULL) {
        struct mailbox_device_entry *next = user->devices->next;
        free(user->devices);
        user->devices = next;
    }
    free(user->marks);
    free(user->wants);
    mailbox_moves_free_user(user);
    free(user);
}

void mailbox_users_free(struct mailbox *mailbox)
{
    struct mailbox_user_entry *user = mailbox->users;
    HASH_CLEAR(hh, mailbox->users); /* leaves the order among the users as it was */
    while (user != NULL) {
        struct mailbox_user_entry *next = user->hh.next;
        free_user(user);
        user = next;
    }
}

struct mailbox_device_entry *mailbox_user_device(const struct mailbox_user_entry *user,
                                                 struct text name)
{
    for (struct mailbox_device_entry *device = user->devices; device != NULL;
         device = device->next) {
        if (text_equal((struct text){device->name, device->name_size}, name))
            return device;
    }
    return NULL;
}

struct mailbox_device_entry *mailbox_user_add_device(struct mailbox_user_entry *user,
                                                     struct text name)
{
    assert(name.size <= UINT8_MAX);
    struct mailbox_device_entry *device = mailbox_allocate(NULL, sizeof *device + name.size);
    *device = (struct mailbox_device_entry){.name_size = (uint8_t)name.size};
    memcpy(device->name, name.data, name.size);
    struct mailbox_device_entry **last = &user->devices;
    while (*last != NULL)
        last = &(*last)->next;
    *last = device;
    user->device_count++;
    return device;
}

struct mailbox_device_entry *mailbox_user_pop_stalest(struct mailbox_user_entry *user)
{
    struct mailbox_device_entry **stalest = &user->devices;
    for (struct mailbox_device_entry **at = &user->devices; *at != NULL; at = &(*at)->next) {
        if ((*at)->used_ms < (*stalest)->used_ms)
            stalest = at;
    }
    struct mailbox_device_entry *device = *stalest;
    assert(device != NULL); /* callers know that there is one */
    *stalest = device->next;
    user->device_count--;
    return device;
}

static bool describe(struct mailbox_user_entry *user, struct mailbox_user *ret_user)
{
    if (user == NULL)
        return false;
    *ret_user = (struct mailbox_user){.name = {user->name, user->name_size},
                                      .epoch = user->epoch,
                                      .head = user->head,
                                      .oldest = user->oldest,
                                      .base = user->base,
                                      .last_row = user->last_row,
                                      .internal = user};
    return true;
}

bool mailbox_find_user(const struct mailbox *mailbox, struct text name,
                       struct mailbox_user *ret_user)
{
    return describe(mailbox_users_find(mailbox, name), ret_user);
}

bool mailbox_next_user(const struct mailbox *mailbox, struct text after,
                       struct mailbox_user *ret_user)
{
    struct mailbox_user_entry *user = mailbox->users;
    if (after.size > 0) {
        user = mailbox_users_find(mailbox, after);
        user = user == NULL ? NULL : user->hh.next;
    }
    return describe(user, ret_user);
}

bool mailbox_find_device(const struct mailbox_user *user, struct text name,
                         struct mailbox_device *ret_device)
{
    const struct mailbox_device_entry *device = mailbox_user_device(user->internal, name);
    if (device == NULL)
        return false;
    *ret_device = (struct mailbox_device){.name = {device->name, device->name_size},
                                          .epoch = device->epoch,
                                          .seq = device->seq,
                                          .used_ms = device->used_ms};
    return true;
}

size_t mailbox_device_count(const struct mailbox_user *user)
{
    const struct mailbox_user_entry *entry = user->internal;
    return entry->device_count;
}
