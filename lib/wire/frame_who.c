#include "wire/frame_who.h"

#include <assert.h>

/* Who ask: u64 request, text8 user, text8 device (may be empty), u8 action */
static bool is_device_or_empty(struct text text)
{
    return text.size == 0 || text_is_device_id(text);
}

bool wire_who_ask_read(struct wire_cursor *in, struct wire_entry *entry)
{
    struct wire_who_ask *ask = &entry->who_ask;
    ask->request = wire_read_u64(in);
    ask->user = wire_read_checked(in, text_is_user_id);
    ask->device = wire_read_checked(in, is_device_or_empty);
    ask->action = wire_read_u8(in);
    return ask->action <= WIRE_WHO_RECONNECT;
}

void wire_who_ask_write(struct buffer *out, const struct wire_entry *entry)
{
    const struct wire_who_ask *ask = &entry->who_ask;
    assert(ask->action <= WIRE_WHO_RECONNECT);
    wire_write_u64(out, ask->request);
    wire_write_checked(out, ask->user, text_is_user_id);
    wire_write_checked(out, ask->device, is_device_or_empty);
    wire_write_u8(out, ask->action);
}

/* Who: u64 request, u8 code, u16 count */
bool wire_who_read(struct wire_cursor *in, struct wire_entry *entry)
{
    struct wire_who *who = &entry->who;
    who->request = wire_read_u64(in);
    who->code = wire_read_u8(in);
    who->count = wire_read_u16(in);
    if (who->count > WIRE_WHO_MAX)
        wire_fail(in);
    return who->code <= WIRE_UNSURE;
}

void wire_who_write(struct buffer *out, const struct wire_entry *entry)
{
    const struct wire_who *who = &entry->who;
    assert(who->code <= WIRE_UNSURE && who->count <= WIRE_WHO_MAX);
    wire_write_u64(out, who->request);
    wire_write_u8(out, who->code);
    wire_write_u16(out, who->count);
}

/* Connection: text8 device, text8 region, text8 edge, i64 since_ms */
bool wire_connection_read(struct wire_cursor *in, struct wire_entry *entry)
{
    struct wire_connection *connection = &entry->connection;
    connection->device = wire_read_checked(in, text_is_device_id);
    connection->region = wire_read_checked(in, text_is_region_name);
    connection->edge = wire_read_checked(in, text_is_process_name);
    connection->since_ms = wire_read_i64(in);
    return true;
}

void wire_connection_write(struct buffer *out, const struct wire_entry *entry)
{
    const struct wire_connection *connection = &entry->connection;
    wire_write_checked(out, connection->device, text_is_device_id);
    wire_write_checked(out, connection->region, text_is_region_name);
    wire_write_checked(out, connection->edge, text_is_process_name);
    wire_write_i64(out, connection->since_ms);
}
