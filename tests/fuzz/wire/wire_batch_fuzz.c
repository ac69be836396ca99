/* Batches and records: what is decoded is encoded again and must give the same bytes, since every
 * format has one way to say a thing. Damage is found by CRCs, which no fuzzer gets past; so the
 * input is tried as it is, and once more with its header made good. */
#include "wire/batch.h"
#include "wire/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void write_message(struct wire_batch_writer *writer, struct wire_message message)
{
    static struct wire_recipient recipients[WIRE_RECIPIENTS_MAX];
    size_t count = 0;
    while (count < WIRE_RECIPIENTS_MAX &&
           wire_recipient_next(&message.recipients, &recipients[count]))
        count++;
    require(wire_done(&message.recipients) && count == message.recipient_count);
    size_t before = writer->out->size;
    wire_message_write(writer, &message, recipients, count);
    require(writer->out->size - before == 8 + wire_message_size(&message, recipients, count));
}

static void write_record(struct wire_batch_writer *writer, const struct wire_record *record)
{
    switch (record->kind) {
    case WIRE_MESSAGE:
        write_message(writer, record->message);
        break;
    case WIRE_GENESIS:
        wire_genesis_write(writer, &record->genesis);
        break;
    case WIRE_CONFIG:
        wire_config_write(writer, &record->config);
        break;
    case WIRE_OWN:
        wire_own_write(writer, &record->own);
        break;
    case WIRE_TICK:
        wire_tick_write(writer, &record->tick);
        break;
    case WIRE_ACK:
        wire_ack_write(writer, &record->ack);
        break;
    default:
        abort(); /* no other kind is known */
    }
}

static void check_again(const struct wire_batch *batch, const uint8_t *bytes, size_t size)
{
    struct buffer out = {0};
    struct wire_batch_writer writer;
    struct wire_cursor body = batch->body;
    struct wire_record record;
    wire_batch_begin(&writer, &out);
    while (wire_record_next(&body, &record) == 0)
        write_record(&writer, &record);
    require(wire_batch_end(&writer) == 0);
    wire_batch_stamp(out.data, &batch->stamp);
    require(out.size == size && memcmp(out.data, bytes, size) == 0);
    buffer_free(&out);
}

static void try_batch(const uint8_t *bytes, size_t size)
{
    struct wire_batch batch = {0};
    struct wire_batch header = {0};
    int error = wire_batch_read(bytes, size, &batch);
    int header_error = wire_batch_read_header(bytes, size, &header);
    require(header_error == (error == -EILSEQ ? 0 : error));
    require(memcmp(&header.stamp, &batch.stamp, sizeof header.stamp) == 0);
    if (error != 0)
        return;
    struct wire_cursor body = batch.body;
    struct wire_record record;
    size_t count = 0;
    while ((error = wire_record_next(&body, &record)) == 0 || error == -EPROTO)
        count++;
    int check = wire_batch_check(&batch);
    require((check == -EBADMSG) == (error != -ENODATA || count != batch.count));
    if (check == 0)
        check_again(&batch, bytes, size);
}

static void put_u32(uint8_t *at, uint32_t value)
{
    for (size_t i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_batch(data, size);
    if (size < WIRE_BATCH_HEADER_SIZE)
        return 0;
    uint8_t *good = malloc(size);
    if (good == NULL)
        return 0;
    memcpy(good, data, size);
    size_t body_size = size - WIRE_BATCH_HEADER_SIZE;
    put_u32(good + 8, (uint32_t)body_size);
    put_u32(good + 12, (uint32_t)crc32_z(0, good + WIRE_BATCH_HEADER_SIZE, body_size));
    put_u32(good + 48, (uint32_t)crc32_z(0, good, 48));
    try_batch(good, size);
    free(good);
    return 0;
}
