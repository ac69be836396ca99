#include "edge/edge_v1.h"

#include "edge/edge_admit.h"
#include "edge/edge_recall.h"
#include "edge/edge_receipt.h"
#include "edge/edge_url.h"
#include "json/json.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* The members of all kinds, picked in one pass. */
struct frame {
    struct json_value t, user, device, cursor, start, id, to, body, message_class, ttl, want, kind,
        from, before, after, limit, token;
};

/* Writing. */

static struct buffer *begin(struct edge_session *session, const char *kind)
{
    struct buffer *out = edge_session_scratch(session);
    buffer_printf(out, "{\"t\":\"%s\"", kind);
    return out;
}

static void member_text(struct buffer *out, const char *key, struct text value)
{
    buffer_printf(out, ",\"%s\":", key);
    json_write_string(out, value);
}

static void member_cursor(struct buffer *out, const char *key, uint32_t epoch, uint64_t seq)
{
    buffer_printf(out, ",\"%s\":\"%" PRIu32 ":%" PRIu64 "\"", key, epoch, seq);
}

static void write_whole(struct edge_session *session, const struct buffer *out)
{
    if (out->failed) /* it must not miss a frame in silence */
        edge_session_close(session, EDGE_CLOSE_RECONNECT, "memory is short");
    else
        edge_session_write(session, buffer_text(out));
}

static void end(struct edge_session *session, struct buffer *out)
{
    buffer_append_text(out, TEXT("}"));
    write_whole(session, out);
}

static void write_error(struct edge_session *session, const char *code, const char *message)
{
    struct buffer *out = begin(session, "error");
    member_text(out, "code", text_of(code));
    member_text(out, "message", text_of(message));
    end(session, out);
}

/* An error that ends the session. */
static void fail(struct edge_session *session, const char *code, const char *message)
{
    write_error(session, code, message);
    edge_session_close(session, EDGE_CLOSE_POLICY, message);
}

static void write_rejected(struct edge_session *session, const struct edge_outcome *outcome,
                           const char *message)
{
    const struct edge_code_row *row = edge_code_row(outcome->code);
    struct buffer *out = begin(session, "rejected");
    member_text(out, "id", outcome->id);
    if (outcome->listed && outcome->to.size > 0)
        member_text(out, "to", outcome->to);
    buffer_printf(out, ",\"code\":\"%s\",\"retryable\":%s", row->name,
                  row->retryable ? "true" : "false");
    if (row->retry_after_ms > 0)
        buffer_printf(out, ",\"retry_after_ms\":%" PRIu32, row->retry_after_ms);
    member_text(out, "message", text_of(message != NULL ? message : row->message));
    end(session, out);
}

static void v1_on_outcome(struct edge_session *session, const struct edge_outcome *outcome)
{
    if (outcome->code != EDGE_ACCEPTED) {
        write_rejected(session, outcome, NULL);
        return;
    }
    struct buffer *out = begin(session, "accepted");
    member_text(out, "id", outcome->id);
    if (outcome->listed)
        member_text(out, "to", outcome->to);
    end(session, out);
}

static void member_expiry(const struct edge_session *session, struct buffer *out)
{
    if (session->token != NULL)
        buffer_printf(out, ",\"expires_at\":%" PRIi64, session->token->expires_at_ms);
}

static void v1_on_welcome(struct edge_session *session, const struct wire_attached *attached)
{
    const struct edge_sessions_settings *shared = edge_session_shared(session);
    const struct edge_settings *edge = shared->edge;
    uint64_t number;
    hash_random(&number, sizeof number);
    struct buffer *out = begin(session, "welcome");
    member_text(out, "user", edge_session_user(session));
    member_text(out, "device", edge_session_device(session));
    buffer_printf(out, ",\"session\":\"%016" PRIx64 "\"", number);
    member_text(out, "region", text_of(edge->region));
    member_text(out, "edge", text_of(edge->name));
    member_text(out, "home", text_of(edge_session_home(session)));
    member_cursor(out, "cursor", session->attach.epoch, session->attach.next - 1);
    buffer_printf(out, ",\"resumed\":%s,\"heartbeat_s\":%" PRIi64 ",\"idle_s\":%" PRIi64,
                  (attached->flags & WIRE_ATTACHED_RESUMED) != 0 ? "true" : "false",
                  edge->heartbeat_ms / 1000, edge->idle_ms / 1000);
    buffer_printf(out,
                  ",\"limits\":{\"body_max\":%" PRIu64 ",\"message_max\":%" PRIu64
                  ",\"recipients_max\":%" PRIu32 ",\"sends_max\":%" PRIu32 "}",
                  edge->body_max, edge->message_max, edge->recipients_max, edge->sends_max);
    member_expiry(session, out);
    end(session, out);
}

