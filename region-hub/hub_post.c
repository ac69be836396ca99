#include "region-hub/hub_post.h"

#include "base/clock.h"
#include "base/table.h"
#include "bus/bus_stream.h"
#include "homes/homes.h"
#include "log/log.h"
#include "region-hub/hub_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { AGAIN_MS = 500 }; /* the directory was unsure, or had no room */

/* A notice that is not settled. */
struct letter {
    struct list link; /* of its addressee, then of its channel */
    uint64_t number;
    uint64_t ticket;           /* the writer's count with it; 0: not written yet */
    struct hub_notice *notice; /* NULL once it is written */
};

struct addressee { /* while something for it is not written */
    UT_hash_handle hh;
    struct hub_post *post;
    struct homes_lookup lookup;
    struct list letters;
    int64_t again_ms; /* the directory is not asked before */
    size_t region;
    bool known;
    size_t size;
    char name[];
};

struct channel {               /* to one log */
    struct hub_writer *writer; /* NULL: never used */
    struct list written;       /* letters without a PubAck, by ticket */
};

struct hub_post {
    struct hub_post_settings settings;
    struct homes *homes;
    struct addressee *addressees;
    struct channel *channels; /* of all shards of all regions, in the catalogue's order */
    size_t channel_count;
    uint64_t next_number; /* of the next writer's PubAcks */
    size_t waiting;
    struct log_limit unknown_limit;
};

static void letter_free(struct letter *letter)
{
    hub_notice_free(letter->notice);
    free(letter);
}

static void settle(struct hub_post *post, struct letter *letter)
{
    uint64_t number = letter->number;
    letter_free(letter);
    post->waiting--;
    post->settings.on_settled(post->settings.context, number);
}

struct hub_post *hub_post_new(const struct hub_post_settings *settings)
{
    struct hub_post *post = calloc(1, sizeof *post);
    if (post == NULL)
        return NULL;
    post->settings = *settings;
    post->next_number = settings->first_number;
    for (size_t i = 0; i < settings->catalogue->region_count; i++)
        post->channel_count += settings->catalogue->regions[i].shards;
    post->channels = calloc(post->channel_count, sizeof *post->channels);
    post->homes = homes_new(&(struct homes_settings){
        .loop = settings->loop,
        .bus = settings->bus,
        .catalogue = settings->catalogue,
        .region = settings->region,
        .process = settings->process,
        .users_max = settings->settings->notice_homes_max,
        .waiting_max = SIZE_MAX, /* as many as wait here, which the caller bounds */
    });
    if (post->channels == NULL || post->homes == NULL) {
        hub_post_free(post);
        return NULL;
    }
    for (size_t i = 0; i < post->channel_count; i++)
        list_init(&post->channels[i].written);
    return post;
}

static void addressee_free(struct addressee *addressee)
{
    homes_cancel(&addressee->lookup);
    HASH_DEL(addressee->post->addressees, addressee);
    for (struct list *node; (node = list_pop(&addressee->letters)) != NULL;)
        letter_free(container_of(node, struct letter, link));
    free(addressee);
}

void hub_post_free(struct hub_post *post)
{
    if (post == NULL)
        return;
    struct addressee *addressee;
    struct addressee *next;
    HASH_ITER(hh, post->addressees, addressee, next)
    addressee_free(addressee);
    for (size_t i = 0; post->channels != NULL && i < post->channel_count; i++) {
        hub_writer_free(post->channels[i].writer);
        if (post->channels[i].written.next == NULL)
            continue;
        for (struct list *node; (node = list_pop(&post->channels[i].written)) != NULL;)
            letter_free(container_of(node, struct letter, link));
    }
    homes_free(post->homes);
    free(post->channels);
    free(post);
}

/* The channel to a user's log, with its writer; NULL when memory is short. */
static struct channel *channel_to(struct hub_post *post, size_t region, struct text user)
{
    const struct hub_post_settings *settings = &post->settings;
    const struct catalogue_region *home = &settings->catalogue->regions[region];
    unsigned shard = hash_shard(user, home->shards);
    size_t at = shard;
    for (size_t i = 0; i < region; i++)
        at += settings->catalogue->regions[i].shards;
    struct channel *channel = &post->channels[at];
    if (channel->writer != NULL)
        return channel;
    channel->writer = hub_writer_new(&(struct hub_writer_settings){
        .loop = settings->loop,
        .bus = settings->bus,
        .region = home->name,
        .shard = shard,
        .outbox_of = home == settings->region ? NULL : settings->region->name,
        .process = settings->process,
        .first_number = post->next_number,
        .queue_max_bytes = settings->settings->writer_queue_max_bytes,
        .retry_ms = settings->settings->writer_retry_ms,
        .pace_ms = settings->settings->writer_pace_ms,
    });
    post->next_number += (uint64_t)1 << 32; /* attempts of one writer are fewer */
    return channel->writer == NULL ? NULL : channel;
}

static struct text name_of(const struct addressee *addressee)
{
    return (struct text){.data = addressee->name, .size = addressee->size};
}

/* False when the writer has no room. */
static bool letter_write(struct hub_post *post, const struct addressee *addressee,
                         struct letter *letter)
{
    struct channel *channel = channel_to(post, addressee->region, name_of(addressee));
    struct wire_message message;
    hub_notice_message(letter->notice, &message);
    if (message.created_ms == 0)
        message.created_ms = clock_wall_ms();
    if (channel == NULL || hub_writer_message(channel->writer, &message, name_of(addressee)) != 0)
        return false;
    letter->ticket = hub_writer_taken(channel->writer);
    hub_notice_free(letter->notice);
    letter->notice = NULL;
    list_remove(&letter->link);
    list_push(&channel->written, &letter->link);
    return true;
}

