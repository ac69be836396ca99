#include "edge/edge_plain.h"

#include "json/json.h"

#include <inttypes.h>
#include <stdio.h>

static const char *read_id(struct json_value value, struct edge_plain_object *ret)
{
    ret->id = (struct text){"", 0};
    if (value.type == JSON_ABSENT)
        return NULL;
    if (value.type != JSON_STRING ||
        json_string_read(value, ret->id_room, sizeof ret->id_room, &ret->id) != 0 ||
        !text_is_message_id(ret->id))
        return "id is not 1 to 64 printable ASCII characters";
    return NULL;
}

static const char *read_sender(struct json_value value, struct edge_plain_object *ret)
{
    ret->sender = (struct text){"", 0};
    if (value.type == JSON_ABSENT)
        return NULL;
    if (value.type != JSON_STRING ||
        json_string_read(value, ret->sender_room, sizeof ret->sender_room, &ret->sender) != 0 ||
        !wire_is_person(ret->sender))
        return "sender_id is no user id: 1 to 128 bytes of UTF-8 without controls";
    return NULL;
}

const char *edge_plain_read(struct text text, bool with_message, struct edge_plain_object *ret)
{
    struct json_value whole;
    struct json_value recipient;
    struct json_value sender;
    struct json_value message;
    struct json_value id;
    const struct json_pick picks[] = {
        {"recipient_id", &recipient}, {"sender_id", &sender}, {"message", &message}, {"id", &id}};
    if (json_parse(text, &whole) != 0 || whole.type != JSON_OBJECT ||
        json_object_pick(whole.raw, picks, COUNT_OF(picks)) != 0)
        return "not a JSON object with its keys once";
    ret->raw = whole.raw;
    ret->names_sender = sender.type != JSON_ABSENT;
    const char *wrong = read_sender(sender, ret);
    if (recipient.type != JSON_STRING ||
        json_string_read(recipient, ret->recipient_room, sizeof ret->recipient_room,
                         &ret->recipient) != 0 ||
        !wire_is_person(ret->recipient))
        return "recipient_id is no user id: 1 to 128 bytes of UTF-8 without controls";
    if (!with_message) /* other members are the client's own affair */
        return NULL;
    if (message.type == JSON_ABSENT)
        return "message is missing";
    return wrong != NULL ? wrong : read_id(id, ret);
}

void edge_plain_make_id(char id[33])
{
    uint64_t numbers[2];
    hash_random(numbers, sizeof numbers);
    (void)snprintf(id, 33, "%016" PRIx64 "%016" PRIx64, numbers[0], numbers[1]);
}

void edge_plain_write(struct buffer *out, const struct wire_deliver *deliver)
{
    if ((deliver->flags & WIRE_FLAG_PLAIN) != 0) {
        buffer_append_text(out, deliver->body);
        return;
    }
    buffer_append_text(out, TEXT("{\"recipient_id\":"));
    json_write_string(out, deliver->user);
    buffer_append_text(out, TEXT(",\"sender_id\":"));
    json_write_string(out, deliver->sender);
    buffer_append_text(out, TEXT(",\"id\":"));
    json_write_string(out, deliver->id);
    buffer_append_text(out, TEXT(",\"message\":"));
    buffer_append_text(out, deliver->body);
    buffer_append_text(out, TEXT("}"));
}

/* The WebSocket. */

static void write_refusal(struct edge_session *session, const char *code, const char *message,
                          struct text recipient)
{
    struct buffer *out = edge_session_scratch(session);
    buffer_append_text(out, TEXT("{\"code\":"));
    json_write_string(out, text_of(code));
    buffer_append_text(out, TEXT(",\"message\":"));
    json_write_string(out, text_of(message));
    if (recipient.size > 0) {
        buffer_append_text(out, TEXT(",\"recipient_id\":"));
        json_write_string(out, recipient);
    }
    buffer_append_text(out, TEXT("}"));
    if (!out->failed)
        edge_session_write(session, buffer_text(out));
}

static void plain_on_text(struct edge_session *session, struct text text)
{
    struct edge_plain_object object;
    char id[33];
    const char *wrong = edge_plain_read(text, false, &object);
    if (wrong != NULL) {
        write_refusal(session, "bad_request", wrong, TEXT(""));
        return;
    }
    if (object.raw.size > edge_session_shared(session)->edge->body_max) {
        write_refusal(session, "too_large", edge_code_row(EDGE_TOO_LARGE)->message,
                      object.recipient);
        return;
    }
    /* The recipient may believe what the object says; with a token it is known. */
    if (session->token != NULL && object.names_sender &&
        !text_equal(object.sender, edge_session_user(session))) {
        write_refusal(session, "forbidden", "sender_id is not the token's user", object.recipient);
        return;
    }
    edge_plain_make_id(id);
    struct edge_letter letter = {.flags = WIRE_FLAG_PLAIN,
                                 .id = text_of(id),
                                 .body = object.raw,
                                 .recipients = &object.recipient,
                                 .recipient_count = 1};
    edge_session_send(session, &letter);
}

static void plain_on_outcome(struct edge_session *session, const struct edge_outcome *outcome)
{
    const struct edge_code_row *row = edge_code_row(outcome->code);
    if (outcome->code != EDGE_ACCEPTED)
        write_refusal(session, row->name, row->message, outcome->to);
}

static void plain_on_deliver(struct edge_session *session, const struct wire_deliver *deliver)
{
    if ((deliver->flags & WIRE_FLAG_NOTICE) != 0) { /* a plain client never asked for one */
        if (edge_stream_pending(&session->stream) == 0)
            edge_plain_dialect.on_flushed(session);
        return;
    }
    struct buffer *out = edge_session_scratch(session);
    edge_plain_write(out, deliver);
    if (out->failed) /* it must not miss a message in silence */
        edge_session_close(session, EDGE_CLOSE_RECONNECT, "memory is short");
    else
        edge_session_write(session, buffer_text(out));
}

static void plain_on_flushed(struct edge_session *session)
{
    struct edge_attach *attach = &session->attach;
    if (session->state == EDGE_SESSION_OPEN && attach->next > attach->acked + 1)
        (void)!edge_home_ack(edge_session_shared(session)->home, attach, attach->epoch,
                             attach->next - 1);
}

static void plain_on_gap(struct edge_session *session, const struct wire_gap *gap)
{
    (void)gap; /* nothing in plain mode says so; what is lost counts as read */
    if (edge_stream_pending(&session->stream) == 0)
        plain_on_flushed(session);
}

const struct edge_dialect edge_plain_dialect = {
    .on_text = plain_on_text,
    .on_outcome = plain_on_outcome,
    .on_deliver = plain_on_deliver,
    .on_flushed = plain_on_flushed,
    .on_gap = plain_on_gap,
};
