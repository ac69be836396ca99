#include "edge/edge_history.h"

#include "base/hash.h"
#include "edge/edge_url.h"
#include "wire/names.h"
#include "json/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

struct edge_history {
    struct edge_history_settings settings;
    uint64_t number; /* the last one given */
    uint32_t count;  /* asks that wait */
};

struct edge_history *edge_history_new(const struct edge_history_settings *settings)
{
    struct edge_history *history = calloc(1, sizeof *history);
    if (history == NULL)
        return NULL;
    history->settings = *settings;
    hash_random(&history->number, sizeof history->number);
    return history;
}

void edge_history_free(struct edge_history *history)
{
    free(history);
}

/* --- what is asked --- */

const char *edge_history_query(struct text before, struct text after, uint64_t limit,
                               const struct edge_settings *edge,
                               struct edge_history_query *ret_query)
{
    const uint32_t most = edge->history_messages_max;
    const struct text cursor = before.size > 0 ? before : after;
    struct edge_history_query query = {0};
    if (before.size > 0 && after.size > 0)
        return "before and after exclude each other";
    if (limit > most)
        return "limit is more than allowed";
    if (limit == 0)
        limit = most < EDGE_HISTORY_LIMIT ? most : EDGE_HISTORY_LIMIT;
    query.limit = (uint16_t)limit;
    if (cursor.size > 0) {
        if (edge_cursor_parse(cursor, &query.epoch, &query.seq) != 0)
            return "the cursor is not \"epoch:seq\"";
        query.flags = before.size > 0 ? WIRE_HISTORY_BEFORE : WIRE_HISTORY_AFTER;
    }
    *ret_query = query;
    return NULL;
}

bool edge_history_is_wanted(struct text query)
{
    struct text value;
    return edge_url_query(query, TEXT("before"), &value);
}

const char *edge_history_query_url(struct text query, const struct edge_settings *edge,
                                   struct edge_history_query *ret_query)
{
    char room[64];
    struct text value;
    struct text before = TEXT("");
    uint64_t limit = 0;
    if (edge_url_query(query, TEXT("after"), &value))
        return "before and after exclude each other";
    if (edge_url_query(query, TEXT("before"), &value) &&
        edge_url_decode(value, true, room, sizeof room, &before) != 0)
        return "before is no cursor, epoch:seq";
    if (edge_url_query(query, TEXT("limit"), &value) &&
        (text_to_u64(value, UINT32_MAX, &limit) != 0 || limit == 0))
        return "limit is no number of messages";
    return edge_history_query(before, TEXT(""), limit, edge, ret_query);
}

static uint32_t bytes_max(const struct edge_settings *edge)
{
    /* A page must not be what a client is closed for. */
    const uint64_t half = edge->pending_max / 2;
    return half < EDGE_HISTORY_BYTES_MAX ? (uint32_t)half : EDGE_HISTORY_BYTES_MAX;
}

/* --- what is answered --- */

/* Whether `count` rows follow, in rising order, and nothing else. */
static bool are_rows(struct wire_frame frame, uint16_t count)
{
    struct wire_entry entry;
    uint32_t epoch = 0;
    uint64_t seq = 0;
    uint16_t rows = 0;
    int err;
    while ((err = wire_entry_next(&frame, &entry)) == 0) {
        const struct wire_history_row *row = &entry.history_row;
        if (entry.kind != WIRE_HISTORY_ROW || row->epoch < epoch ||
            (row->epoch == epoch && row->seq <= seq))
            return false;
        epoch = row->epoch;
        seq = row->seq;
        rows++;
    }
    return err == -ENODATA && rows == count;
}

int edge_history_read(const void *bytes, size_t size, uint64_t request, enum wire_answer *ret_code,
                      struct edge_history_page *ret_page)
{
    struct wire_frame frame;
    struct wire_entry entry;
    if (wire_frame_read(bytes, size, &frame) != 0 || wire_entry_next(&frame, &entry) != 0 ||
        entry.kind != WIRE_HISTORY_PAGE || entry.history_page.request != request ||
        !are_rows(frame, entry.history_page.count))
        return -EBADMSG;
    *ret_code = (enum wire_answer)entry.history_page.code;
    if (*ret_code == WIRE_OK)
        *ret_page =
            (struct edge_history_page){.more = (entry.history_page.flags & WIRE_HISTORY_MORE) != 0,
                                       .reason = entry.history_page.reason,
                                       .rows = frame};
    return 0;
}

static void write_row(struct buffer *out, const struct wire_history_row *row)
{
    buffer_printf(out, "{\"cursor\":\"%" PRIu32 ":%" PRIu64 "\",\"id\":", row->epoch, row->seq);
    json_write_string(out, row->id);
    buffer_append_text(out, TEXT(",\"from\":"));
    json_write_string(out, row->sender);
    buffer_append_text(out, TEXT(",\"body\":"));
    buffer_append_text(out, row->body);
    buffer_printf(out, ",\"at\":%" PRIi64 "}", row->at_ms);
}

