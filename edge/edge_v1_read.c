/* What a client says in meridian.v1, but for its sends: edge_v1_send.c. */
#include "edge/edge_v1_internal.h"

#include "edge/edge_admit.h"
#include "edge/edge_exchange.h"
#include "edge/edge_recall.h"
#include "edge/edge_url.h"

#include <errno.h>

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
static const char *read_hello(struct edge_session *session, const struct edge_v1_frame *frame,
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
        edge_v1_write_error(session, "bad_request", "no tokens are looked at here");
    else if (err == -EAGAIN)
        edge_v1_write_error(session, "busy", "a new token was looked at within the last second");
    else if (err == -ENOMEM)
        edge_session_close(session, EDGE_CLOSE_LATER, "memory is short");
    else if (err != 0)
        edge_session_refuse(session);
    return err == 0;
}

/* Whether it may log in now; else it is told when, and closed. */
static bool may_log_in(struct edge_session *session, const struct edge_hello *hello)
{
    const struct edge_sessions_settings *shared = edge_session_shared(session);
    bool service = session->token != NULL && session->token->service;
    struct edge_login login =
        edge_limits_login(shared->limits, shared->admission, service ? TEXT("") : hello->user,
                          (hello->flags & WIRE_ATTACH_HAS_CURSOR) != 0, loop_now_ms(shared->loop));
    if (login.again_ms == 0)
        return true;
    const char *message = login.of_user ? EDGE_OFTEN_MESSAGE : EDGE_BUSY_MESSAGE;
    edge_v1_write_later(session, login.of_user ? EDGE_OFTEN_CODE : EDGE_BUSY_CODE, message,
                        login.again_ms);
    edge_session_close(session, EDGE_CLOSE_LATER, message);
    return false;
}

static void on_hello(struct edge_session *session, const struct edge_v1_frame *frame)
{
    char user_room[TEXT_USER_MAX];
    char device_room[TEXT_DEVICE_MAX];
    struct edge_hello hello = {0};
    if (!take_token(session, frame->token, edge_admit_hello))
        return;
    const char *wrong = read_hello(session, frame, user_room, device_room, &hello);
    if (wrong != NULL)
        edge_v1_fail(session, "bad_request", wrong);
    else if (edge_auth_fit(edge_session_shared(session)->auth, session->token, hello.user,
                           hello.device) != 0)
        edge_session_refuse(session);
    else if (may_log_in(session, &hello))
        edge_session_identify(session, &hello);
}

static void on_refresh(struct edge_session *session, const struct edge_v1_frame *frame)
{
    if (take_token(session, frame->token, edge_admit_refresh))
        edge_v1_write_refreshed(session);
}

static void on_ack(struct edge_session *session, const struct edge_v1_frame *frame)
{
    uint32_t epoch;
    uint64_t seq;
    if (read_cursor(frame->cursor, &epoch, &seq) != 0) {
        edge_v1_write_error(session, "bad_request", "ack needs a cursor, \"epoch:seq\"");
        return;
    }
    if (session->exchange != NULL)
        edge_exchange_show(session->exchange, TEXT(""), epoch, seq);
    else if (edge_home_ack(edge_session_shared(session)->home, &session->attach, epoch, seq) != 0)
        edge_v1_write_error(session, "bad_cursor", "nothing was delivered with this cursor");
    else if (seq <= session->attach.confirmed)
        edge_v1_write_acked(session);
}

/* {"t":"receipt","kind":"read","from":"alice","cursor":"1:57"} */
static void on_receipt(struct edge_session *session, const struct edge_v1_frame *frame)
{
    char room[TEXT_USER_MAX];
    struct text of;
    uint32_t epoch;
    uint64_t seq;
    if (!text_equal(frame->kind.raw, TEXT("\"read\""))) {
        edge_v1_write_error(session, "bad_request",
                            "a receipt of a client is of the kind \"read\"");
        return;
    }
    if (frame->from.type != JSON_STRING || read_string(frame->from, room, sizeof room, &of) != 0 ||
        !wire_is_person(of)) {
        edge_v1_write_error(session, "bad_request",
                            "receipt needs a user id, from whom the messages are");
        return;
    }
    if (read_cursor(frame->cursor, &epoch, &seq) != 0) {
        edge_v1_write_error(session, "bad_request", "receipt needs a cursor, \"epoch:seq\"");
        return;
    }
    if (session->exchange != NULL) {
        edge_exchange_show(session->exchange, of, epoch, seq);
        return;
    }
    int err = edge_home_read(edge_session_shared(session)->home, &session->attach, of, epoch, seq);
    if (err == -EINVAL)
        edge_v1_write_error(session, "bad_cursor", "nothing was delivered with this cursor");
    else if (err != 0)
        edge_v1_write_error(session, "busy", "too many receipts wait: say it again later");
}

static void on_history(struct edge_session *session, const struct edge_v1_frame *frame)
{
    edge_recall_ask(session, &(struct edge_recall_frame){.id = frame->id,
                                                         .before = frame->before,
                                                         .after = frame->after,
                                                         .limit = frame->limit});
}

static void on_bye(struct edge_session *session, const struct edge_v1_frame *frame)
{
    (void)frame;
    edge_session_close(session, EDGE_CLOSE_NORMAL, "bye");
}

static void on_again(struct edge_session *session, const struct edge_v1_frame *frame)
{
    (void)frame;
    edge_v1_fail(session, "bad_request", "a second hello");
}

static const struct kind {
    const char *name;
    void (*on_frame)(struct edge_session *session, const struct edge_v1_frame *frame);
} kinds[] = {
    {"\"send\"", edge_v1_on_send}, {"\"ack\"", on_ack},     {"\"receipt\"", on_receipt},
    {"\"bye\"", on_bye},           {"\"hello\"", on_again}, {"\"history\"", on_history},
    {"\"refresh\"", on_refresh},
};

static void v1_on_frame(struct edge_session *session, const struct edge_v1_frame *frame)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (text_equal(frame->t.raw, text_of(kinds[i].name))) {
            kinds[i].on_frame(session, frame);
            return;
        }
    }
    edge_v1_write_error(session, "unknown_kind", "t names no kind that is known here");
}

void edge_v1_on_text(struct edge_session *session, struct text text)
{
    struct edge_v1_frame frame;
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
            edge_v1_fail(session, "no_hello", "the first frame must be a hello");
    } else if (err != 0) {
        edge_v1_write_error(session, "bad_request",
                            "the frame is no JSON object with its keys once");
    } else {
        v1_on_frame(session, &frame);
    }
}
