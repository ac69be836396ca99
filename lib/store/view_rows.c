/* Rows: append, read by walking back, trim. */
#include "store/view_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum column { /* as in VIEW_ROW_COLUMNS; parameters count from 1 */
              ROW,
              PREVIOUS_ROW,
              POSITION,
              EPOCH,
              SEQ,
              AT_MS,
              CREATED_MS,
              TTL_S,
              FLAGS,
              WANTS,
              CRC,
              TRACE,
              USER,
              SENDER,
              DEVICE,
              ID,
              BODY,
};

static uint32_t crc_text(uint32_t crc, struct text text)
{
    const uint64_t size = text.size;
    crc = (uint32_t)crc32_z(crc, (const uint8_t *)&size, sizeof size);
    return (uint32_t)crc32_z(crc, (const uint8_t *)text.data, text.size);
}

/* Of all that a row holds, in this machine's byte order: a view does not travel. */
static uint32_t crc_of(const struct view_row *row)
{
    const uint64_t numbers[] = {row->row,
                                row->previous_row,
                                row->position,
                                row->epoch,
                                row->seq,
                                (uint64_t)row->at_ms,
                                (uint64_t)row->created_ms,
                                row->ttl_s,
                                row->flags,
                                row->wants};
    uint32_t crc = (uint32_t)crc32_z(0, (const uint8_t *)numbers, sizeof numbers);
    crc = (uint32_t)crc32_z(crc, row->trace, sizeof row->trace);
    crc = crc_text(crc, row->user);
    crc = crc_text(crc, row->sender);
    crc = crc_text(crc, row->device);
    crc = crc_text(crc, row->id);
    return crc_text(crc, row->body);
}

int view_append(struct view *view, const struct view_row *row)
{
    sqlite3_stmt *query = view->queries[VIEW_ROW_PUT];
    view_bind_u64(query, 1 + ROW, row->row);
    view_bind_u64(query, 1 + PREVIOUS_ROW, row->previous_row);
    view_bind_u64(query, 1 + POSITION, row->position);
    view_bind_u64(query, 1 + EPOCH, row->epoch);
    view_bind_u64(query, 1 + SEQ, row->seq);
    view_bind_u64(query, 1 + AT_MS, (uint64_t)row->at_ms);
    view_bind_u64(query, 1 + CREATED_MS, (uint64_t)row->created_ms);
    view_bind_u64(query, 1 + TTL_S, row->ttl_s);
    view_bind_u64(query, 1 + FLAGS, row->flags);
    view_bind_u64(query, 1 + WANTS, row->wants);
    view_bind_u64(query, 1 + CRC, crc_of(row));
    view_bind_blob(query, 1 + TRACE, row->trace, sizeof row->trace);
    view_bind_text(query, 1 + USER, row->user);
    view_bind_text(query, 1 + SENDER, row->sender);
    view_bind_text(query, 1 + DEVICE, row->device);
    view_bind_text(query, 1 + ID, row->id);
    view_bind_blob(query, 1 + BODY, row->body.data, row->body.size);
    return view_run(view, VIEW_ROW_PUT);
}

int view_read_row(sqlite3_stmt *query, struct view_row *row)
{
    *row = (struct view_row){
        .row = view_column_u64(query, ROW),
        .previous_row = view_column_u64(query, PREVIOUS_ROW),
        .position = view_column_u64(query, POSITION),
        .user = view_column_text(query, USER),
        .epoch = (uint32_t)view_column_u64(query, EPOCH),
        .seq = view_column_u64(query, SEQ),
        .at_ms = (int64_t)view_column_u64(query, AT_MS),
        .created_ms = (int64_t)view_column_u64(query, CREATED_MS),
        .ttl_s = (uint32_t)view_column_u64(query, TTL_S),
        .flags = (uint16_t)view_column_u64(query, FLAGS),
        .wants = (uint8_t)view_column_u64(query, WANTS),
        .sender = view_column_text(query, SENDER),
        .device = view_column_text(query, DEVICE),
        .id = view_column_text(query, ID),
        .body = view_column_text(query, BODY),
    };
    const struct text trace = view_column_text(query, TRACE);
    if (trace.size != sizeof row->trace)
        return -EILSEQ;
    memcpy(row->trace, trace.data, trace.size);
    return crc_of(row) == view_column_u64(query, CRC) ? 0 : -EILSEQ;
}