void edge_history_write(struct buffer *out, const struct edge_history_page *page)
{
    struct wire_frame rows = page->rows;
    struct wire_entry entry;
    const char *between = "";
    buffer_append_text(out, TEXT("\"messages\":["));
    while (wire_entry_next(&rows, &entry) == 0) {
        buffer_append_text(out, text_of(between));
        write_row(out, &entry.history_row);
        between = ",";
    }
    buffer_printf(out, "],\"more\":%s,\"complete\":%s", page->more ? "true" : "false",
                  page->reason.size == 0 ? "true" : "false");
    if (page->reason.size > 0) {
        buffer_append_text(out, TEXT(",\"reason\":"));
        json_write_string(out, page->reason);
    }
}

const struct edge_history_row *edge_history_row(enum edge_history_outcome outcome)
{
    static const struct edge_history_row rows[] = {
        [EDGE_HISTORY_PAGE] = {"", "", 200, false},
        [EDGE_HISTORY_BUSY] = {"busy", "too many ask for history now", 503, true},
        [EDGE_HISTORY_UNREACHABLE] = {"home_unreachable",
                                      "the user's home region does not answer now", 503, true},
        [EDGE_HISTORY_MOVED] = {"moved", "the user's home has moved, ask again", 503, true},
        [EDGE_HISTORY_REFUSED] = {"refused", "the mailbox may not be read", 403, false},
    };
    return &rows[outcome];
}

/* --- asking --- */

static enum edge_history_outcome outcome_of(enum wire_answer code)
{
    switch (code) {
    case WIRE_OK:
        return EDGE_HISTORY_PAGE;
    case WIRE_NOT_HOME:
        return EDGE_HISTORY_MOVED;
    case WIRE_REFUSED:
        return EDGE_HISTORY_REFUSED;
    default:
        return EDGE_HISTORY_BUSY;
    }
}

void edge_history_cancel(struct edge_history_ask *ask)
{
    if (ask->history == NULL)
        return;
    bus_request_cancel(&ask->request);
    ask->history->count--;
    ask->history = NULL;
}

static bool on_answer(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message)
{
    struct edge_history_ask *ask = container_of(request, struct edge_history_ask, request);
    struct edge_history_page page;
    enum wire_answer code = WIRE_BUSY;
    enum edge_history_outcome how = EDGE_HISTORY_UNREACHABLE;
    if (outcome == BUS_ANSWER &&
        edge_history_read(message->data, message->size, ask->number, &code, &page) == 0)
        how = outcome_of(code);
    edge_history_cancel(ask); /* the owner may free it */
    ask->on_answer(ask, how, how == EDGE_HISTORY_PAGE ? &page : NULL);
    return false;
}

static int write_ask(const struct edge_history *history, size_t region, uint32_t shard,
                     struct text token, const struct wire_history_ask *ask, struct buffer *out)
{
    const struct edge_history_settings *settings = &history->settings;
    const struct wire_frame head = {.shard = (uint16_t)shard,
                                    .region = text_of(settings->catalogue->regions[region].name),
                                    .from = text_of(settings->edge->name)};
    const struct wire_entry entry = {.kind = WIRE_HISTORY_ASK, .history_ask = *ask};
    struct wire_frame_writer frame;
    wire_frame_begin(&frame, out, &head);
    if (token.size > 0)
        wire_entry_write(&frame, &(struct wire_entry){.kind = WIRE_TOKEN, .token = {token}});
    wire_entry_write(&frame, &entry);
    return wire_frame_end(&frame);
}

enum edge_history_outcome edge_history_ask(struct edge_history *history,
                                           struct edge_history_ask *ask, size_t region,
                                           struct text user, struct text token,
                                           const struct edge_history_query *query)
{
    const struct edge_history_settings *settings = &history->settings;
    const struct catalogue_region *home = &settings->catalogue->regions[region];
    const uint32_t shard = hash_shard(user, home->shards);
    struct wire_name subject = wire_hub_subject(home->name, shard, "history");
    struct buffer bytes = {0};
    if (history->count >= settings->edge->histories_max)
        return EDGE_HISTORY_BUSY;
    ask->number = ++history->number;
    ask->request.on_answer = on_answer;
    int err = write_ask(history, region, shard, token,
                        &(struct wire_history_ask){.request = ask->number,
                                                   .user = user,
                                                   .flags = query->flags,
                                                   .epoch = query->epoch,
                                                   .seq = query->seq,
                                                   .rows_max = query->limit,
                                                   .bytes_max = bytes_max(settings->edge)},
                        &bytes);
    if (err == 0)
        err = bus_request(settings->bus, &ask->request, subject.text, bytes.data, bytes.size,
                          EDGE_HISTORY_TIMEOUT_MS);
    buffer_free(&bytes);
    if (err != 0)
        return err == -ENOTCONN ? EDGE_HISTORY_UNREACHABLE : EDGE_HISTORY_BUSY;
    ask->history = history;
    history->count++;
    return EDGE_HISTORY_PAGE;
}
