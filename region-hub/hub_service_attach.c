/* Devices that attach: where deliveries to them begin, and what they are answered. */
#include "region-hub/hub_service_internal.h"

#include "base/clock.h"
#include "base/hash.h"
#include "region-hub/hub_cursor.h"
#include "region-hub/hub_home.h"
#include "region-hub/hub_horizon.h"

enum {
    USER_DEVICES = CATALOGUE_DEVICES_MAX,
    USER_DEVICES_MORE = 8, /* attached beyond it, until the log has dropped the stalest */
};

struct mailbox_user hub_service_user(const struct hub_service *service, struct text name)
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
    hub_service_send(service, edge, &entry);
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
    hub_service_send(service, attachment->edge, &entry);
}

/* A frozen mailbox takes no cursor: what is acknowledged meanwhile is reported again. */
bool hub_service_takes_acks(const struct hub_service *service, struct text user)
{
    return hub_home_takes(hub_apply_mailbox(service->settings.apply), user);
}

void hub_service_check_noted(struct hub_service *service, int err)
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
        hub_service_send(service, result->replaced_edge, &kick);
    }
    answer_attached(service, attachment, user->head);
    if (!known &&
        hub_service_takes_acks(
            service,
            user->name)) { /* attached again: what was written is not what was acknowledged */
        const struct hub_ack ack = {.user = hub_attachment_user(attachment),
                                    .device = hub_attachment_device(attachment),
                                    .epoch = attachment->epoch,
                                    .seq = again ? first - 1 : attachment->start};
        hub_service_check_noted(service, hub_acks_begin(service->settings.acks, &ack));
    }
    hub_delivery_pump(service->settings.delivery, attachment);
}

int hub_service_admit(struct hub_service *service, struct text token, struct text user,
                      struct text device, int64_t *ret_until_ms)
{
    const struct hub_admission_ask ask = {.token = token,
                                          .user = user,
                                          .device = device,
                                          .wall_ms = clock_wall_ms(),
                                          .now_ms = hub_service_now(service)};
    return hub_admission_judge(service->settings.admission, &ask, ret_until_ms);
}

void hub_service_attach(struct hub_service *service, struct hub_edge *edge,
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
    if (hub_service_admit(service, asked->token, asked->user, asked->device, &until_ms) != 0) {
        answer_attach(service, edge, asked, WIRE_UNAUTHORIZED);
        return;
    }
    if (!settings->may_serve(settings->context, asked->user)) {
        answer_attach(service, edge, asked, WIRE_BUSY);
        return;
    }
    struct mailbox_user user = hub_service_user(service, asked->user);
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
        hub_presence_attach(settings->presence, &attach, hub_service_now(service));
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