/* The addressee is freed when all is written. */
static void addressee_write(struct addressee *addressee)
{
    list_each(node, &addressee->letters)
    {
        if (!letter_write(addressee->post, addressee, container_of(node, struct letter, link)))
            return;
    }
    addressee_free(addressee);
}

static void addressee_unknown(struct addressee *addressee)
{
    struct hub_post *post = addressee->post;
    struct list letters;
    list_init(&letters);
    log_limited(&post->unknown_limit, LOG_LEVEL_WARNING,
                "nobody is called as one who is to be told", LOG_TEXT("user", name_of(addressee)));
    for (struct list *node; (node = list_pop(&addressee->letters)) != NULL;)
        list_push(&letters, node);
    addressee_free(addressee);
    for (struct list *node; (node = list_pop(&letters)) != NULL;) {
        settle(post, container_of(node, struct letter, link));
    }
}

static void addressee_found(struct addressee *addressee, enum homes_found found, size_t region)
{
    switch (found) {
    case HOMES_FOUND:
        addressee->known = true;
        addressee->region = region;
        addressee_write(addressee);
        break;
    case HOMES_NOT_FOUND:
        addressee_unknown(addressee);
        break;
    case HOMES_UNSURE:
        addressee->again_ms = loop_now_ms(addressee->post->settings.loop) + AGAIN_MS;
        break;
    }
}

static void on_found(struct homes_lookup *lookup, enum homes_found found, size_t region)
{
    addressee_found(container_of(lookup, struct addressee, lookup), found, region);
}

/* What can be done now for one. It may be freed. */
static void addressee_go(struct addressee *addressee)
{
    struct hub_post *post = addressee->post;
    int64_t now_ms = loop_now_ms(post->settings.loop);
    enum homes_found found;
    size_t region;
    if (addressee->known) {
        addressee_write(addressee);
        return;
    }
    if (addressee->lookup.homes != NULL || now_ms < addressee->again_ms)
        return;
    int err = homes_find(post->homes, name_of(addressee), &addressee->lookup, &found, &region);
    if (err == 0)
        addressee_found(addressee, found, region);
    else if (err != -EINPROGRESS)
        addressee->again_ms = now_ms + AGAIN_MS;
}

static struct addressee *find_addressee(struct hub_post *post, struct text name)
{
    struct addressee *addressee = NULL;
    if (post->addressees != NULL)
        HASH_FIND(hh, post->addressees, name.data, name.size, addressee);
    if (addressee != NULL)
        return addressee;
    addressee = calloc(1, sizeof *addressee + name.size);
    if (addressee == NULL)
        return NULL;
    addressee->post = post;
    addressee->lookup.on_found = on_found;
    addressee->size = name.size;
    memcpy(addressee->name, name.data, name.size);
    list_init(&addressee->letters);
    HASH_ADD_KEYPTR(hh, post->addressees, addressee->name, addressee->size, addressee);
    return addressee;
}

static int add(struct hub_post *post, const size_t *region, struct hub_notice *notice,
               uint64_t number)
{
    struct letter *letter = calloc(1, sizeof *letter);
    struct addressee *addressee = find_addressee(post, hub_notice_to(notice));
    if (addressee != NULL && region != NULL) {
        homes_cancel(&addressee->lookup);
        addressee->known = true;
        addressee->region = *region;
    }
    if (letter == NULL || addressee == NULL) {
        if (addressee != NULL && list_empty(&addressee->letters))
            addressee_free(addressee);
        hub_notice_free(notice);
        free(letter);
        return -ENOMEM;
    }
    letter->number = number;
    letter->notice = notice;
    list_push(&addressee->letters, &letter->link);
    post->waiting++;
    if (addressee->letters.next == &letter->link) /* else those before it are to go first */
        addressee_go(addressee);
    return 0;
}

int hub_post_add(struct hub_post *post, struct hub_notice *notice, uint64_t number)
{
    return add(post, NULL, notice, number);
}

int hub_post_add_to(struct hub_post *post, size_t region, struct hub_notice *notice,
                    uint64_t number)
{
    return add(post, &region, notice, number);
}

static void channel_settle(struct hub_post *post, struct channel *channel)
{
    uint64_t settled = hub_writer_settled(channel->writer);
    list_each(node, &channel->written)
    {
        struct letter *letter = container_of(node, struct letter, link);
        if (letter->ticket > settled)
            break;
        list_remove(node);
        settle(post, letter);
    }
}

bool hub_post_puback(struct hub_post *post, uint64_t number, const struct bus_puback *ack)
{
    for (size_t i = 0; i < post->channel_count; i++) {
        struct channel *channel = &post->channels[i];
        if (channel->writer == NULL || !hub_writer_is_waiting_for(channel->writer, number))
            continue;
        hub_writer_puback(channel->writer, ack);
        if (!hub_post_has_lost(post))
            channel_settle(post, channel);
        return true;
    }
    return false;
}

void hub_post_connected(struct hub_post *post)
{
    for (size_t i = 0; i < post->channel_count; i++)
        if (post->channels[i].writer != NULL)
            hub_writer_connected(post->channels[i].writer);
}

void hub_post_tick(struct hub_post *post)
{
    struct addressee *addressee;
    struct addressee *next;
    homes_tick(post->homes, loop_now_ms(post->settings.loop));
    HASH_ITER(hh, post->addressees, addressee, next)
    addressee_go(addressee);
}

size_t hub_post_waiting(const struct hub_post *post)
{
    return post->waiting;
}

bool hub_post_has_lost(const struct hub_post *post)
{
    for (size_t i = 0; i < post->channel_count; i++)
        if (post->channels[i].writer != NULL && hub_writer_lost(post->channels[i].writer) > 0)
            return true;
    return false;
}
