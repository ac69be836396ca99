#include "region-hub/hub_reads.h"

#include "region-hub/hub_home.h"

#include <errno.h>

enum { LEVEL_READS = 2 }; /* of the log, from which on hubs know these records */

static struct wire_entry noted(const struct wire_read *read)
{
    return (struct wire_entry){
        .kind = WIRE_READ_NOTED,
        .read_noted = {.user = read->user, .of = read->of, .epoch = read->epoch, .seq = read->seq}};
}

int hub_reads_note(const struct hub_reads *reads, const struct wire_read *read)
{
    const struct mailbox *mailbox = hub_apply_mailbox(reads->apply);
    if (!wire_is_person(read->of) || !hub_home_takes(mailbox, read->user))
        return -EINVAL;
    if (mailbox_state(mailbox).config.level < LEVEL_READS)
        return -ENOTSUP;
    return hub_writer_read(reads->writer, read);
}

void hub_reads_ask(const struct hub_reads *reads, uint64_t generation,
                   const struct hub_attachment *attachment, const struct wire_read_up_to *asked)
{
    const struct mailbox *mailbox = hub_apply_mailbox(reads->apply);
    const struct wire_read read = {.generation = generation,
                                   .user = asked->user,
                                   .of = asked->of,
                                   .epoch = asked->epoch,
                                   .seq = asked->seq};
    struct mailbox_user user;
    if (asked->epoch != attachment->epoch || asked->seq == 0 ||
        !mailbox_find_user(mailbox, asked->user, &user) || user.epoch != asked->epoch ||
        asked->seq > user.head)
        return;
    if (hub_reads_note(reads, &read) == -ENOTSUP) { /* what else fails the edge says again */
        const struct wire_entry entry = noted(&read);
        hub_delivery_send(reads->delivery, attachment->edge, &entry);
    }
}

/* Whether no attachment before it in the list is at the same edge. */
static bool is_first_at_edge(const struct hub_attachment *attachment)
{
    list_each(node, &attachment->user->attachments)
    {
        const struct hub_attachment *other = container_of(node, struct hub_attachment, of_user);
        if (other == attachment || other->edge == attachment->edge)
            return other == attachment;
    }
    return true;
}

void hub_reads_applied(const struct hub_reads *reads, const struct wire_read *read)
{
    const struct hub_user *user = hub_presence_user(reads->presence, read->user);
    const struct wire_entry entry = noted(read);
    if (user == NULL)
        return;
    list_each(node, &user->attachments)
    {
        const struct hub_attachment *attachment =
            container_of(node, struct hub_attachment, of_user);
        if (is_first_at_edge(attachment))
            hub_delivery_send(reads->delivery, attachment->edge, &entry);
    }
}
