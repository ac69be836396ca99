#include "region-hub/hub_home.h"

/* Their edges ask the directory where the user is now. */
static void kick_all(struct hub_home *home, struct text name)
{
    struct hub_user *user;
    while ((user = hub_presence_user(home->presence, name)) != NULL) { /* goes with its last one */
        struct hub_attachment *attachment =
            container_of(user->attachments.next, struct hub_attachment, of_user);
        const struct wire_entry kick = {
            .kind = WIRE_KICK,
            .kick = {.user = name,
                     .device = hub_attachment_device(attachment),
                     .attach = attachment->attach,
                     .reason = WIRE_KICK_MOVED},
        };
        hub_acks_forget(home->acks, name, kick.kick.device);
        hub_delivery_send(home->delivery, attachment->edge, &kick);
        hub_presence_detach(home->presence, attachment);
    }
}

/* Where a device begins was not written while the mailbox was frozen. Its acks the edge repeats. */
static void begin_again(struct hub_home *home, const struct mailbox_user *user,
                        const struct hub_attachment *attachment)
{
    struct mailbox_device device;
    const struct hub_ack ack = {.user = user->name,
                                .device = hub_attachment_device(attachment),
                                .epoch = attachment->epoch,
                                .seq = attachment->start};
    if (attachment->epoch != user->epoch || mailbox_find_device(user, ack.device, &device))
        return;
    int err = hub_acks_begin(home->acks, &ack);
    if (err != 0)
        log_limited(&home->acks_limit, LOG_LEVEL_WARNING,
                    "where a device begins was not noted: too many wait to be written",
                    LOG_ERRNO(err));
}

static void go_on(struct hub_home *home, struct text name)
{
    const struct hub_user *attached = hub_presence_user(home->presence, name);
    struct mailbox_user user;
    if (attached == NULL || !mailbox_find_user(hub_apply_mailbox(home->apply), name, &user))
        return;
    list_each(node, &attached->attachments)
    {
        struct hub_attachment *attachment = container_of(node, struct hub_attachment, of_user);
        begin_again(home, &user, attachment);
        hub_delivery_pump(home->delivery, attachment);
    }
}

void hub_home_moved(struct hub_home *home, const struct mailbox_move *move)
{
    switch (move->where) {
    case MAILBOX_STAGED:
    case MAILBOX_AWAY:
        kick_all(home, move->user);
        break;
    case MAILBOX_ARRIVED:
    case MAILBOX_AT_HOME:
        go_on(home, move->user);
        break;
    case MAILBOX_FROZEN:
        break;
    }
}
