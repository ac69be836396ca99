#include "edge/edge_recall.h"

#include "edge/edge_exchange.h"
#include "edge/edge_history.h"
#include "edge/edge_places.h"

#include <stdlib.h>

struct edge_recall {
    struct edge_history_ask ask;
    struct edge_session *session;
    char id[TEXT_MESSAGE_ID_MAX + 1];
};

enum { CURSOR_MAX = 64 };

static void begin(struct buffer *out, const char *kind, struct text id)
{
    buffer_printf(out, "{\"t\":\"%s\"", kind);
    if (id.size > 0) {
        buffer_append_text(out, TEXT(",\"id\":"));
        json_write_string(out, id);
    }
}

static void end(struct edge_session *session, struct buffer *out)
{
    buffer_append_text(out, TEXT("}"));
    if (out->failed) /* it must not wait for an answer for ever */
        edge_session_close(session, EDGE_CLOSE_RECONNECT, "memory is short");
    else
        edge_session_write(session, buffer_text(out));
}

static void write_error(struct edge_session *session, struct text id, const char *code,
                        const char *message, bool retryable)
{
    struct buffer *out = edge_session_scratch(session);
    begin(out, "error", id);
    buffer_printf(out, ",\"code\":\"%s\",\"retryable\":%s,\"message\":", code,
                  retryable ? "true" : "false");
    json_write_string(out, text_of(message));
    end(session, out);
}

static void write_outcome(struct edge_session *session, struct text id,
                          enum edge_history_outcome outcome)
{
    const struct edge_history_row *row = edge_history_row(outcome);
    write_error(session, id, row->code, row->message, row->retryable);
}

static void on_answer(struct edge_history_ask *ask, enum edge_history_outcome outcome,
                      const struct edge_history_page *page)
{
    struct edge_recall *recall = container_of(ask, struct edge_recall, ask);
    struct edge_session *session = recall->session;
    session->recall = NULL; /* writing may end the session */
    edge_exchange_page(session->exchange);
    if (page != NULL) {
        struct buffer *out = edge_session_scratch(session);
        begin(out, "history", text_of(recall->id));
        buffer_append_text(out, TEXT(","));
        edge_history_write(out, page);
        end(session, out);
    } else {
        write_outcome(session, text_of(recall->id), outcome);
    }
    free(recall);
}

void edge_recall_end(struct edge_session *session)
{
    if (session->recall == NULL)
        return;
    edge_history_cancel(&session->recall->ask);
    free(session->recall);
    session->recall = NULL;
}

/* A cursor, or none when it is absent or null. */
static int read_cursor(struct json_value value, char room[CURSOR_MAX], struct text *ret_cursor)
{
    *ret_cursor = TEXT("");
    if (value.type == JSON_ABSENT || value.type == JSON_NULL)
        return 0;
    if (value.type != JSON_STRING || json_string_read(value, room, CURSOR_MAX, ret_cursor) != 0)
        return -1;
    return ret_cursor->size > 0 ? 0 : -1;
}

/* NULL, or what is wrong. */
static const char *read_query(const struct edge_recall_frame *frame,
                              const struct edge_settings *edge,
                              struct edge_history_query *ret_query)
{
    char before_room[CURSOR_MAX];
    char after_room[CURSOR_MAX];
    struct text before;
    struct text after;
    uint64_t limit = 0;
    if (read_cursor(frame->before, before_room, &before) != 0 ||
        read_cursor(frame->after, after_room, &after) != 0)
        return "the cursor is not \"epoch:seq\"";
    if (frame->limit.type != JSON_ABSENT &&
        (json_to_u64(frame->limit, UINT32_MAX, &limit) != 0 || limit == 0))
        return "limit is no number of messages";
    return edge_history_query(before, after, limit, edge, ret_query);
}

static enum edge_history_outcome send_ask(struct edge_session *session, struct edge_recall *recall,
                                          const struct edge_history_query *query)
{
    const struct edge_sessions_settings *shared = edge_session_shared(session);
    struct edge_places places;
    edge_places_init(&places, shared->catalogue);
    return edge_history_ask(shared->history, &recall->ask,
                            edge_places_at(&places, session->attach.place).region,
                            edge_session_user(session), query);
}

static void ask_owner(struct edge_session *session, struct text id,
                      const struct edge_history_query *query)
{
    struct edge_recall *recall = calloc(1, sizeof *recall);
    enum edge_history_outcome outcome = EDGE_HISTORY_BUSY;
    if (recall != NULL && text_put(recall->id, sizeof recall->id, id) == 0) {
        recall->session = session;
        recall->ask.on_answer = on_answer;
        outcome = send_ask(session, recall, query);
    }
    if (outcome == EDGE_HISTORY_PAGE) {
        session->recall = recall;
    } else {
        free(recall);
        write_outcome(session, id, outcome);
    }
}

void edge_recall_ask(struct edge_session *session, const struct edge_recall_frame *frame)
{
    char room[TEXT_MESSAGE_ID_MAX];
    struct text id;
    struct edge_history_query query;
    if (frame->id.type != JSON_STRING || json_string_read(frame->id, room, sizeof room, &id) != 0 ||
        !text_is_message_id(id)) {
        write_error(session, TEXT(""), "bad_request",
                    "history needs an id of 1 to 64 printable ASCII characters", false);
        return;
    }
    const char *wrong = read_query(frame, edge_session_shared(session)->edge, &query);
    if (wrong != NULL)
        write_error(session, id, "bad_request", wrong, false);
    else if (session->recall != NULL)
        write_error(session, id, "busy", "this connection asks for history already", true);
    else if (session->attach.state == EDGE_DETACHED && session->exchange == NULL)
        /* its home is not known, or moves */
        write_outcome(session, id, EDGE_HISTORY_UNREACHABLE);
    else
        ask_owner(session, id, &query);
}
