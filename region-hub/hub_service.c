#include "region-hub/hub_service.h"

#include "base/clock.h"
#include "base/hash.h"
#include "log/log.h"
#include "region-hub/hub_cursor.h"
#include "region-hub/hub_home.h"
#include "region-hub/hub_horizon.h"
#include "region-hub/hub_who.h"
#include "wire/beat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    USER_DEVICES = CATALOGUE_DEVICES_MAX,
    USER_DEVICES_MORE = 8, /* attached beyond it, until the log has dropped the stalest */
};

struct hub_service {
    struct hub_service_settings settings;
    uint64_t generation;
    struct log_limit stranger_limit;
    struct log_limit acks_limit;
    struct log_limit broken_limit;
};

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

static int64_t now_of(const struct hub_service *service)
{
    return loop_now_ms(service->settings.loop);
}

static void send(struct hub_service *service, const struct hub_edge *edge,
                 const struct wire_entry *entry)
{
    hub_delivery_send(service->settings.delivery, edge, entry);
}

/* Edges stand in the catalogue: what calls itself otherwise is no edge, and fills no table. */
static struct hub_edge *edge_of(struct hub_service *service, struct text name)
{
    const struct catalogue_region *region = NULL;
    if (catalogue_edge(service->settings.catalogue, name, &region) == NULL) {
        log_limited(&service->stranger_limit, LOG_LEVEL_WARNING,
                    "a process that is not in the catalogue talks as an edge",
                    LOG_TEXT("name", name));
        return NULL;
    }
    return hub_presence_edge(service->settings.presence, name, text_of(region->name),
                             now_of(service));
}

/* --- attach --- */

static struct mailbox_user user_of(const struct hub_service *service, struct text name)
{
    struct mailbox_user user;
    if (mailbox_find_user(hub_apply_mailbox(service->settings.apply), name, &user))
        return user;
    return (struct mailbox_user){.name = name, .epoch = 1, .oldest = 1}; /* nothing came yet */
}

static bool is_known(const struct mailbox_user *user, struct text device)
{
    struct mailbox_device found;
    return user->internal != NULL && mailbox_find_device(user, device, &found) &&
           found.epoch == user->epoch;
}

/* Where a device not known yet begins: what was gone before it came it does not miss. */
static int find_first(const struct hub_service *service, const struct mailbox_user *user,
                      struct text device, uint64_t *ret_first)
{
    struct hub_apply *apply = service->settings.apply;
    *ret_first = user->oldest;
    if (user->internal == NULL || is_known(user, device))
        return 0;
    uint64_t expired_rows = mailbox_state(hub_apply_mailbox(apply)).expired_rows;
    int err = hub_horizon_first(hub_apply_view(apply), user, expired_rows, ret_first);
    if (err != 0)
        hub_apply_view_failed(apply, err);
    return err;
}

/* Where deliveries to the device begin; `first` is where one that is not known does. True when it
 * is known in the log. */
static bool choose_cursor(const struct hub_acks *acks, const struct mailbox_user *user,
                          uint64_t first, const struct wire_attach *asked,
                          struct hub_attach *attach)
{
    struct mailbox_device device;
    const bool known =
        is_known(user, asked->device) && mailbox_find_device(user, asked->device, &device);
    const struct hub_cursor_of of = {
        .epoch = user->epoch,
        .head = user->head,
        .base = user->base,
        .first = first,
        .known = known,
        .confirmed = known ? device.seq : 0,
        .noted = hub_acks_noted(acks, asked->user, asked->device, user->epoch)};
    const struct hub_cursor cursor = hub_cursor_choose(&of, asked);
    attach->epoch = user->epoch;
    attach->confirmed = of.confirmed;
    attach->cursor = cursor.seq;
    attach->flags = cursor.flags;
    return known;
}

static void answer_attach(struct hub_service *service, const struct hub_edge *edge,
                          const struct wire_attach *asked, uint8_t code)
{
    const struct wire_entry entry = {
        .kind = WIRE_ATTACHED,
        .attached = {.request = asked->request,
                     .user = asked->user,
                     .device = asked->device,
                     .attach = asked->attach,
                     .code = code},
    };
    send(service, edge, &entry);
}

