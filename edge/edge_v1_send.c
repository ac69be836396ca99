/* The sends of a client in meridian.v1: what is wrong with one as a whole, or with one recipient,
 * is rejected here. */
#include "edge/edge_v1_internal.h"

#include <errno.h>

/* A send that is being read: rooms for what has escapes. */
struct send {
    struct edge_letter letter;
    char id_room[TEXT_MESSAGE_ID_MAX];
    struct text recipients[WIRE_RECIPIENTS_MAX];
    char recipient_rooms[WIRE_RECIPIENTS_MAX][TEXT_USER_MAX];
};

static void reject(struct edge_session *session, const struct send *send, struct text to,
                   enum edge_code code, const char *message)
{
    struct edge_outcome outcome = {
        .id = send->letter.id, .to = to, .listed = send->letter.listed, .code = code};
    edge_v1_write_rejected(session, &outcome, message);
}

/* Takes one recipient; a bad one is rejected by itself. */
static void add_recipient(struct edge_session *session, struct send *send, struct json_value value)
{
    size_t at = send->letter.recipient_count;
    struct text name;
    bool read = value.type == JSON_STRING &&
                json_string_read(value, send->recipient_rooms[at], TEXT_USER_MAX, &name) == 0;
    if (read && wire_is_person(name)) {
        send->recipients[at] = name;
        send->letter.recipient_count++;
        return;
    }
    reject(session, send, read ? name : (struct text){"", 0}, EDGE_BAD_REQUEST,
           "the recipient is no user id: 1 to 128 bytes of UTF-8 without controls");
}

/* False when the list as a whole is refused. */
static bool read_list(struct edge_session *session, struct send *send, struct json_value to)
{
    struct json_reader reader;
    struct json_value value;
    uint32_t most = edge_session_shared(session)->edge->recipients_max;
    uint32_t count = 0;
    if (json_array_open(&reader, to.raw) != 0)
        return false;
    while (json_array_next(&reader, &value) == 1)
        count++;
    if (count == 0 || count > most) {
        reject(session, send, TEXT(""), EDGE_BAD_REQUEST,
               count == 0 ? "to is an empty list" : "to lists more recipients than allowed");
        return false;
    }
    if (json_array_open(&reader, to.raw) != 0)
        return false;
    while (json_array_next(&reader, &value) == 1)
        add_recipient(session, send, value);
    return true;
}

static int read_want(struct json_value want, uint8_t *ret_wants)
{
    struct json_reader reader;
    struct json_value value;
    *ret_wants = 0;
    if (want.type == JSON_ABSENT)
        return 0;
    if (want.type != JSON_ARRAY || json_array_open(&reader, want.raw) != 0)
        return -EINVAL;
    while (json_array_next(&reader, &value) == 1) {
        if (text_equal(value.raw, TEXT("\"stored\"")))
            *ret_wants |= WIRE_WANT_STORED;
        else if (text_equal(value.raw, TEXT("\"delivered\"")))
            *ret_wants |= WIRE_WANT_DELIVERED;
        else if (text_equal(value.raw, TEXT("\"read\"")))
            *ret_wants |= WIRE_WANT_READ;
        else
            return -EINVAL;
    }
    return 0;
}

/* NULL, or what is wrong with all but the recipients. */
static const char *read_letter(struct edge_session *session, const struct edge_v1_frame *frame,
                               struct edge_letter *letter)
{
    const struct edge_settings *edge = edge_session_shared(session)->edge;
    uint64_t ttl_s = 0;
    if (frame->body.type == JSON_ABSENT)
        return "body is missing";
    if (text_equal(frame->message_class.raw, TEXT("\"ephemeral\"")))
        letter->message_class = WIRE_EPHEMERAL;
    else if (frame->message_class.type != JSON_ABSENT &&
             !text_equal(frame->message_class.raw, TEXT("\"durable\"")))
        return "class is neither \"durable\" nor \"ephemeral\"";
    if (frame->ttl.type != JSON_ABSENT &&
        (json_to_u64(frame->ttl, edge->ttl_max_s, &ttl_s) != 0 || ttl_s == 0))
        return "ttl is no number of seconds from 1 to the longest allowed";
    if (read_want(frame->want, &letter->wants) != 0)
        return "want is no list of \"stored\", \"delivered\" and \"read\"";
    letter->ttl_s = (uint32_t)ttl_s;
    letter->body = frame->body.raw;
    return NULL;
}

static bool read_recipients(struct edge_session *session, struct send *send, struct json_value to)
{
    if (to.type == JSON_ARRAY) {
        send->letter.listed = true;
        return read_list(session, send, to);
    }
    add_recipient(session, send, to);
    return true;
}

void edge_v1_on_send(struct edge_session *session, const struct edge_v1_frame *frame)
{
    struct send send; /* large, and only the letter needs a value */
    send.letter = (struct edge_letter){.recipients = send.recipients};
    if (frame->id.type != JSON_STRING ||
        json_string_read(frame->id, send.id_room, sizeof send.id_room, &send.letter.id) != 0 ||
        !text_is_message_id(send.letter.id)) {
        edge_v1_write_error(session, "bad_request",
                            "send needs an id of 1 to 64 printable ASCII characters");
        return;
    }
    const char *wrong = read_letter(session, frame, &send.letter);
    if (wrong != NULL) {
        reject(session, &send, TEXT(""), EDGE_BAD_REQUEST, wrong);
        return;
    }
    if (send.letter.body.size > edge_session_shared(session)->edge->body_max) {
        reject(session, &send, TEXT(""), EDGE_TOO_LARGE, NULL);
        return;
    }
    if (read_recipients(session, &send, frame->to) && send.letter.recipient_count > 0)
        edge_session_send(session, &send.letter);
}