/* 1: `ret_row` is read, view_end() is due; 0: no such row; or negative. */
static int get_row(struct view *view, uint64_t row, struct view_row *ret_row)
{
    view_bind_u64(view->queries[VIEW_ROW_GET], 1, row);
    int found = view_step(view, VIEW_ROW_GET);
    if (found <= 0)
        return found;
    int error = view_read_row(view->queries[VIEW_ROW_GET], ret_row);
    if (error == 0)
        return 1;
    view_end(view, VIEW_ROW_GET);
    return error;
}

int view_get(struct view *view, uint64_t number, view_on_row *on_row, void *context)
{
    struct view_row row;
    int found = get_row(view, number, &row);
    if (found <= 0)
        return found < 0 ? found : -ENOENT;
    (void)on_row(context, &row);
    view_end(view, VIEW_ROW_GET);
    return 0;
}

int view_copy(struct view *view, uint64_t from, const struct view_row *copy)
{
    struct view_row row;
    int found = get_row(view, from, &row);
    if (found <= 0)
        return found < 0 ? found : -ENOENT;
    row.row = copy->row;
    row.previous_row = copy->previous_row;
    row.position = copy->position;
    row.epoch = copy->epoch;
    row.seq = copy->seq;
    row.at_ms = copy->at_ms;
    int error = view_append(view, &row);
    view_end(view, VIEW_ROW_GET);
    return error;
}

int view_check_last(struct view *view)
{
    int found = view_step(view, VIEW_ROW_LAST);
    if (found <= 0)
        return found;
    const uint64_t last = view_column_u64(view->queries[VIEW_ROW_LAST], 0);
    view_end(view, VIEW_ROW_LAST);
    struct view_row row;
    found = last == 0 ? 0 : get_row(view, last, &row);
    if (found > 0)
        view_end(view, VIEW_ROW_GET);
    return found < 0 ? found : 0;
}

static int get_link(struct view *view, uint64_t row, struct view_link *ret_link)
{
    sqlite3_stmt *query = view->queries[VIEW_ROW_LINK];
    view_bind_u64(query, 1, row);
    int found = view_step(view, VIEW_ROW_LINK);
    if (found <= 0)
        return found;
    *ret_link = (struct view_link){.row = row,
                                   .previous_row = view_column_u64(query, 0),
                                   .epoch = (uint32_t)view_column_u64(query, 1),
                                   .seq = view_column_u64(query, 2)};
    view_end(view, VIEW_ROW_LINK);
    return 1;
}

static int remember(struct view *view, size_t at, uint64_t row)
{
    if (at == view->walked_capacity) {
        const size_t capacity = at == 0 ? 512 : 2 * at;
        uint64_t *walked = realloc(view->walked, capacity * sizeof *walked);
        if (walked == NULL)
            return -ENOMEM;
        view->walked = walked;
        view->walked_capacity = capacity;
    }
    view->walked[at] = row;
    return 0;
}

/* Walks back from `start` to from_seq of its epoch, or to where the chain ends. view->walked then
 * holds the way, newest first. Damage of a link shows as a step that does not fit. */
