#include "region-hub/hub_service_internal.h"

#include "base/clock.h"
#include "base/hash.h"
#include "region-hub/hub_home.h"
#include "region-hub/hub_who.h"
#include "wire/beat.h"

#include <errno.h>
#include <stdlib.h>

struct hub_service *hub_service_new(const struct hub_service_settings *settings)
{
    struct hub_service *service = calloc(1, sizeof *service);
    if (service != NULL)
        service->settings = *settings;
    return service;
}

void hub_service_free(struct hub_service *service)
{
    free(service);
}

void hub_service_serve(struct hub_service *service, uint64_t generation)
{
    service->generation = generation;
}

/* Edges stand in the catalogue: what calls itself otherwise is no edge, and fills no table. */
static struct hub_edge *edge_of(struct hub_service *service, struct text name)
{
    const struct catalogue_region *region = NULL;
    uint32_t number;
    if (catalogue_edge_of(service->settings.catalogue, name, &region, &number) == NULL) {
        log_limited(&service->stranger_limit, LOG_LEVEL_WARNING,
                    "a process that is not in the catalogue talks as an edge",
                    LOG_TEXT("name", name));
        return NULL;
    }
    return hub_presence_edge(service->settings.presence, name, text_of(region->name),
                             hub_service_now(service));
}

/* --- what attached devices report --- */

static void tell_unattached(struct hub_service *service, const struct hub_edge *edge,
                            struct text user, struct text device, uint64_t attach)
{
    const struct wire_entry entry = {
        .kind = WIRE_UNATTACHED,
        .unattached = {.user = user, .device = device, .attach = attach},
    };
    hub_service_send(service, edge, &entry);
}

static void tell_acked(struct hub_service *service, const struct hub_attachment *attachment)
{
    const struct wire_entry entry = {
        .kind = WIRE_ACKED,
        .acked = {.user = hub_attachment_user(attachment),
                  .device = hub_attachment_device(attachment),
                  .attach = attachment->attach,
                  .epoch = attachment->epoch,
                  .seq = attachment->confirmed},
    };
    hub_service_send(service, attachment->edge, &entry);
}

static void on_report(struct hub_service *service, const struct hub_edge *edge,
                      const struct wire_report *report)
{
    const struct hub_service_settings *settings = &service->settings;
    struct hub_attachment *attachment =
        hub_presence_match(settings->presence, edge, report->user, report->device, report->attach);
    if (attachment == NULL) {
        tell_unattached(service, edge, report->user, report->device, report->attach);
        return;
    }
    if (report->epoch != attachment->epoch)
        return;
    uint64_t head = hub_service_user(service, report->user).head;
    bool moved = hub_presence_report(settings->presence, attachment, report->received,
                                     report->acked, head, hub_service_now(service));
    if (report->acked > attachment->confirmed && report->acked <= attachment->received &&
        hub_service_takes_acks(service, report->user)) {
        const struct hub_ack ack = {.user = report->user,
                                    .device = report->device,
                                    .epoch = report->epoch,
                                    .seq = report->acked};
        hub_service_check_noted(service, hub_acks_note(service->settings.acks, &ack));
    }
    if (moved)
        hub_delivery_pump(settings->delivery, attachment);
    else if (report->acked > 0 && report->acked <= attachment->confirmed)
        tell_acked(service, attachment); /* a report that says nothing new asks again */
}

static void on_fetch(struct hub_service *service, const struct hub_edge *edge,
                     const struct wire_fetch *fetch)
{
    const struct hub_service_settings *settings = &service->settings;
    struct hub_attachment *attachment =
        hub_presence_match(settings->presence, edge, fetch->user, fetch->device, fetch->attach);
    if (attachment == NULL) {
        tell_unattached(service, edge, fetch->user, fetch->device, fetch->attach);
        return;
    }
    if (fetch->epoch != attachment->epoch || fetch->from == 0)
        return;
    hub_presence_go_back(settings->presence, attachment, fetch->from - 1);
    hub_delivery_pump(settings->delivery, attachment);
}

static void on_read_up_to(struct hub_service *service, const struct hub_edge *edge,
                          const struct wire_read_up_to *read)
{
    const struct hub_service_settings *settings = &service->settings;
    const struct hub_attachment *attachment =
        hub_presence_match(settings->presence, edge, read->user, read->device, read->attach);
    if (attachment == NULL)
        tell_unattached(service, edge, read->user, read->device, read->attach);
    else
        hub_reads_ask(settings->reads, service->generation, attachment, read);
}

static void on_detach(struct hub_service *service, const struct hub_edge *edge,
                      const struct wire_detach *detach)
{
    struct hub_attachment *attachment = hub_presence_match(
        service->settings.presence, edge, detach->user, detach->device, detach->attach);
    if (attachment != NULL)
        hub_presence_detach(service->settings.presence, attachment);
}