static void v1_on_moved(struct edge_session *session)
{
    struct buffer *out = begin(session, "moved");
    member_text(out, "home", text_of(edge_session_home(session)));
    buffer_printf(out, ",\"epoch\":%" PRIu32, session->attach.epoch);
    end(session, out);
}

static void v1_on_resync(struct edge_session *session)
{
    struct buffer *out = begin(session, "resync");
    member_cursor(out, "cursor", session->attach.epoch, session->attach.next - 1);
    member_text(out, "reason", TEXT("the cursor cannot be honoured"));
    end(session, out);
}

static void write_message(struct edge_session *session, const struct wire_deliver *deliver)
{
    static const char digits[] = "0123456789abcdef";
    char trace[2 * sizeof deliver->trace];
    for (size_t i = 0; i < sizeof deliver->trace; i++) {
        trace[2 * i] = digits[deliver->trace[i] >> 4];
        trace[2 * i + 1] = digits[deliver->trace[i] & 15];
    }
    struct buffer *out = begin(session, "msg");
    if (deliver->seq != 0)
        member_cursor(out, "cursor", deliver->epoch, deliver->seq);
    member_text(out, "id", deliver->id);
    member_text(out, "from", deliver->sender);
    buffer_append_text(out, TEXT(",\"body\":"));
    buffer_append_text(out, deliver->body);
    buffer_printf(out, ",\"at\":%" PRIi64 ",\"trace\":\"", deliver->at_ms);
    buffer_append(out, trace, sizeof trace);
    buffer_append_text(out, TEXT("\""));
    end(session, out);
}

static void v1_on_deliver(struct edge_session *session, const struct wire_deliver *deliver)
{
    if ((deliver->flags & WIRE_FLAG_NOTICE) == 0) {
        write_message(session, deliver);
        return;
    }
    struct buffer *out = edge_session_scratch(session);
    edge_receipt_write(out, deliver);
    write_whole(session, out);
}

static void v1_on_confirmed(struct edge_session *session)
{
    struct buffer *out = begin(session, "acked");
    member_cursor(out, "cursor", session->attach.epoch, session->attach.confirmed);
    end(session, out);
}

static void v1_on_gap(struct edge_session *session, const struct wire_gap *gap)
{
    struct buffer *out = begin(session, "gap");
    member_cursor(out, "from", gap->epoch, gap->from);
    member_cursor(out, "to", gap->epoch, gap->to);
    member_text(out, "reason", gap->reason);
    end(session, out);
}

static void v1_on_reachable(struct edge_session *session, bool reachable)
{
    struct buffer *out = begin(session, "state");
    member_text(out, "home", reachable ? TEXT("reachable") : TEXT("unreachable"));
    end(session, out);
}

static void v1_on_goaway(struct edge_session *session, const char *reason, int64_t reconnect_ms)
{
    struct buffer *out = begin(session, "goaway");
    member_text(out, "reason", text_of(reason));
    buffer_printf(out, ",\"reconnect_ms\":%" PRIi64 ",\"endpoints\":[]", reconnect_ms);
    end(session, out);
}

static void v1_on_no_hello(struct edge_session *session)
{
    write_error(session, "no_hello", "the first frame must be a hello, within five seconds");
}

static void v1_on_dropped(struct edge_session *session)
{
    write_error(session, "device_dropped",
                "this user has more devices than are kept, and this one was idle the longest");
}

static void v1_on_unauthorized(struct edge_session *session)
{
    write_error(session, EDGE_AUTH_CODE, EDGE_AUTH_MESSAGE);
}

static void v1_on_expiring(struct edge_session *session, int64_t left_ms)
{
    struct buffer *out = begin(session, "expiring");
    member_expiry(session, out);
    buffer_printf(out, ",\"left_ms\":%" PRIi64, left_ms);
    end(session, out);
}

/* Reading. */

/* A string within `room`, or an error. JSON_ABSENT is an empty text. */
static int read_string(struct json_value value, char *room, size_t room_size, struct text *ret_text)
{
    *ret_text = (struct text){"", 0};
    return value.type == JSON_ABSENT ? 0 : json_string_read(value, room, room_size, ret_text);
}

static int read_cursor(struct json_value value, uint32_t *ret_epoch, uint64_t *ret_seq)
{
    char room[64];
    struct text cursor;
    if (value.type != JSON_STRING || read_string(value, room, sizeof room, &cursor) != 0)
        return -EINVAL;
    return edge_cursor_parse(cursor, ret_epoch, ret_seq);
}

