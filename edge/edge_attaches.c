#include "edge/edge_attaches.h"

#include "base/hash.h"
#include "edge/edge_home.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { BUCKETS_MIN = 64 };

static struct text user_of(const struct edge_attach *attach)
{
    return (struct text){.data = attach->names, .size = attach->user_size};
}

static struct edge_attach **bucket_of(const struct edge_attaches *attaches, struct text user)
{
    return &attaches->buckets[hash_local(user.data, user.size) & (attaches->bucket_count - 1)];
}

int edge_attaches_init(struct edge_attaches *attaches)
{
    *attaches = (struct edge_attaches){.bucket_count = BUCKETS_MIN};
    attaches->buckets = calloc(BUCKETS_MIN, sizeof(void *));
    return attaches->buckets == NULL ? -ENOMEM : 0;
}

void edge_attaches_done(struct edge_attaches *attaches)
{
    assert(attaches->count == 0);
    free(attaches->buckets);
    attaches->buckets = NULL;
}

static int edge_attaches_grow(struct edge_attaches *attaches)
{
    struct edge_attaches wider = {.bucket_count = attaches->bucket_count * 2};
    wider.buckets = calloc(wider.bucket_count, sizeof(void *));
    if (wider.buckets == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < attaches->bucket_count; i++) {
        struct edge_attach *next;
        for (struct edge_attach *attach = attaches->buckets[i]; attach != NULL; attach = next) {
            next = attach->bucket_next;
            struct edge_attach **bucket = bucket_of(&wider, user_of(attach));
            attach->bucket_next = *bucket;
            *bucket = attach;
        }
    }
    free(attaches->buckets);
    wider.count = attaches->count;
    *attaches = wider;
    return 0;
}

int edge_attaches_add(struct edge_attaches *attaches, struct edge_attach *attach)
{
    if (attaches->count >= 2 * attaches->bucket_count && edge_attaches_grow(attaches) != 0)
        return -ENOMEM;
    struct edge_attach **bucket = bucket_of(attaches, user_of(attach));
    attach->bucket_next = *bucket;
    *bucket = attach;
    attaches->count++;
    return 0;
}

void edge_attaches_remove(struct edge_attaches *attaches, struct edge_attach *attach)
{
    struct edge_attach **at = bucket_of(attaches, user_of(attach));
    while (*at != NULL && *at != attach)
        at = &(*at)->bucket_next;
    assert(*at == attach);
    *at = attach->bucket_next;
    attach->bucket_next = NULL;
    attaches->count--;
}

static struct edge_attach *edge_attaches_seek(struct edge_attach *attach, struct text user)
{
    while (attach != NULL && !text_equal(user_of(attach), user))
        attach = attach->bucket_next;
    return attach;
}

struct edge_attach *edge_attaches_first(const struct edge_attaches *attaches, struct text user)
{
    return edge_attaches_seek(*bucket_of(attaches, user), user);
}

struct edge_attach *edge_attaches_next(const struct edge_attach *attach)
{
    return edge_attaches_seek(attach->bucket_next, user_of(attach));
}