static void on_ephemeral(struct hub_service *service, const struct wire_message *message)
{
    const struct hub_service_settings *settings = &service->settings;
    struct wire_cursor recipients = message->recipients;
    struct wire_recipient to;
    int64_t at_ms = mailbox_state(hub_apply_mailbox(settings->apply)).time_ms;
    while (wire_recipient_next(&recipients, &to))
        hub_delivery_ephemeral(settings->delivery, to.name, message, at_ms);
}

/* --- requests --- */

static void begin_answer(const struct hub_service *service, struct buffer *bytes,
                         struct wire_frame_writer *frame)
{
    const struct hub_service_settings *settings = &service->settings;
    const struct wire_frame head = {
        .generation = service->generation,
        .shard = (uint16_t)settings->shard,
        .region = text_of(settings->region->name),
        .from = text_of(settings->hub),
    };
    wire_frame_begin(frame, bytes, &head);
}

static void publish_answer(struct hub_service *service, struct text reply, struct buffer *bytes,
                           struct wire_frame_writer *frame)
{
    char subject[WIRE_NAME_MAX];
    if (bus_is_inbox(reply) && text_put(subject, sizeof subject, reply) == 0 &&
        (wire_frame_end(frame) != 0 ||
         bus_publish(service->settings.bus, subject, NULL, bytes->data, bytes->size) != 0))
        log_limited(&service->broken_limit, LOG_LEVEL_WARNING, "a request got no answer");
    buffer_free(bytes);
}

static void answer_lane(struct hub_service *service, struct text reply,
                        const struct wire_lane_ask *asked)
{
    const struct hub_service_settings *settings = &service->settings;
    struct wire_entry entry = {.kind = WIRE_LANE_AT, .lane_at = {.source = asked->source}};
    (void)mailbox_lane(hub_apply_mailbox(settings->apply), asked->source, entry.lane_at.incarnation,
                       &entry.lane_at.sequence);
    struct buffer bytes = {0};
    struct wire_frame_writer frame;
    begin_answer(service, &bytes, &frame);
    wire_entry_write(&frame, &entry);
    publish_answer(service, reply, &bytes, &frame);
}

static enum wire_answer may_tell_who(const struct hub_service *service, struct text token,
                                     struct text user)
{
    const struct hub_service_settings *settings = &service->settings;
    const struct hub_admission_ask ask = {.token = token,
                                          .user = user,
                                          .device = TEXT(""),
                                          .or_admin = true,
                                          .wall_ms = clock_wall_ms(),
                                          .now_ms = hub_service_now(service)};
    int64_t until_ms;
    if (!wire_is_person(user) || hub_admission_judge(settings->admission, &ask, &until_ms) != 0)
        return WIRE_REFUSED;
    return hash_shard(user, settings->region->shards) == settings->shard &&
                   hub_home_serves(hub_apply_mailbox(settings->apply), user)
               ? WIRE_OK
               : WIRE_NOT_HOME;
}

static void answer_who(struct hub_service *service, struct text reply, struct text token,
                       const struct wire_who_ask *asked)
{
    const struct hub_service_settings *settings = &service->settings;
    const struct hub_who who = {settings->presence, settings->delivery};
    struct buffer bytes = {0};
    struct wire_frame_writer frame;
    if (!bus_is_inbox(reply)) /* nobody would learn what it did */
        return;
    begin_answer(service, &bytes, &frame);
    hub_who_answer(&who, asked, may_tell_who(service, token, asked->user), hub_service_now(service),
                   clock_wall_ms(), &frame);
    publish_answer(service, reply, &bytes, &frame);
}

/* --- frames --- */

static void on_history(struct hub_service *service, struct text reply, struct text token,
                       const struct wire_history_ask *ask)
{
    int64_t until_ms;
    if (hub_service_admit(service, token, ask->user, TEXT(""), &until_ms) == 0)
        hub_history_ask(service->settings.history, reply, ask);
    else
        hub_history_refuse(service->settings.history, reply, ask);
}

static void on_show(struct hub_service *service, struct hub_edge *edge, struct text token,
                    const struct wire_show *show)
{
    int64_t until_ms;
    if (hub_service_admit(service, token, show->user, show->device, &until_ms) == 0)
        hub_shown_ask(service->settings.shown, edge, show);
    else
        hub_shown_refuse(service->settings.shown, edge, show);
}

static void on_entry(struct hub_service *service, struct hub_edge *edge,
                     const struct wire_entry *entry)
{
    switch (entry->kind) {
    case WIRE_ATTACH:
        hub_service_attach(service, edge, &entry->attach);
        break;
    case WIRE_DETACH:
        on_detach(service, edge, &entry->detach);
        break;
    case WIRE_REPORT:
        on_report(service, edge, &entry->report);
        break;
    case WIRE_FETCH:
        on_fetch(service, edge, &entry->fetch);
        break;
    case WIRE_READ_UP_TO:
        on_read_up_to(service, edge, &entry->read_up_to);
        break;
    case WIRE_EPHEMERAL_SEND:
        on_ephemeral(service, &entry->ephemeral);
        break;
    case WIRE_CLAIM:
        hub_claims_ask(service->settings.claims, edge, &entry->claim);
        break;
    default: /* an answer, which nobody sends to a hub */
        break;
    }
}

