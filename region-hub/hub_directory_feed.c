#include "region-hub/hub_directory_feed.h"

#include "base/clock.h"
#include "bus/bus_stream.h"
#include "log/log.h"
#include "region-hub/hub_directory_desk.h"
#include "region-hub/hub_stream.h"
#include "wire/names.h"
#include "json/json.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    INFO_EVERY_MS = 5000, /* whether the bucket still is the same */
    INFO_TIMEOUT_MS = 2000,
    PAGE = 256,
};

struct bucket_feed {
    struct hub_directory_feed *feed;
    struct hub_directory_desk *desk;
    struct wire_bucket bucket;
    struct bus_request info;
    int64_t info_ms;                 /* when it was asked last; 0: never */
    char made[ARCHIVE_MADE_MAX + 1]; /* empty: not known */
    struct bus_reader *reader;
    bool ready; /* the batch waits for room on the desk; the reader is held */
    int64_t since_ms;
    struct hub_home_batch batch;
};

struct hub_directory_feed {
    struct hub_directory_feed_settings settings;
    struct log_limit damaged_limit;
    struct bucket_feed buckets[];
};

/* --- reading --- */

static void on_entry(void *context, const struct bus_entry *entry)
{
    struct bucket_feed *bucket = context;
    struct wire_directory_entry value;
    char user[TEXT_USER_MAX + 1];
    if (wire_directory_user(entry->subject, user) != 0 ||
        wire_directory_entry_read(entry->data, entry->size, &value) != 0) {
        log_limited(&bucket->feed->damaged_limit, LOG_LEVEL_WARNING,
                    "an entry of the directory cannot be read and is not archived",
                    LOG_U64("bucket", bucket->bucket.number), LOG_U64("position", entry->position));
        return;
    }
    assert(bucket->batch.count < HUB_DIRECTORY_BATCH);
    struct hub_home *home = &bucket->batch.homes[bucket->batch.count];
    *home = (struct hub_home){
        .revision = entry->position, .epoch = value.epoch, .user_size = (uint8_t)strlen(user)};
    memcpy(home->user, user, home->user_size);
    if (text_put(home->home, sizeof home->home, value.home) != 0)
        return; /* cannot be: it was checked */
    if (bucket->batch.count++ == 0)
        bucket->since_ms = clock_wall_ms();
}

/* After each page; there is room for as many of them as the batch holds. */
static void on_pause(void *context, bool caught_up)
{
    struct bucket_feed *bucket = context;
    size_t count = bucket->batch.count;
    bucket->ready = count > HUB_DIRECTORY_BATCH - PAGE || (caught_up && count > 0);
    if (bucket->ready)
        bus_reader_hold(bucket->reader, true);
}

static void begin_reading(struct bucket_feed *bucket, uint64_t position)
{
    struct wire_name stream = wire_directory_stream(bucket->bucket);
    struct wire_name users = wire_directory_users(bucket->bucket);
    bucket->batch.count = 0;
    bucket->ready = false;
    bucket->reader = bus_reader_open(bucket->feed->settings.bus,
                                     &(struct bus_reader_settings){.stream = stream.text,
                                                                   .filter = users.text,
                                                                   .from = position + 1,
                                                                   .batch_max = PAGE,
                                                                   .on_entry = on_entry,
                                                                   .on_pause = on_pause,
                                                                   .context = bucket});
}

static void end_reading(struct bucket_feed *bucket)
{
    bus_reader_close(bucket->reader);
    bucket->reader = NULL;
    bucket->batch.count = 0;
    bucket->ready = false;
}

/* --- which stream it is --- */

static void ask_archive(struct bucket_feed *bucket)
{
    struct archive_bucket asked = {.number = bucket->bucket.number, .of = bucket->bucket.of};
    memcpy(asked.made, bucket->made, sizeof asked.made);
    hub_directory_desk_ask(bucket->desk, &asked);
    hub_archiver_wake(bucket->feed->settings.archiver);
}

static void is_made(struct bucket_feed *bucket, struct text made)
{
    if (made.size == 0 || text_equal(text_of(bucket->made), made) ||
        text_put(bucket->made, sizeof bucket->made, made) != 0)
        return;
    end_reading(bucket);
    ask_archive(bucket);
}

static bool on_info(struct bus_request *request, enum bus_outcome outcome,
                    const struct bus_message *message)
{
    struct bucket_feed *bucket = container_of(request, struct bucket_feed, info);
    struct json_value created;
    const struct json_pick picks[] = {{"created", &created}};
    char room[ARCHIVE_MADE_MAX + 1];
    struct text made = {0};
    if (outcome == BUS_ANSWER &&
        json_object_pick((struct text){(const char *)message->data, message->size}, picks,
                         COUNT_OF(picks)) == 0 &&
        json_string_read(created, room, sizeof room, &made) == 0)
        is_made(bucket, made);
    return false;
}

static void ask_info_when_due(struct bucket_feed *bucket)
{
    const int64_t now_ms = clock_monotonic_ms();
    if (bucket->info.bus != NULL ||
        (bucket->info_ms != 0 && now_ms - bucket->info_ms < INFO_EVERY_MS))
        return;
    struct wire_name stream = wire_directory_stream(bucket->bucket);
    if (hub_stream_info(bucket->feed->settings.bus, &bucket->info, stream.text, INFO_TIMEOUT_MS) ==
        0)
        bucket->info_ms = now_ms;
}

/* --- handing over --- */

static void hand_over(struct bucket_feed *bucket)
{
    hub_directory_desk_put(bucket->desk, &bucket->batch, bucket->since_ms);
    hub_archiver_wake(bucket->feed->settings.archiver);
    bucket->batch.count = 0;
    bucket->ready = false;
    bus_reader_hold(bucket->reader, false); /* the next one fills meanwhile */
}

static void tick(struct bucket_feed *bucket)
{
    uint64_t position;
    ask_info_when_due(bucket);
    switch (hub_directory_desk_look(bucket->desk, &position)) {
    case HUB_DESK_IDLE:
        end_reading(bucket);
        if (bucket->made[0] != '\0')
            ask_archive(bucket);
        break;
    case HUB_DESK_WAITING:
        if (bucket->reader == NULL)
            begin_reading(bucket, position);
        else if (bucket->ready)
            hand_over(bucket);
        break;
    case HUB_DESK_ASKED:
    case HUB_DESK_FULL:
        break;
    }
}

void hub_directory_feed_tick(struct hub_directory_feed *feed)
{
    for (unsigned i = 0; i < feed->settings.buckets; i++)
        tick(&feed->buckets[i]);
}

struct hub_directory_feed *
hub_directory_feed_new(const struct hub_directory_feed_settings *settings)
{
    struct hub_directory_feed *feed =
        calloc(1, sizeof *feed + settings->buckets * sizeof feed->buckets[0]);
    if (feed == NULL)
        return NULL;
    feed->settings = *settings;
    for (unsigned i = 0; i < settings->buckets; i++) {
        struct bucket_feed *bucket = &feed->buckets[i];
        bucket->feed = feed;
        bucket->desk = hub_archiver_desk(settings->archiver, i);
        bucket->bucket = (struct wire_bucket){.number = i, .of = settings->buckets};
        bucket->info.on_answer = on_info;
    }
    return feed;
}

void hub_directory_feed_free(struct hub_directory_feed *feed)
{
    if (feed == NULL)
        return;
    for (unsigned i = 0; i < feed->settings.buckets; i++) {
        bus_request_cancel(&feed->buckets[i].info);
        end_reading(&feed->buckets[i]);
        hub_directory_desk_leave(feed->buckets[i].desk);
    }
    free(feed);
}
