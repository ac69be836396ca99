/* What the server says in meridian.v1. */
#include "edge/edge_v1_internal.h"

#include "edge/edge_new_home.h"
#include "edge/edge_receipt.h"

#include <inttypes.h>

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

/* It must not miss a frame in silence. */
static bool is_whole(struct edge_session *session, const struct buffer *out)
{
    if (out->failed)
        edge_session_close(session, EDGE_CLOSE_RECONNECT, "memory is short");
    return !out->failed;
}

static void end(struct edge_session *session, struct buffer *out)
{
    buffer_append_text(out, TEXT("}"));
    if (is_whole(session, out))
        edge_session_write(session, buffer_text(out));
}

/* Of what brings the client to a cursor. */
static void end_at(struct edge_session *session, struct buffer *out, uint32_t epoch, uint64_t seq)
{
    buffer_append_text(out, TEXT("}"));
    if (is_whole(session, out))
        edge_session_write_at(session, buffer_text(out), epoch, seq);
}

void edge_v1_write_error(struct edge_session *session, const char *code, const char *message)
{
    struct buffer *out = begin(session, "error");
    member_text(out, "code", text_of(code));
    member_text(out, "message", text_of(message));
    end(session, out);
}

void edge_v1_write_later(struct edge_session *session, const char *code, const char *message,
                         uint32_t again_ms)
{
    struct buffer *out = begin(session, "error");
    member_text(out, "code", text_of(code));
    buffer_printf(out, ",\"retry_after_ms\":%" PRIu32, again_ms);
    member_text(out, "message", text_of(message));
    end(session, out);
}

static void v1_on_throttle(struct edge_session *session, const struct edge_limits_wait *wait)
{
    struct buffer *out = begin(session, "throttle");
    buffer_printf(out, ",\"retry_after_ms\":%" PRIu32 ",\"sends_per_s\":%" PRIu32, wait->calm_ms,
                  wait->per_s);
    end(session, out);
}

/* An error that ends the session. */
void edge_v1_fail(struct edge_session *session, const char *code, const char *message)
{
    edge_v1_write_error(session, code, message);
    edge_session_close(session, EDGE_CLOSE_POLICY, message);
}

void edge_v1_write_rejected(struct edge_session *session, const struct edge_outcome *outcome,
                            const char *message)
{
    const struct edge_code_row *row = edge_code_row(outcome->code);
    struct buffer *out = begin(session, "rejected");
    member_text(out, "id", outcome->id);
    if (outcome->listed && outcome->to.size > 0)
        member_text(out, "to", outcome->to);
    buffer_printf(out, ",\"code\":\"%s\",\"retryable\":%s", row->name,
                  row->retryable ? "true" : "false");
    uint32_t again_ms = outcome->retry_after_ms > 0 ? outcome->retry_after_ms : row->retry_after_ms;
    if (again_ms > 0)
        buffer_printf(out, ",\"retry_after_ms\":%" PRIu32, again_ms);
    member_text(out, "message", text_of(message != NULL ? message : row->message));
    end(session, out);
}

static void v1_on_outcome(struct edge_session *session, const struct edge_outcome *outcome)
{
    if (outcome->code != EDGE_ACCEPTED) {
        edge_v1_write_rejected(session, outcome, NULL);
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

static void member_endpoints(const struct edge_session *session, bool leaving, struct buffer *out)
{
    const struct edge_near *near = edge_session_shared(session)->near;
    const struct edge_near_client client = {&session->client, edge_token_tenant(session->token)};
    if (near != NULL)
        edge_near_write_endpoints(near, &client, leaving, out);
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
                  ",\"recipients_max\":%" PRIu32 ",\"sends_max\":%" PRIu32
                  ",\"sends_per_s\":%" PRIu32 ",\"sends_burst\":%" PRIu32 "}",
                  edge->body_max, edge->message_max, edge->recipients_max, edge->sends_max,
                  edge->sends_per_s, edge->sends_burst);
    member_expiry(session, out);
    member_endpoints(session, false, out);
    end_at(session, out, session->attach.epoch, session->attach.next - 1);
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
    end_at(session, out, session->attach.epoch, session->attach.next - 1);
}

static void write_delivery(struct edge_session *session, const struct buffer *out,
                           const struct wire_deliver *deliver)
{
    if (!is_whole(session, out))
        return;
    if (deliver->seq != 0)
        edge_session_write_at(session, buffer_text(out), deliver->epoch, deliver->seq);
    else
        edge_session_write(session, buffer_text(out));
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
    buffer_append_text(out, TEXT("\"}"));
    write_delivery(session, out, deliver);
}

static void v1_on_deliver(struct edge_session *session, const struct wire_deliver *deliver)
{
    if ((deliver->flags & WIRE_FLAG_NOTICE) == 0) {
        write_message(session, deliver);
        return;
    }
    struct buffer *out = edge_session_scratch(session);
    edge_receipt_write(out, deliver);
    write_delivery(session, out, deliver);
}

void edge_v1_write_acked(struct edge_session *session)
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
    end_at(session, out, gap->epoch, gap->to);
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
    buffer_printf(out, ",\"reconnect_ms\":%" PRIi64, reconnect_ms);
    member_endpoints(session, true, out);
    end(session, out);
}

static void v1_on_no_hello(struct edge_session *session)
{
    edge_v1_write_error(session, "no_hello",
                        "the first frame must be a hello, within five seconds");
}

static void v1_on_dropped(struct edge_session *session)
{
    edge_v1_write_error(
        session, "device_dropped",
        "this user has more devices than are kept, and this one was idle the longest");
}

static void v1_on_unauthorized(struct edge_session *session)
{
    edge_v1_write_error(session, EDGE_AUTH_CODE, EDGE_AUTH_MESSAGE);
}

static void v1_on_homeless(struct edge_session *session)
{
    edge_v1_write_error(session, EDGE_NEW_HOME_CODE, EDGE_NEW_HOME_MESSAGE);
}

static void v1_on_expiring(struct edge_session *session, int64_t left_ms)
{
    struct buffer *out = begin(session, "expiring");
    member_expiry(session, out);
    buffer_printf(out, ",\"left_ms\":%" PRIi64, left_ms);
    end(session, out);
}

void edge_v1_write_refreshed(struct edge_session *session)
{
    struct buffer *out = begin(session, "refreshed");
    member_expiry(session, out);
    end(session, out);
}

const struct edge_dialect edge_v1_dialect = {
    .on_text = edge_v1_on_text,
    .on_outcome = v1_on_outcome,
    .on_deliver = v1_on_deliver,
    .on_welcome = v1_on_welcome,
    .on_moved = v1_on_moved,
    .on_resync = v1_on_resync,
    .on_confirmed = edge_v1_write_acked,
    .on_gap = v1_on_gap,
    .on_reachable = v1_on_reachable,
    .on_goaway = v1_on_goaway,
    .on_no_hello = v1_on_no_hello,
    .on_dropped = v1_on_dropped,
    .on_unauthorized = v1_on_unauthorized,
    .on_homeless = v1_on_homeless,
    .on_expiring = v1_on_expiring,
    .on_throttle = v1_on_throttle,
    .on_later = edge_v1_write_later,
};
