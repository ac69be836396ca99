/* Values as PostgreSQL's binary format has them: big-endian. */
#include "store/archive_pg.h"

#include <assert.h>

enum { OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25, OID_TIMESTAMPTZ = 1184 };

static const int64_t epoch_2000_ms = 946684800000;

static void put(uint8_t *out, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
}

static void put_in(struct buffer *out, uint64_t value, size_t size)
{
    uint8_t *room = buffer_reserve(out, size);
    if (room == NULL)
        return;
    put(room, value, size);
    out->size += size;
}

void pg_put_u32(struct buffer *out, uint32_t value)
{
    put_in(out, value, 4);
}

void pg_put_u64(struct buffer *out, uint64_t value)
{
    put_in(out, value, 8);
}

uint64_t pg_time_of(int64_t ms)
{
    return (uint64_t)(ms - epoch_2000_ms) * 1000;
}

void pg_begin_column(struct buffer *out, Oid element, size_t rows)
{
    buffer_clear(out);
    pg_put_u32(out, rows == 0 ? 0 : 1); /* dimensions */
    pg_put_u32(out, 1);                 /* may hold NULL */
    pg_put_u32(out, element);
    if (rows == 0)
        return;
    pg_put_u32(out, (uint32_t)rows);
    pg_put_u32(out, 1); /* where it starts to count */
}

void pg_put_i64_element(struct buffer *out, uint64_t value)
{
    pg_put_u32(out, 8);
    pg_put_u64(out, value);
}

void pg_put_text_element(struct buffer *out, struct text text)
{
    pg_put_u32(out, (uint32_t)text.size);
    buffer_append_text(out, text);
}

static void add(struct pg_params *params, Oid type, const void *bytes, size_t size)
{
    assert(params->count < PG_PARAMS_MAX);
    params->types[params->count] = type;
    params->values[params->count] = size == 0 ? "" : bytes;
    params->lengths[params->count] = (int)size;
    params->formats[params->count] = 1;
    params->count++;
}

static void add_number(struct pg_params *params, Oid type, uint64_t value)
{
    uint8_t *number = params->numbers[params->count];
    put(number, value, 8);
    add(params, type, number, 8);
}

void pg_add_i64(struct pg_params *params, int64_t value)
{
    add_number(params, OID_INT8, (uint64_t)value);
}

void pg_add_time(struct pg_params *params, int64_t ms)
{
    add_number(params, OID_TIMESTAMPTZ, pg_time_of(ms));
}

void pg_add_text(struct pg_params *params, struct text text)
{
    add(params, OID_TEXT, text.data, text.size);
}

void pg_add_bytes(struct pg_params *params, struct text bytes)
{
    add(params, OID_BYTEA, bytes.data, bytes.size);
}

void pg_add_array(struct pg_params *params, Oid type, const struct buffer *bytes)
{
    add(params, type, bytes->data, bytes->size);
}

int64_t pg_i64(const PGresult *result, int row, int column)
{
    const uint8_t *bytes = (const uint8_t *)PQgetvalue(result, row, column);
    const int size = PQgetlength(result, row, column);
    uint64_t value = 0;
    for (int i = 0; i < size && i < 8; i++)
        value = value << 8 | bytes[i];
    return size == 4 ? (int32_t)(uint32_t)value : (int64_t)value;
}

int64_t pg_ms(const PGresult *result, int row, int column)
{
    return pg_i64(result, row, column) / 1000 + epoch_2000_ms;
}

struct text pg_bytes(const PGresult *result, int row, int column)
{
    return (struct text){PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column)};
}
