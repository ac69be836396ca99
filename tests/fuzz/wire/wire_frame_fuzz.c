/* Frames and entries: what is decoded is encoded again and must give the same bytes, since every
 * format has one way to say a thing. */
#include "wire/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void write_ephemeral(struct wire_frame_writer *writer, struct wire_message message)
{
    static struct wire_recipient recipients[WIRE_RECIPIENTS_MAX];
    size_t count = 0;
    while (count < WIRE_RECIPIENTS_MAX &&
           wire_recipient_next(&message.recipients, &recipients[count]))
        count++;
    require(wire_done(&message.recipients) && count == message.recipient_count);
    wire_ephemeral_write(writer, &message, recipients, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_frame frame;
    if (wire_frame_read(data, size, &frame) != 0)
        return 0;
    struct buffer out = {0};
    struct wire_frame_writer writer;
    struct wire_entry entry;
    bool all_known = true;
    int error;
    wire_frame_begin(&writer, &out, &frame);
    while ((error = wire_entry_next(&frame, &entry)) == 0 || error == -EPROTO) {
        all_known = all_known && error == 0;
        if (error == 0 && entry.kind == WIRE_EPHEMERAL_SEND)
            write_ephemeral(&writer, entry.ephemeral);
        else if (error == 0)
            wire_entry_write(&writer, &entry);
    }
    require(wire_entry_next(&frame, &entry) == error); /* an end stays an end */
    require(wire_frame_end(&writer) == 0);
    if (all_known && error == -ENODATA)
        require(out.size == size && memcmp(out.data, data, size) == 0);
    buffer_free(&out);
    return 0;
}