static void answer_attached(struct hub_service *service, const struct hub_attachment *attachment,
                            uint64_t head)
{
    const struct wire_entry entry = {
        .kind = WIRE_ATTACHED,
        .attached = {.request = attachment->request,
                     .user = hub_attachment_user(attachment),
                     .device = hub_attachment_device(attachment),
                     .attach = attachment->attach,
                     .code = WIRE_OK,
                     .flags = attachment->flags,
                     .epoch = attachment->epoch,
                     .seq = attachment->start,
                     .head = head,
                     .acked = attachment->confirmed},
    };
    send(service, attachment->edge, &entry);
}

/* A frozen mailbox takes no cursor: what is acknowledged meanwhile is reported again. */
static bool takes_acks(const struct hub_service *service, struct text user)
{
    return hub_home_takes(hub_apply_mailbox(service->settings.apply), user);
}

static void check_noted(struct hub_service *service, int err)
{
    if (err != 0)
        log_limited(&service->acks_limit, LOG_LEVEL_WARNING,
                    "an ack was not noted: too many wait to be written", LOG_ERRNO(err));
}

static void attached(struct hub_service *service, const struct hub_attach_result *result,
                     const struct mailbox_user *user, bool known, uint64_t first, bool again)
{
    struct hub_attachment *attachment = result->attachment;
    if (result->replaced_edge != NULL) {
        const struct wire_entry kick = {
            .kind = WIRE_KICK,
            .kick = {.user = hub_attachment_user(attachment),
                     .device = hub_attachment_device(attachment),
                     .attach = result->replaced,
                     .reason = WIRE_KICK_REPLACED},
        };
        send(service, result->replaced_edge, &kick);
    }
    answer_attached(service, attachment, user->head);
    if (!known &&
        takes_acks(
            service,
            user->name)) { /* attached again: what was written is not what was acknowledged */
        const struct hub_ack ack = {.user = hub_attachment_user(attachment),
                                    .device = hub_attachment_device(attachment),
                                    .epoch = attachment->epoch,
                                    .seq = again ? first - 1 : attachment->start};
        check_noted(service, hub_acks_begin(service->settings.acks, &ack));
    }
    hub_delivery_pump(service->settings.delivery, attachment);
}

/* Whether this token opens this mailbox. */
static int admit(struct hub_service *service, struct text token, struct text user,
                 struct text device, int64_t *ret_until_ms)
{
    const struct hub_admission_ask ask = {.token = token,
                                          .user = user,
                                          .device = device,
                                          .wall_ms = clock_wall_ms(),
                                          .now_ms = now_of(service)};
    return hub_admission_judge(service->settings.admission, &ask, ret_until_ms);
}

static void on_attach(struct hub_service *service, struct hub_edge *edge,
                      const struct wire_attach *asked)
{
    const struct hub_service_settings *settings = &service->settings;
    int64_t until_ms;
    if (!wire_is_person(asked->user) || !text_is_device_id(asked->device)) {
        answer_attach(service, edge, asked, WIRE_REFUSED);
        return;
    }
    if (hash_shard(asked->user, settings->region->shards) != settings->shard ||
        !hub_home_serves(hub_apply_mailbox(settings->apply), asked->user)) {
        answer_attach(service, edge, asked, WIRE_NOT_HOME);
        return;
    }
    if (admit(service, asked->token, asked->user, asked->device, &until_ms) != 0) {
        answer_attach(service, edge, asked, WIRE_UNAUTHORIZED);
        return;
    }
    if (!settings->may_serve(settings->context, asked->user)) {
        answer_attach(service, edge, asked, WIRE_BUSY);
        return;
    }
    struct mailbox_user user = user_of(service, asked->user);
    uint64_t first;
    if (find_first(service, &user, asked->device, &first) != 0)
        return; /* the view has failed, and the shard is given up */
    uint16_t user_max = mailbox_state(hub_apply_mailbox(settings->apply)).config.devices_max;
    struct hub_attach attach = {
        .edge = edge,
        .request = asked->request,
        .user = asked->user,
        .device = asked->device,
        .attach = asked->attach,
        .until_ms = until_ms,
        /* 0: no config record yet */
        .user_max = (user_max > 0 ? user_max : USER_DEVICES) + USER_DEVICES_MORE,
    };
    bool known = choose_cursor(settings->acks, &user, first, asked, &attach);
    struct hub_attach_result result =
        hub_presence_attach(settings->presence, &attach, now_of(service));
    switch (result.outcome) {
    case HUB_ATTACH_NEW:
        attached(service, &result, &user, known, first, asked->attach != 0);
        break;
    case HUB_ATTACH_REPEAT:
        if (asked->attach == result.attachment->attach) /* the edge has had that answer */
            result.attachment->flags &= (uint8_t)~WIRE_ATTACHED_RESYNC;
        answer_attached(service, result.attachment, user.head);
        hub_delivery_pump(settings->delivery, result.attachment);
        break;
    case HUB_ATTACH_REFUSED:
        answer_attach(service, edge, asked, WIRE_REFUSED);
        break;
    case HUB_ATTACH_FULL:
        answer_attach(service, edge, asked, WIRE_BUSY);
        break;
    }
}