/* NULL, or what is wrong. The texts are borrowed from the frame or the rooms. */
static const char *read_hello(struct edge_session *session, const struct frame *frame,
                              char user_room[TEXT_USER_MAX], char device_room[TEXT_DEVICE_MAX],
                              struct edge_hello *ret_hello)
{
    char room[16];
    struct text start;
    struct text known = edge_session_user(session); /* of the path */
    struct text known_device = edge_session_device(session);
    if (read_string(frame->user, user_room, TEXT_USER_MAX, &ret_hello->user) != 0)
        return "user is no user id";
    if (ret_hello->user.size == 0)
        ret_hello->user = known;
    if (ret_hello->user.size == 0 && session->token != NULL)
        ret_hello->user = edge_token_user(session->token);
    if (!wire_is_person(ret_hello->user))
        return "user is no user id: 1 to 128 bytes of UTF-8 without controls";
    if (known.size > 0 && !text_equal(known, ret_hello->user))
        return "user is another one than in the path";
    if (read_string(frame->device, device_room, TEXT_DEVICE_MAX, &ret_hello->device) != 0)
        return "device is no device id";
    if (ret_hello->device.size == 0)
        ret_hello->device = known_device;
    if (ret_hello->device.size == 0 && session->token != NULL)
        ret_hello->device = edge_token_device(session->token);
    if (!text_is_device_id(ret_hello->device))
        return "device is no device id: 1 to 64 printable ASCII characters";
    if (frame->cursor.type != JSON_ABSENT && frame->cursor.type != JSON_NULL) {
        if (read_cursor(frame->cursor, &ret_hello->epoch, &ret_hello->seq) != 0)
            return "cursor is not \"epoch:seq\"";
        ret_hello->flags |= WIRE_ATTACH_HAS_CURSOR;
    }
    if (read_string(frame->start, room, sizeof room, &start) != 0)
        return "start is neither \"oldest\" nor \"head\"";
    if (text_equal(start, TEXT("head")))
        ret_hello->flags |= WIRE_ATTACH_FROM_HEAD;
    else if (start.size > 0 && !text_equal(start, TEXT("oldest")))
        return "start is neither \"oldest\" nor \"head\"";
    return NULL;
}

/* Hands a token on to who judges it. False when the session was closed, or told why not. */
static bool take_token(struct edge_session *session, struct json_value value,
                       int (*take)(struct edge_session *session, struct text shown))
{
    char room[AUTH_TOKEN_MAX];
    struct text shown;
    int err = read_string(value, room, sizeof room, &shown);
    err = err == 0 ? take(session, shown) : -EACCES;
    if (err == -ENOTSUP)
        write_error(session, "bad_request", "no tokens are looked at here");
    else if (err == -EAGAIN)
        write_error(session, "busy", "a new token was looked at within the last second");
    else if (err == -ENOMEM)
        edge_session_close(session, EDGE_CLOSE_LATER, "memory is short");
    else if (err != 0)
        edge_session_refuse(session);
    return err == 0;
}

static void on_hello(struct edge_session *session, const struct frame *frame)
{
    char user_room[TEXT_USER_MAX];
    char device_room[TEXT_DEVICE_MAX];
    struct edge_hello hello = {0};
    if (!take_token(session, frame->token, edge_admit_hello))
        return;
    const char *wrong = read_hello(session, frame, user_room, device_room, &hello);
    if (wrong != NULL)
        fail(session, "bad_request", wrong);
    else if (edge_auth_fit(session->token, hello.user, hello.device) != 0)
        edge_session_refuse(session);
    else
        edge_session_identify(session, &hello);
}

