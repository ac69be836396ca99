#include "region-hub/hub_who.h"

static bool is_asked_for(const struct hub_attachment *attachment, const struct wire_who_ask *asked)
{
    return asked->device.size == 0 || text_equal(hub_attachment_device(attachment), asked->device);
}

static size_t collect(const struct hub_presence *presence, const struct wire_who_ask *asked,
                      struct hub_attachment *found[WIRE_WHO_MAX])
{
    const struct hub_user *user = hub_presence_user(presence, asked->user);
    size_t count = 0;
    if (user == NULL)
        return 0;
    list_each(node, &user->attachments)
    {
        struct hub_attachment *attachment = container_of(node, struct hub_attachment, of_user);
        if (count < WIRE_WHO_MAX && is_asked_for(attachment, asked))
            found[count++] = attachment;
    }
    return count;
}

static void write_connection(const struct hub_attachment *attachment, int64_t ahead_ms,
                             struct wire_frame_writer *frame)
{
    const struct wire_entry entry = {.kind = WIRE_WHO_CONNECTION,
                                     .connection = {.device = hub_attachment_device(attachment),
                                                    .region = text_of(attachment->edge->region),
                                                    .edge = text_of(attachment->edge->name),
                                                    .since_ms = attachment->since_ms + ahead_ms}};
    wire_entry_write(frame, &entry);
}

static void kick(const struct hub_who *who, struct hub_attachment *attachment, uint8_t action)
{
    const struct wire_entry entry = {
        .kind = WIRE_KICK,
        .kick = {.user = hub_attachment_user(attachment),
                 .device = hub_attachment_device(attachment),
                 .attach = attachment->attach,
                 .reason = action == WIRE_WHO_END ? WIRE_KICK_ENDED : WIRE_KICK_RECONNECT}};
    hub_delivery_send(who->delivery, attachment->edge, &entry);
    hub_presence_detach(who->presence, attachment);
}

void hub_who_answer(const struct hub_who *who, const struct wire_who_ask *asked,
                    enum wire_answer code, int64_t now_ms, int64_t wall_ms,
                    struct wire_frame_writer *frame)
{
    struct hub_attachment *found[WIRE_WHO_MAX];
    size_t count = code == WIRE_OK ? collect(who->presence, asked, found) : 0;
    const struct wire_entry head = {
        .kind = WIRE_WHO,
        .who = {.request = asked->request, .code = (uint8_t)code, .count = (uint16_t)count}};
    wire_entry_write(frame, &head);
    for (size_t i = 0; i < count; i++) {
        write_connection(found[i], wall_ms - now_ms, frame);
        if (asked->action != WIRE_WHO_TELL)
            kick(who, found[i], asked->action);
    }
}
