#include "region-hub/hub.h"

#include "base/clock.h"
#include "base/hash.h"
#include "catalogue/catalogue.h"
#include "log/log.h"
#include "region-hub/hub_archive_reader.h"
#include "region-hub/hub_archiver.h"
#include "region-hub/hub_health.h"
#include "region-hub/hub_shard.h"
#include "region-hub/hub_status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STOP_MAX_MS = 1900 };

struct hub {
    struct loop *loop;
    const struct hub_settings *settings;
    struct catalogue *catalogue;
    const struct catalogue_region *region;
    int lock; /* of the data folder; -1: none */
    struct hub_health *health;
    struct hub_archiver *archiver; /* NULL: no archive */
    struct hub_archive_reader *archive_reader;
    struct hub_shard *shards[CATALOGUE_SHARDS_MAX];
    size_t shard_count;
    atomic_uint reloads; /* shards compare it with what they know */
};

static bool is_ready(void *context, struct buffer *out)
{
    const struct hub *hub = context;
    bool ready = true;
    for (size_t i = 0; i < hub->shard_count; i++) {
        struct hub_shard_status status = hub_shard_status(hub->shards[i]);
        ready = ready && status.ready;
        buffer_printf(
            out, "shard=%zu ready=%s state=%s position=%llu generation=%llu attached=%llu", i,
            status.ready ? "true" : "false", status.state, (unsigned long long)status.position,
            (unsigned long long)status.generation, (unsigned long long)status.attached);
        if (status.reason[0] != '\0')
            buffer_printf(out, " reason=%s", status.reason);
        if (status.warning != NULL)
            buffer_printf(out, " warning=%s", status.warning);
        buffer_printf(out, "\n");
    }
    hub_archiver_print(hub->archiver, out); /* whatever it says: a hub serves without an archive */
    return ready;
}

static void write_status(void *context, struct buffer *out)
{
    const struct hub *hub = context;
    buffer_printf(out, "{\"hub\":\"%s\",\"region\":\"%s\",\"level\":%u,\"shards\":[",
                  hub->settings->name, hub->settings->region, hub->settings->level_max);
    for (size_t i = 0; i < hub->shard_count; i++) {
        buffer_printf(out, i > 0 ? "," : "");
        hub_status_write_shard(out, (unsigned)i, hub_shard_status(hub->shards[i]),
                               hub_shard_alarms(hub->shards[i]), clock_monotonic_ms());
    }
    buffer_printf(out, "]}\n");
}

static int lock_data(struct hub *hub, struct error_text *reterr_why)
{
    char path[sizeof hub->settings->data + 8];
    const char *folder = hub->settings->data;
    if (mkdir(folder, 0750) != 0 && errno != EEXIST)
        return error_text_set(reterr_why, -errno, "cannot make the folder %s: %s", folder,
                              strerror(errno));
    snprintf(path, sizeof path, "%s/lock", folder);
    hub->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (hub->lock < 0)
        return error_text_set(reterr_why, -errno, "cannot open %s: %s", path, strerror(errno));
    if (flock(hub->lock, LOCK_EX | LOCK_NB) != 0)
        return error_text_set(reterr_why, -EBUSY, "another hub works in the folder %s", folder);
    return 0;
}

static int start_archive(struct hub *hub, struct error_text *reterr_why)
{
    if (hub->settings->archive_url[0] == '\0')
        return 0;
    const bool primary = hub->region == catalogue_primary(hub->catalogue);
    hub->archiver = hub_archiver_start(
        &(struct hub_archiver_place){.settings = hub->settings,
                                     .region = hub->region->name,
                                     .shards = hub->region->shards,
                                     .buckets = primary ? hub->catalogue->directory_buckets : 0},
        reterr_why);
    if (hub->archiver != NULL)
        hub->archive_reader = hub_archive_reader_start(hub->settings, reterr_why);
    return hub->archive_reader == NULL ? -EINVAL : 0;
}

static int start_shards(struct hub *hub, struct error_text *reterr_why)
{
    struct hub_shard_place place = {
        .settings = hub->settings,
        .catalogue = hub->catalogue,
        .region = hub->region,
        .archiver = hub->archiver,
        .archive_reader = hub->archive_reader,
        .reloads = &hub->reloads,
    };
    while (place.hub_index + 1 < hub->region->hub_count &&
           strcmp(hub->region->hubs[place.hub_index].name, hub->settings->name) != 0)
        place.hub_index++;
    hash_random(&place.start, sizeof place.start);
    for (place.shard = 0; place.shard < hub->region->shards; place.shard++) {
        struct hub_shard *shard = hub_shard_start(&place, reterr_why);
        if (shard == NULL)
            return -ENOMEM;
        hub->shards[hub->shard_count++] = shard;
    }
    return 0;
}

static int start_health(struct hub *hub, struct error_text *reterr_why)
{
    const struct catalogue_hub *self =
        catalogue_hub(hub->catalogue, text_of(hub->settings->name), NULL);
    const char *address = hub->settings->listen;
    if (address[0] == '\0' && self != NULL)
        address = self->health;
    hub->health = hub_health_start(
        hub->loop,
        &(struct hub_health_settings){
            .address = address, .context = hub, .is_ready = is_ready, .write_status = write_status},
        reterr_why);
    return hub->health == NULL ? -EINVAL : 0;
}

struct hub *hub_start(struct loop *loop, const struct hub_settings *settings,
                      struct error_text *reterr_why)
{
    struct hub *hub = calloc(1, sizeof *hub);
    if (hub == NULL) {
        error_text_set(reterr_why, -ENOMEM, "memory is short");
        return NULL;
    }
    hub->loop = loop;
    hub->settings = settings;
    hub->lock = -1;
    hub->catalogue = catalogue_load_file(settings->catalogue, reterr_why);
    if (hub->catalogue != NULL)
        hub->region = catalogue_region(hub->catalogue, text_of(settings->region));
    if (hub->region != NULL && lock_data(hub, reterr_why) == 0 &&
        start_health(hub, reterr_why) == 0 && start_archive(hub, reterr_why) == 0 &&
        start_shards(hub, reterr_why) == 0)
        return hub;
    if (!hub_stop(hub))
        log_error("a shard did not end");
    return NULL;
}

void hub_reload(struct hub *hub)
{
    atomic_fetch_add(&hub->reloads, 1);
}

bool hub_stop(struct hub *hub)
{
    int64_t due_ms = clock_monotonic_ms() + STOP_MAX_MS;
    hub_archiver_stop(hub->archiver);
    hub_archive_reader_stop(hub->archive_reader);
    for (size_t i = 0; i < hub->shard_count; i++)
        hub_shard_stop(hub->shards[i], true);
    for (size_t i = 0; i < hub->shard_count; i++)
        if (hub_shard_join(hub->shards[i], due_ms) != 0)
            return false;
    if (hub_archive_reader_join(hub->archive_reader, due_ms) != 0 ||
        hub_archiver_join(hub->archiver, due_ms) != 0)
        return false;
    hub_health_stop(hub->health);
    catalogue_free(hub->catalogue);
    if (hub->lock >= 0)
        close(hub->lock);
    free(hub);
    return true;
}
