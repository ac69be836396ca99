#include "wire/frame_history.h"

#include <assert.h>

/* History ask: u64 request, text8 user, u8 flags, u32 epoch, u64 seq, u16 rows_max,
 * u32 bytes_max */
static bool is_way(uint8_t flags) /* one at most */
{
    return flags <= WIRE_HISTORY_AFTER;
}

static bool is_asked_for(const struct wire_history_ask *ask)
{
    const bool without = ask->flags == 0;
    return ask->rows_max >= 1 && ask->rows_max <= WIRE_HISTORY_ROWS_MAX &&
           ask->bytes_max <= WIRE_HISTORY_BYTES_MAX &&
           (!without || (ask->epoch == 0 && ask->seq == 0));
}

bool wire_history_ask_read(struct wire_cursor *in, struct wire_entry *entry)
{
    struct wire_history_ask *ask = &entry->history_ask;
    ask->request = wire_read_u64(in);
    ask->user = wire_read_checked(in, text_is_user_id);
    ask->flags = wire_read_u8(in);
    ask->epoch = wire_read_u32(in);
    ask->seq = wire_read_u64(in);
    ask->rows_max = wire_read_u16(in);
    ask->bytes_max = wire_read_u32(in);
    if (!is_asked_for(ask))
        wire_fail(in);
    return is_way(ask->flags);
}

void wire_history_ask_write(struct buffer *out, const struct wire_entry *entry)
{
    const struct wire_history_ask *ask = &entry->history_ask;
    assert(is_way(ask->flags) && is_asked_for(ask));
    wire_write_u64(out, ask->request);
    wire_write_checked(out, ask->user, text_is_user_id);
    wire_write_u8(out, ask->flags);
    wire_write_u32(out, ask->epoch);
    wire_write_u64(out, ask->seq);
    wire_write_u16(out, ask->rows_max);
    wire_write_u32(out, ask->bytes_max);
}

/* History page: u64 request, u8 code, u8 flags, u16 count, text8 reason (a word, or empty) */
static bool is_word_or_empty(struct text text)
{
    return text.size == 0 || text_is_word(text);
}

static bool is_known_page(const struct wire_history_page *page)
{
    return page->code <= WIRE_UNSURE && (page->flags & ~WIRE_HISTORY_MORE) == 0;
}

bool wire_history_page_read(struct wire_cursor *in, struct wire_entry *entry)
{
    struct wire_history_page *page = &entry->history_page;
    page->request = wire_read_u64(in);
    page->code = wire_read_u8(in);
    page->flags = wire_read_u8(in);
    page->count = wire_read_u16(in);
    page->reason = wire_read_checked(in, is_word_or_empty);
    if (page->count > WIRE_HISTORY_ROWS_MAX)
        wire_fail(in);
    return is_known_page(page);
}

void wire_history_page_write(struct buffer *out, const struct wire_entry *entry)
{
    const struct wire_history_page *page = &entry->history_page;
    assert(is_known_page(page) && page->count <= WIRE_HISTORY_ROWS_MAX);
    wire_write_u64(out, page->request);
    wire_write_u8(out, page->code);
    wire_write_u8(out, page->flags);
    wire_write_u16(out, page->count);
    wire_write_checked(out, page->reason, is_word_or_empty);
}

/* History row: u32 epoch, u64 seq, i64 at_ms, u16 flags (as of a message), text8 sender, text8 id,
 * text32 body */
enum { ROW_FLAGS = WIRE_FLAG_PLAIN | WIRE_FLAG_NOTICE };

bool wire_history_row_read(struct wire_cursor *in, struct wire_entry *entry)
{
    struct wire_history_row *row = &entry->history_row;
    row->epoch = wire_read_u32(in);
    row->seq = wire_read_u64(in);
    row->at_ms = wire_read_i64(in);
    row->flags = wire_read_u16(in);
    row->sender = wire_read_checked(in, text_is_user_id);
    row->id = wire_read_checked(in, text_is_message_id);
    row->body = wire_read_text32(in);
    if (row->body.size > WIRE_BODY_MAX)
        wire_fail(in);
    return (row->flags & ~ROW_FLAGS) == 0;
}

void wire_history_row_write(struct buffer *out, const struct wire_entry *entry)
{
    const struct wire_history_row *row = &entry->history_row;
    assert((row->flags & ~ROW_FLAGS) == 0 && row->body.size <= WIRE_BODY_MAX);
    wire_write_u32(out, row->epoch);
    wire_write_u64(out, row->seq);
    wire_write_i64(out, row->at_ms);
    wire_write_u16(out, row->flags);
    wire_write_checked(out, row->sender, text_is_user_id);
    wire_write_checked(out, row->id, text_is_message_id);
    wire_write_text32(out, row->body);
}
