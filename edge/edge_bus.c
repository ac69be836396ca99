/* The edge on the bus: what it hears there, what its parts send there, and its own beats. */
#include "edge/edge_internal.h"

#include "log/log.h"
#include "wire/beat.h"
#include "wire/names.h"

#include <string.h>

enum { RENEW_APART_MS = 10000 };

/* What the parts call. */

static int on_home_publish(void *context, const char *subject, const void *data, size_t size)
{
    struct edge *edge = context;
    return bus_publish(edge->bus, subject, NULL, data, size);
}

static void on_home_wake(void *context, int64_t delay_ms)
{
    struct edge *edge = context;
    if (delay_ms == 0)
        loop_later(edge->loop, &edge->home_later);
    else if (!loop_timer_is_set(&edge->home_timer))
        loop_timer_set(edge->loop, &edge->home_timer, delay_ms);
}

static void on_home_later(struct loop_later *later)
{
    struct edge *edge = container_of(later, struct edge, home_later);
    edge_home_flush(edge->home, loop_now_ms(edge->loop));
}

static void on_home_timer(struct loop_timer *timer)
{
    struct edge *edge = container_of(timer, struct edge, home_timer);
    edge_home_flush(edge->home, loop_now_ms(edge->loop));
}

static void on_claimed(void *context, const struct wire_claimed *claimed)
{
    struct edge *edge = context;
    homes_claimed(edge->directory, claimed);
}

static void on_outcome(void *context, struct edge_ticket *ticket, enum edge_code code)
{
    (void)context;
    edge_dispatch_on_outcome(ticket, code);
}

/* What the bus says. */

static void on_bus_state(void *context, bool connected)
{
    struct edge *edge = context;
    if (connected) {
        log_info("the bus is connected", LOG_STRING("nats", bus_server_version(edge->bus)));
        edge->ever_connected = true;
        edge->beat_ms = 0; /* hubs should know at once */
        if (edge->outbound != NULL) {
            edge_outbound_connected(edge->outbound);
            edge_home_connected(edge->home, loop_now_ms(edge->loop));
        }
    } else if (edge->ever_connected) {
        log_warning("not connected to NATS");
    }
}

static void on_frame(void *context, const struct bus_message *message)
{
    struct edge *edge = context;
    edge_home_frame(edge->home, message->data, message->size, loop_now_ms(edge->loop));
}

/* The region of "beat.hub.<region>.<shard>". */
static struct text region_of_beat(struct text subject)
{
    static const char prefix[] = "beat.hub.";
    size_t skip = sizeof prefix - 1;
    struct text region = {"", 0};
    if (subject.size <= skip || memcmp(subject.data, prefix, skip) != 0)
        return region;
    const char *dot = memchr(subject.data + skip, '.', subject.size - skip);
    if (dot != NULL)
        region =
            (struct text){.data = subject.data + skip, .size = (size_t)(dot - subject.data) - skip};
    return region;
}

static void on_hub_beat(void *context, const struct bus_message *message)
{
    struct edge *edge = context;
    struct wire_hub_beat beat;
    if (wire_hub_beat_read(message->data, message->size, &beat) == 0)
        edge_home_beat(edge->home, region_of_beat(message->subject), &beat,
                       loop_now_ms(edge->loop));
}

/* Beats. */

void edge_beat(struct edge *edge)
{
    struct buffer bytes = {0};
    struct wire_edge_beat beat = {.edge = text_of(edge->settings->name),
                                  .region = text_of(edge->region->name),
                                  .start = edge->start,
                                  .number = ++edge->beats,
                                  .connections = (uint32_t)edge_connections(edge)};
    struct wire_name subject = wire_edge_beat_subject(edge->region->name, edge->settings->name);
    if (wire_edge_beat_write(&bytes, &beat) == 0)
        (void)!bus_publish(edge->bus, subject.text, NULL, bytes.data, bytes.size);
    buffer_free(&bytes);
}