static int walk_back(struct view *view, struct view_link start, uint64_t from_seq,
                     size_t *ret_count)
{
    size_t count = 0;
    struct view_link at = start;
    for (;;) {
        int error = remember(view, count, at.row);
        if (error != 0)
            return error;
        count++;
        if (at.seq <= from_seq || at.previous_row == 0)
            break;
        struct view_link next;
        int found = get_link(view, at.previous_row, &next);
        if (found < 0)
            return found;
        if (found == 0 || next.epoch != at.epoch) /* trimmed, or where the epoch began */
            break;
        if (next.row >= at.row || next.seq + 1 != at.seq)
            return -EILSEQ;
        at = next;
    }
    *ret_count = count;
    return 0;
}

int view_walk(struct view *view, uint64_t start_row, uint64_t after_row, size_t steps_max,
              struct view_link *ret_link)
{
    struct view_link at;
    int found = get_link(view, start_row, &at);
    if (found <= 0)
        return found < 0 ? found : -ENOENT;
    for (size_t steps = 0; steps < steps_max && at.previous_row > after_row; steps++) {
        struct view_link next;
        found = get_link(view, at.previous_row, &next);
        if (found < 0)
            return found;
        if (found == 0 || next.epoch != at.epoch)
            break;
        if (next.row >= at.row || next.seq + 1 != at.seq)
            return -EILSEQ;
        at = next;
    }
    *ret_link = at;
    return 0;
}

struct reading {
    struct text user; /* whose rows */
    uint32_t epoch;
    size_t rows_left;
    size_t bytes_left;
    view_on_row *on_row;
    void *context;
};

/* 1: go on; 0: enough; or negative. */
static int give_row(struct view *view, uint64_t number, uint64_t seq, struct reading *reading)
{
    struct view_row row;
    int found = get_row(view, number, &row);
    if (found <= 0)
        return found < 0 ? found : -EILSEQ; /* the walk has seen it */
    const bool fits =
        text_equal(row.user, reading->user) && row.epoch == reading->epoch && row.seq == seq;
    bool more = fits && reading->on_row(reading->context, &row);
    reading->rows_left--;
    if (row.body.size >= reading->bytes_left)
        more = false;
    else
        reading->bytes_left -= row.body.size;
    view_end(view, VIEW_ROW_GET);
    return fits ? more && reading->rows_left > 0 : -EILSEQ;
}

static int read_chain(struct view *view, const struct view_link *start, uint64_t from_seq,
                      struct reading *reading)
{
    size_t count;
    int error = walk_back(view, *start, from_seq, &count);
    if (error != 0)
        return error;
    int more = 1;
    for (size_t i = count; i-- > 0 && more > 0;)
        more = give_row(view, view->walked[i], start->seq - i, reading);
    return more < 0 ? more : 0;
}

static int read_from(struct view *view, uint64_t start_row, uint64_t from_seq, size_t rows_max,
                     size_t bytes_max, view_on_row *on_row, void *context)
{
    struct view_row row;
    int found = start_row == 0 || rows_max == 0 ? 0 : get_row(view, start_row, &row);
    if (found <= 0)
        return found;
    const struct view_link start = {row.row, row.previous_row, row.epoch, row.seq};
    char user[TEXT_USER_MAX];
    const size_t user_size = row.user.size;
    if (user_size <= sizeof user)
        memcpy(user, row.user.data, user_size);
    view_end(view, VIEW_ROW_GET);
    if (user_size > sizeof user)
        return -EILSEQ;
    if (start.seq < from_seq)
        return 0;
    struct reading reading = {.user = {user, user_size},
                              .epoch = start.epoch,
                              .rows_left = rows_max,
                              .bytes_left = bytes_max,
                              .on_row = on_row,
                              .context = context};
    return read_chain(view, &start, from_seq, &reading);
}

/* In one transaction: each query alone would take and drop the file's locks. */
int view_read(struct view *view, uint64_t start_row, uint64_t from_seq, size_t rows_max,
              size_t bytes_max, view_on_row *on_row, void *context)
{
    const bool begins = !view->in_transaction;
    int error = begins ? view_run(view, VIEW_BEGIN_READ) : 0;
    if (error != 0)
        return error;
    error = read_from(view, start_row, from_seq, rows_max, bytes_max, on_row, context);
    const int ended = begins ? view_step(view, VIEW_COMMIT) : 0;
    return error == 0 ? ended : error;
}