/* --- what attached devices report --- */

static void tell_unattached(struct hub_service *service, const struct hub_edge *edge,
                            struct text user, struct text device, uint64_t attach)
{
    const struct wire_entry entry = {
        .kind = WIRE_UNATTACHED,
        .unattached = {.user = user, .device = device, .attach = attach},
    };
    send(service, edge, &entry);
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
    send(service, attachment->edge, &entry);
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
    uint64_t head = user_of(service, report->user).head;
    bool moved = hub_presence_report(settings->presence, attachment, report->received,
                                     report->acked, head, now_of(service));
    if (report->acked > attachment->confirmed && report->acked <= attachment->received &&
        takes_acks(service, report->user)) {
        const struct hub_ack ack = {.user = report->user,
                                    .device = report->device,
                                    .epoch = report->epoch,
                                    .seq = report->acked};
        check_noted(service, hub_acks_note(service->settings.acks, &ack));
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

static enum wire_answer may_tell_who(const struct hub_service *service, struct text user)
{
    const struct hub_service_settings *settings = &service->settings;
    if (!wire_is_person(user))
        return WIRE_REFUSED;
    return hash_shard(user, settings->region->shards) == settings->shard &&
                   hub_home_serves(hub_apply_mailbox(settings->apply), user)
               ? WIRE_OK
               : WIRE_NOT_HOME;
}

static void answer_who(struct hub_service *service, struct text reply,
                       const struct wire_who_ask *asked)
{
    const struct hub_service_settings *settings = &service->settings;
    const struct hub_who who = {settings->presence, settings->delivery};
    struct buffer bytes = {0};
    struct wire_frame_writer frame;
    if (!bus_is_inbox(reply)) /* nobody would learn what it did */
        return;
    begin_answer(service, &bytes, &frame);
    hub_who_answer(&who, asked, may_tell_who(service, asked->user), now_of(service),
                   clock_wall_ms(), &frame);
    publish_answer(service, reply, &bytes, &frame);
}

/* --- frames --- */

static void on_history(struct hub_service *service, struct text reply, struct text token,
                       const struct wire_history_ask *ask)
{
    int64_t until_ms;
    if (admit(service, token, ask->user, TEXT(""), &until_ms) == 0)
        hub_history_ask(service->settings.history, reply, ask);
    else
        hub_history_refuse(service->settings.history, reply, ask);
}

static void on_show(struct hub_service *service, struct hub_edge *edge, struct text token,
                    const struct wire_show *show)
{
    int64_t until_ms;
    if (admit(service, token, show->user, show->device, &until_ms) == 0)
        hub_shown_ask(service->settings.shown, edge, show);
    else
        hub_shown_refuse(service->settings.shown, edge, show);
}

static void on_entry(struct hub_service *service, struct hub_edge *edge,
                     const struct wire_entry *entry)
{
    switch (entry->kind) {
    case WIRE_ATTACH:
        on_attach(service, edge, &entry->attach);
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
            answer_who(service, message->reply, &entry.who_ask);
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
        hub_presence_beat(service->settings.presence, edge, beat.start, now_of(service));
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
    send(context, attachment->edge, &kick);
}

void hub_service_end_tokens(struct hub_service *service)
{
    hub_presence_end(service->settings.presence, now_of(service), on_token_ended, service);
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
    send(service, attachment->edge, &kick);
    hub_presence_detach(settings->presence, attachment);
}