void hub_service_message(struct hub_service *service, const struct bus_message *message)
{
    const struct hub_service_settings *settings = &service->settings;
    struct wire_frame frame;
    struct wire_entry entry;
    int err = 0;
    if (service->generation == 0 || hub_apply_mailbox(settings->apply) == NULL)
        return;
    if (wire_frame_read(message->data, message->size, &frame) != 0) {
        log_limited(&service->broken_limit, LOG_LEVEL_WARNING, "a frame cannot be read",
                    LOG_TEXT("subject", message->subject));
        return;
    }
    /* A generation above ours: we are deposed, and will read so. */
    if (frame.shard != settings->shard || frame.generation > service->generation ||
        !text_equal(frame.region, text_of(settings->region->name)))
        return;
    struct hub_edge *edge = NULL;
    struct text shown = {"", 0};
    struct text from = frame.from;
    while (service->generation != 0 && (err = wire_entry_next(&frame, &entry)) != -ENODATA) {
        if (err == -EPROTO) /* of a newer edge */
            continue;
        if (err != 0)
            break;
        if (entry.kind == WIRE_LANE_ASK) {
            answer_lane(service, message->reply, &entry.lane_ask);
            continue;
        }
        if (edge == NULL && (edge = edge_of(service, from)) == NULL)
            return;
        if (entry.kind == WIRE_TOKEN)
            shown = entry.token.token;
        else if (entry.kind == WIRE_HISTORY_ASK)
            on_history(service, message->reply, shown, &entry.history_ask);
        else if (entry.kind == WIRE_SHOW)
            on_show(service, edge, shown, &entry.show);
        else if (entry.kind == WIRE_WHO_ASK)
            answer_who(service, message->reply, shown, &entry.who_ask);
        else
            on_entry(service, edge, &entry);
        if (entry.kind != WIRE_TOKEN)
            shown = TEXT("");
    }
    if (err != 0 && err != -ENODATA)
        log_limited(&service->broken_limit, LOG_LEVEL_WARNING, "a frame is malformed",
                    LOG_TEXT("from", from), LOG_TEXT("subject", message->subject));
}

void hub_service_edge_beat(struct hub_service *service, const struct bus_message *message)
{
    struct wire_edge_beat beat;
    if (service->generation == 0 || wire_edge_beat_read(message->data, message->size, &beat) != 0)
        return;
    struct hub_edge *edge = edge_of(service, beat.edge);
    if (edge == NULL)
        return;
    size_t dropped =
        hub_presence_beat(service->settings.presence, edge, beat.start, hub_service_now(service));
    if (dropped > 0)
        log_info("an edge has started again: its devices are not attached any more",
                 LOG_STRING("edge", edge->name), LOG_U64("dropped", dropped));
}

static void on_token_ended(void *context, const struct hub_attachment *attachment)
{
    const struct wire_entry kick = {
        .kind = WIRE_KICK,
        .kick = {.user = hub_attachment_user(attachment),
                 .device = hub_attachment_device(attachment),
                 .attach = attachment->attach,
                 .reason = WIRE_KICK_REVOKED},
    };
    hub_service_send(context, attachment->edge, &kick);
}

void hub_service_end_tokens(struct hub_service *service)
{
    hub_presence_end(service->settings.presence, hub_service_now(service), on_token_ended, service);
}

void hub_service_acked(struct hub_service *service, struct text user, struct text device,
                       uint32_t epoch, uint64_t seq)
{
    if (service->generation == 0)
        return;
    struct hub_attachment *attachment =
        hub_presence_device(service->settings.presence, user, device);
    if (attachment == NULL || attachment->epoch != epoch || seq < attachment->confirmed)
        return;
    attachment->confirmed = seq;
    tell_acked(service, attachment);
}

void hub_service_dropped(struct hub_service *service, struct text user, struct text device)
{
    const struct hub_service_settings *settings = &service->settings;
    if (service->generation == 0)
        return;
    hub_acks_forget(settings->acks, user, device); /* else it came back by its own last ack */
    struct hub_attachment *attachment = hub_presence_device(settings->presence, user, device);
    if (attachment == NULL)
        return;
    const struct wire_entry kick = {
        .kind = WIRE_KICK,
        .kick = {.user = user,
                 .device = device,
                 .attach = attachment->attach,
                 .reason = WIRE_KICK_DROPPED},
    };
    hub_service_send(service, attachment->edge, &kick);
    hub_presence_detach(settings->presence, attachment);
}