/* --- falling order --- */

struct reading_back {
    char user[TEXT_USER_MAX]; /* whose rows; nothing before the first one */
    size_t user_size;
    struct view_link at; /* the row that comes next; row 0: the chain has ended */
    uint64_t before_seq;
    view_on_row *on_row;
    void *context;
};

/* Whether the row is of the same user as those before it. */
static bool is_same_user(struct reading_back *reading, struct text user)
{
    if (reading->user_size == 0 && user.size > 0 && user.size <= sizeof reading->user) {
        memcpy(reading->user, user.data, user.size);
        reading->user_size = user.size;
    }
    return text_equal(user, (struct text){reading->user, reading->user_size});
}

/* 1: go on; 0: enough; or negative. */
static int give_back(struct view *view, struct reading_back *reading)
{
    struct view_row row;
    int found = get_row(view, reading->at.row, &row);
    if (found <= 0)
        return found < 0 ? found : -EILSEQ; /* its link was there */
    const bool fits = is_same_user(reading, row.user);
    const bool more = fits && reading->on_row(reading->context, &row);
    view_end(view, VIEW_ROW_GET);
    return fits ? more : -EILSEQ;
}

static int step_back(struct view *view, struct reading_back *reading)
{
    const struct view_link at = reading->at;
    int found = at.previous_row == 0 ? 0 : get_link(view, at.previous_row, &reading->at);
    if (found < 0)
        return found;
    if (found == 0 || reading->at.epoch != at.epoch) /* trimmed, or where the epoch began */
        reading->at = (struct view_link){0};
    else if (reading->at.row >= at.row || reading->at.seq + 1 != at.seq)
        return -EILSEQ;
    return 0;
}

static int read_back(struct view *view, uint64_t start_row, size_t steps_max,
                     struct reading_back *reading)
{
    int found = start_row == 0 ? 0 : get_link(view, start_row, &reading->at);
    if (found <= 0)
        return found;
    int more = 1;
    for (size_t steps = 0; steps < steps_max && reading->at.row != 0; steps++) {
        if (reading->at.seq < reading->before_seq)
            more = give_back(view, reading);
        if (more <= 0) {
            reading->at = (struct view_link){0};
            return more;
        }
        int error = step_back(view, reading);
        if (error != 0)
            return error;
    }
    return 0;
}

int view_read_back(struct view *view, uint64_t start_row, uint64_t before_seq, size_t steps_max,
                   view_on_row *on_row, void *context, uint64_t *ret_next)
{
    struct reading_back reading = {.before_seq = before_seq, .on_row = on_row, .context = context};
    const bool begins = !view->in_transaction;
    int error = begins ? view_run(view, VIEW_BEGIN_READ) : 0;
    if (error != 0)
        return error;
    error = read_back(view, start_row, steps_max, &reading);
    const int ended = begins ? view_step(view, VIEW_COMMIT) : 0;
    *ret_next = error == 0 ? reading.at.row : 0;
    return error == 0 ? ended : error;
}

int view_trim(struct view *view, uint64_t row, uint64_t rows_max, bool *ret_more)
{
    bool began;
    int error = view_begin_inner(view, &began);
    if (error != 0)
        return error;
    view_bind_u64(view->queries[VIEW_ROW_TRIM], 1, row);
    view_bind_u64(view->queries[VIEW_ROW_TRIM], 2, rows_max);
    error = view_run(view, VIEW_ROW_TRIM);
    const bool more = error == 0 && sqlite3_changes(view->database) > 0;
    error = view_end_inner(view, began, error);
    *ret_more = error == 0 && more;
    return error;
}