/* To all hubs this is another edge now: they forget every attach of the one before, and beats
 * that count fewer devices than are here let all attach again. At most once in a while: it is a
 * walk over all devices. */
static void on_orphans(void *context)
{
    struct edge *edge = context;
    int64_t now_ms = loop_now_ms(edge->loop);
    if (edge->renewed_ms != 0 && now_ms - edge->renewed_ms < RENEW_APART_MS)
        return;
    edge->renewed_ms = now_ms;
    log_warning("a hub counts devices that have left: beginning anew");
    hash_random(&edge->start, sizeof edge->start);
    edge_beat(edge);
}

/* Building. */

struct bus *edge_open_bus(struct edge *edge, struct error_text *reterr_why)
{
    struct buffer urls = {0};
    const char *configured = edge->settings->nats_urls;
    if (configured[0] == '\0') {
        catalogue_nats_urls(edge->region, &urls);
        configured = urls.failed ? "" : (const char *)urls.data;
    }
    struct bus_settings settings = {
        .urls = configured,
        .name = edge->settings->name,
        .user = edge->settings->nats_user[0] == '\0' ? NULL : edge->settings->nats_user,
        .password = edge->settings->nats_user[0] == '\0' ? NULL : edge->settings->nats_password,
        .credentials =
            edge->settings->nats_credentials[0] == '\0' ? NULL : edge->settings->nats_credentials,
        .pending_max_bytes = edge->settings->nats_pending_max,
        .on_state = on_bus_state,
        .context = edge,
    };
    struct bus *bus = bus_open(edge->loop, &settings, reterr_why);
    buffer_free(&urls);
    return bus;
}

/* False when memory is short. */
static bool follow_revoked(struct edge *edge)
{
    if (!edge_auth_has_keys(edge->auth))
        return true;
    edge->revoked = revoked_new(
        &(struct revoked_settings){.bus = edge->bus, .most = edge->settings->auth.revocations_max});
    edge_auth_follow(edge->auth, edge->revoked);
    return edge->revoked != NULL;
}

bool edge_make_bus_parts(struct edge *edge)
{
    const struct edge_settings *settings = edge->settings;
    edge->home_later.on_later = on_home_later;
    edge->home_timer.on_due = on_home_timer;
    edge->directory = homes_new(
        &(struct homes_settings){.loop = edge->loop,
                                 .bus = edge->bus,
                                 .catalogue = edge->catalogue,
                                 .region = catalogue_new_home(edge->catalogue, edge->region),
                                 .process = settings->name,
                                 .users_max = settings->directory_users_max,
                                 .waiting_max = settings->directory_waiting_max});
    edge->home =
        edge_home_new(&(struct edge_home_settings){.catalogue = edge->catalogue,
                                                   .region = edge->region,
                                                   .edge = settings->name,
                                                   .start = edge->start,
                                                   .reads_max = settings->reads_max,
                                                   .reads_one_max = settings->reads_one_max,
                                                   .publish = on_home_publish,
                                                   .wake = on_home_wake,
                                                   .on_claimed = on_claimed,
                                                   .on_orphans = on_orphans,
                                                   .context = edge});
    edge->outbound =
        edge_outbound_new(&(struct edge_outbound_settings){.loop = edge->loop,
                                                           .bus = edge->bus,
                                                           .edge = settings,
                                                           .catalogue = edge->catalogue,
                                                           .region = edge->region,
                                                           .on_outcome = on_outcome,
                                                           .context = edge});
    if (edge->directory == NULL || edge->home == NULL || edge->outbound == NULL ||
        !follow_revoked(edge))
        return false;
    edge->frames = bus_subscribe(
        edge->bus, wire_edge_subject(edge->region->name, settings->name).text, on_frame, edge);
    edge->hub_beats = bus_subscribe(edge->bus, WIRE_HUB_BEATS, on_hub_beat, edge);
    return edge->frames != NULL && edge->hub_beats != NULL;
}
