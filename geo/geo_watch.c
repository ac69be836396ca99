#include "geo/geo_watch.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static void append_urls(const struct catalogue *catalogue, struct buffer *out)
{
    for (size_t i = 0; i < catalogue->region_count; i++) {
        if (i > 0)
            buffer_append_text(out, TEXT(","));
        catalogue_nats_urls(&catalogue->regions[i], out);
    }
}

int geo_watch_open(struct geo_watch *watch, const struct catalogue *catalogue,
                   struct error_text *reterr_why)
{
    struct buffer urls = {0};
    char name[64];
    *watch = (struct geo_watch){.loop = loop_new()};
    if (watch->loop == NULL)
        return error_text_set(reterr_why, -errno, "the event loop could not be made");
    (void)snprintf(name, sizeof name, "meridian-geo-%ld", (long)getpid());
    append_urls(catalogue, &urls);
    if (!urls.failed)
        watch->bus = bus_open(watch->loop,
                              &(struct bus_settings){.urls = (const char *)urls.data, .name = name},
                              reterr_why);
    buffer_free(&urls);
    watch->regions = regions_new(catalogue);
    if (watch->bus != NULL && watch->regions != NULL)
        watch->feed = regions_feed_new(watch->bus, catalogue, watch->regions);
    return watch->feed != NULL ? 0
           : watch->bus == NULL && reterr_why->text[0] != '\0'
               ? -EINVAL
               : error_text_set(reterr_why, -ENOMEM, "memory is short");
}

void geo_watch_close(struct geo_watch *watch)
{
    regions_feed_free(watch->feed);
    regions_free(watch->regions);
    if (watch->bus != NULL)
        bus_close(watch->bus);
    loop_free(watch->loop);
    *watch = (struct geo_watch){0};
}