static void on_refresh(struct edge_session *session, const struct frame *frame)
{
    if (!take_token(session, frame->token, edge_admit_refresh))
        return;
    struct buffer *out = begin(session, "refreshed");
    member_expiry(session, out);
    end(session, out);
}

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
    write_rejected(session, &outcome, message);
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
static const char *read_letter(struct edge_session *session, const struct frame *frame,
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

static void on_send(struct edge_session *session, const struct frame *frame)
{
    struct send send; /* large, and only the letter needs a value */
    send.letter = (struct edge_letter){.recipients = send.recipients};
    if (frame->id.type != JSON_STRING ||
        json_string_read(frame->id, send.id_room, sizeof send.id_room, &send.letter.id) != 0 ||
        !text_is_message_id(send.letter.id)) {
        write_error(session, "bad_request",
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

static void on_ack(struct edge_session *session, const struct frame *frame)
{
    uint32_t epoch;
    uint64_t seq;
    if (read_cursor(frame->cursor, &epoch, &seq) != 0) {
        write_error(session, "bad_request", "ack needs a cursor, \"epoch:seq\"");
        return;
    }
    if (edge_home_ack(edge_session_shared(session)->home, &session->attach, epoch, seq) != 0)
        write_error(session, "bad_cursor", "nothing was delivered with this cursor");
    else if (seq <= session->attach.confirmed)
        v1_on_confirmed(session);
}

/* {"t":"receipt","kind":"read","from":"alice","cursor":"1:57"} */
static void on_receipt(struct edge_session *session, const struct frame *frame)
{
    char room[TEXT_USER_MAX];
    struct text of;
    uint32_t epoch;
    uint64_t seq;
    if (!text_equal(frame->kind.raw, TEXT("\"read\""))) {
        write_error(session, "bad_request", "a receipt of a client is of the kind \"read\"");
        return;
    }
    if (frame->from.type != JSON_STRING || read_string(frame->from, room, sizeof room, &of) != 0 ||
        !wire_is_person(of)) {
        write_error(session, "bad_request", "receipt needs a user id, from whom the messages are");
        return;
    }
    if (read_cursor(frame->cursor, &epoch, &seq) != 0) {
        write_error(session, "bad_request", "receipt needs a cursor, \"epoch:seq\"");
        return;
    }
    int err = edge_home_read(edge_session_shared(session)->home, &session->attach, of, epoch, seq);
    if (err == -EINVAL)
        write_error(session, "bad_cursor", "nothing was delivered with this cursor");
    else if (err != 0)
        write_error(session, "busy", "too many receipts wait: say it again later");
}

static void on_history(struct edge_session *session, const struct frame *frame)
{
    edge_recall_ask(session, &(struct edge_recall_frame){.id = frame->id,
                                                         .before = frame->before,
                                                         .after = frame->after,
                                                         .limit = frame->limit});
}

static void on_bye(struct edge_session *session, const struct frame *frame)
{
    (void)frame;
    edge_session_close(session, EDGE_CLOSE_NORMAL, "bye");
}

static void on_again(struct edge_session *session, const struct frame *frame)
{
    (void)frame;
    fail(session, "bad_request", "a second hello");
}

static const struct kind {
    const char *name;
    void (*on_frame)(struct edge_session *session, const struct frame *frame);
} kinds[] = {
    {"\"send\"", on_send},       {"\"ack\"", on_ack},     {"\"receipt\"", on_receipt},
    {"\"bye\"", on_bye},         {"\"hello\"", on_again}, {"\"history\"", on_history},
    {"\"refresh\"", on_refresh},
};

static void v1_on_frame(struct edge_session *session, const struct frame *frame)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (text_equal(frame->t.raw, text_of(kinds[i].name))) {
            kinds[i].on_frame(session, frame);
            return;
        }
    }
    write_error(session, "unknown_kind", "t names no kind that is known here");
}

static void v1_on_text(struct edge_session *session, struct text text)
{
    struct frame frame;
    const struct json_pick picks[] = {
        {"t", &frame.t},           {"user", &frame.user},     {"device", &frame.device},
        {"cursor", &frame.cursor}, {"start", &frame.start},   {"id", &frame.id},
        {"to", &frame.to},         {"body", &frame.body},     {"class", &frame.message_class},
        {"ttl", &frame.ttl},       {"want", &frame.want},     {"kind", &frame.kind},
        {"from", &frame.from},     {"before", &frame.before}, {"after", &frame.after},
        {"limit", &frame.limit},   {"token", &frame.token},
    };
    int err = json_object_pick(text, picks, COUNT_OF(picks));
    bool hello = err == 0 && text_equal(frame.t.raw, TEXT("\"hello\""));
    if (session->state == EDGE_SESSION_HELLO) {
        if (hello)
            on_hello(session, &frame);
        else
            fail(session, "no_hello", "the first frame must be a hello");
    } else if (err != 0) {
        write_error(session, "bad_request", "the frame is no JSON object with its keys once");
    } else {
        v1_on_frame(session, &frame);
    }
}

const struct edge_dialect edge_v1_dialect = {
    .on_text = v1_on_text,
    .on_outcome = v1_on_outcome,
    .on_deliver = v1_on_deliver,
    .on_welcome = v1_on_welcome,
    .on_moved = v1_on_moved,
    .on_resync = v1_on_resync,
    .on_confirmed = v1_on_confirmed,
    .on_gap = v1_on_gap,
    .on_reachable = v1_on_reachable,
    .on_goaway = v1_on_goaway,
    .on_no_hello = v1_on_no_hello,
    .on_dropped = v1_on_dropped,
    .on_unauthorized = v1_on_unauthorized,
    .on_expiring = v1_on_expiring,
};
