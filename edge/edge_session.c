#include "edge/edge_session.h"

#include "base/hash.h"
#include "edge/edge_admit.h"
#include "edge/edge_plain.h"
#include "edge/edge_recall.h"
#include "edge/edge_v1.h"
#include "edge/edge_wheel.h"
#include "log/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FIND_AGAIN_MS = 500, /* the directory was unsure */
    FIND_MAX_MS = 10000, /* then the client is sent away for a while */
    SCRATCH_KEPT_MAX = 128 * 1024,
};

struct edge_sessions {
    struct edge_sessions_settings settings;
    struct edge_streams *streams;
    struct edge_wheel wheel;
    struct list dead;
    struct loop_later bury;
    struct buffer scratch;
    size_t count;
};

/* Apart from the session: it is needed only while the directory is asked. */
struct finding {
    struct homes_lookup lookup;
    struct edge_session *session;
};

static const struct edge_stream_ops stream_ops;
static const struct edge_attach_ops attach_ops;

static uint32_t now_of(const struct edge_sessions *sessions)
{
    return (uint32_t)loop_now_ms(sessions->settings.loop);
}

static void look_in(struct edge_session *session, int64_t delay_ms)
{
    struct edge_sessions *sessions = session->sessions;
    edge_wheel_set(&sessions->wheel, &session->wheel, loop_now_ms(sessions->settings.loop),
                   edge_admit_wait_ms(session, delay_ms));
}

void edge_session_look_again(struct edge_session *session)
{
    look_in(session, 0);
}

struct text edge_session_user(const struct edge_session *session)
{
    return (struct text){.data = session->attach.user, .size = session->attach.user_size};
}

struct text edge_session_device(const struct edge_session *session)
{
    return (struct text){.data = session->attach.device, .size = session->attach.device_size};
}

const struct edge_sessions_settings *edge_session_shared(const struct edge_session *session)
{
    return &session->sessions->settings;
}

struct buffer *edge_session_scratch(struct edge_session *session)
{
    struct buffer *scratch = &session->sessions->scratch;
    buffer_clear(scratch);
    if (scratch->capacity > SCRATCH_KEPT_MAX)
        buffer_free(scratch);
    return scratch;
}

/* The end of a session. */

static void finding_end(struct edge_session *session)
{
    if (session->finding == NULL)
        return;
    homes_cancel(&session->finding->lookup);
    free(session->finding);
    session->finding = NULL;
}

/* Lets go of everything but the stream. */
static void session_leave(struct edge_session *session)
{
    finding_end(session);
    edge_recall_end(session);
    edge_home_detach(session->sessions->settings.home, &session->attach);
    edge_sender_done(&session->sender);
}

static void session_free(struct edge_session *session)
{
    edge_ws_done(&session->ws); /* no sooner: edge_ws_feed() may have been on the stack */
    free(session->names);
    free(session->token);
    free(session);
}

static void on_bury(struct loop_later *later)
{
    struct edge_sessions *sessions = container_of(later, struct edge_sessions, bury);
    list_each(node, &sessions->dead) session_free(container_of(node, struct edge_session, wheel));
    list_init(&sessions->dead);
}

/* Callbacks of the session may still be on the stack: it is freed at the end of the turn. */
static void session_end(struct edge_session *session)
{
    struct edge_sessions *sessions = session->sessions;
    if (session->state == EDGE_SESSION_DEAD)
        return;
    session_leave(session);
    edge_stream_close(&session->stream);
    session->state = EDGE_SESSION_DEAD;
    list_remove(&session->wheel);
    list_push(&sessions->dead, &session->wheel);
    loop_later(sessions->settings.loop, &sessions->bury);
    sessions->count--;
    sessions->settings.on_closed(sessions->settings.context);
}

void edge_session_close(struct edge_session *session, uint16_t code, const char *reason)
{
    if (session->state >= EDGE_SESSION_CLOSING)
        return;
    struct buffer *out = edge_stream_output(&session->stream);
    if (session->state >= EDGE_SESSION_CLOSING) /* looking for room has ended it */
        return;
    session_leave(session);
    session->state = EDGE_SESSION_CLOSING;
    if (out == NULL) {
        session_end(session);
        return;
    }
    edge_ws_write_close(out, code, text_of(reason));
    edge_stream_pause(&session->stream, false); /* its end must be seen */
    edge_stream_finish(&session->stream);
    look_in(session, session->sessions->settings.edge->close_ms);
}

void edge_session_refuse(struct edge_session *session)
{
    if (session->state < EDGE_SESSION_CLOSING && session->dialect->on_unauthorized != NULL)
        session->dialect->on_unauthorized(session);
    edge_session_close(session, EDGE_CLOSE_TOKEN, EDGE_AUTH_CODE);
}

/* Writing and sending. */

void edge_session_write(struct edge_session *session, struct text json)
{
    struct buffer *out =
        session->state >= EDGE_SESSION_CLOSING ? NULL : edge_stream_output(&session->stream);
    if (session->state >= EDGE_SESSION_CLOSING) /* looking for room may have ended it */
        return;
    if (out == NULL)
        edge_session_close(session, EDGE_CLOSE_RECONNECT, "memory is short");
    else
        edge_ws_write(out, EDGE_WS_TEXT, json.data, json.size);
}

static void on_outcome(struct edge_sender *sender, const struct edge_outcome *outcome)
{
    struct edge_session *session = container_of(sender, struct edge_session, sender);
    uint32_t most = session->sessions->settings.edge->sends_max;
    if (session->stream.paused && sender->pending_count <= most / 2)
        edge_stream_pause(&session->stream, false);
    session->dialect->on_outcome(session, outcome);
}

void edge_session_send(struct edge_session *session, struct edge_letter *letter)
{
    if (session->state >= EDGE_SESSION_CLOSING)
        return;
    letter->sender = edge_session_user(session);
    letter->device = edge_session_device(session);
    session->active_ms = session->heard_ms;
    edge_dispatch_send(session->sessions->settings.dispatch, &session->sender, letter);
    if (session->state >= EDGE_SESSION_CLOSING)
        edge_sender_done(&session->sender); /* writing a rejection ended it in the middle */
    /* Over its own budget it is not read any more; its acks wait with its sends, others do not. */
    if (session->state < EDGE_SESSION_CLOSING &&
        session->sender.pending_count >= session->sessions->settings.edge->sends_max)
        edge_stream_pause(&session->stream, true);
}

/* Who it is, and where its home is. */

static void session_attach(struct edge_session *session, size_t region)
{
    struct edge_sessions *sessions = session->sessions;
    session->state = EDGE_SESSION_ATTACHING;
    int err = edge_home_attach(sessions->settings.home, &session->attach, region,
                               loop_now_ms(sessions->settings.loop));
    if (err != 0)
        edge_session_close(session, EDGE_CLOSE_LATER, "memory is short");
}

static void session_found(struct edge_session *session, enum homes_found found, size_t region)
{
    if (found == HOMES_FOUND)
        session_attach(session, region);
    else
        look_in(session, FIND_AGAIN_MS);
}

static void on_home_found(struct homes_lookup *lookup, enum homes_found found, size_t region)
{
    struct finding *finding = container_of(lookup, struct finding, lookup);
    struct edge_session *session = finding->session;
    free(finding);
    session->finding = NULL;
    session_found(session, found, region);
}

static void session_find(struct edge_session *session)
{
    enum homes_found found;
    size_t region;
    struct finding *finding = calloc(1, sizeof *finding);
    if (finding == NULL) {
        edge_session_close(session, EDGE_CLOSE_LATER, "memory is short");
        return;
    }
    finding_end(session); /* of a doubt that is settled */
    session->state = EDGE_SESSION_FINDING;
    session->finding = finding;
    finding->session = session;
    finding->lookup.on_found = on_home_found;
    finding->lookup.claim = true;
    look_in(session, FIND_MAX_MS);
    int err = homes_find(session->sessions->settings.directory, edge_session_user(session),
                         &finding->lookup, &found, &region);
    if (err == -EINPROGRESS)
        return;
    finding_end(session);
    if (err == 0)
        session_found(session, found, region);
    else
        edge_session_close(session, EDGE_CLOSE_LATER, "too many wait for the directory");
}

static int session_name(struct edge_session *session, struct text user, struct text device)
{
    char *names = malloc(user.size + device.size + 1);
    if (names == NULL)
        return -ENOMEM;
    memcpy(names, user.data, user.size);
    if (device.size > 0)
        memcpy(names + user.size, device.data, device.size);
    free(session->names);
    session->names = names;
    session->attach.user = names;
    session->attach.user_size = (uint8_t)user.size;
    session->attach.device = names + user.size;
    session->attach.device_size = (uint8_t)device.size;
    return 0;
}

void edge_session_identify(struct edge_session *session, const struct edge_hello *hello)
{
    if (session_name(session, hello->user, hello->device) != 0) {
        edge_session_close(session, EDGE_CLOSE_LATER, "memory is short");
        return;
    }
    session->attach.flags = hello->flags;
    session->attach.epoch = hello->epoch;
    session->attach.next = hello->seq + 1;
    session_find(session);
}

static uint8_t home_of(const struct edge_session *session)
{
    struct edge_places places;
    edge_places_init(&places, session->sessions->settings.catalogue);
    return (uint8_t)edge_places_at(&places, session->attach.place).region;
}

const char *edge_session_home(const struct edge_session *session)
{
    return session->sessions->settings.catalogue->regions[home_of(session)].name;
}

/* What the owner says. */

static struct edge_session *session_of_attach(struct edge_attach *attach)
{
    return container_of(attach, struct edge_session, attach);
}

static void on_attached(struct edge_attach *attach, const struct wire_attached *attached,
                        bool again, bool resync)
{
    struct edge_session *session = session_of_attach(attach);
    (void)again;
    session->state = EDGE_SESSION_OPEN;
    if (!session->welcomed) {
        session->welcomed = true;
        int64_t heartbeat = session->sessions->settings.edge->heartbeat_ms;
        uint16_t spread; /* so that clients that came together are not pinged together */
        hash_random(&spread, sizeof spread);
        look_in(session, heartbeat / 2 + heartbeat / 2 * spread / UINT16_MAX);
        if (session->dialect->on_welcome != NULL)
            session->dialect->on_welcome(session, attached);
    } else if (session->home != home_of(session) && session->dialect->on_moved != NULL) {
        session->dialect->on_moved(session);
    }
    session->home = home_of(session);
    if (resync && session->dialect->on_resync != NULL)
        session->dialect->on_resync(session);
    /* Should the home move, what was written is where it goes on. */
    attach->flags |= WIRE_ATTACH_HAS_CURSOR;
}

static void on_deliver(struct edge_attach *attach, const struct wire_deliver *deliver)
{
    struct edge_session *session = session_of_attach(attach);
    session->active_ms = now_of(session->sessions);
    session->dialect->on_deliver(session, deliver);
}

static void on_confirmed(struct edge_attach *attach)
{
    struct edge_session *session = session_of_attach(attach);
    if (session->dialect->on_confirmed != NULL)
        session->dialect->on_confirmed(session);
}

static void on_gap(struct edge_attach *attach, const struct wire_gap *gap)
{
    struct edge_session *session = session_of_attach(attach);
    if (session->dialect->on_gap != NULL)
        session->dialect->on_gap(session, gap);
}

static void on_lost(struct edge_attach *attach, enum edge_lost lost)
{
    struct edge_session *session = session_of_attach(attach);
    if (lost == EDGE_LOST_NOT_HOME) {
        const bool was_open = session->state == EDGE_SESSION_OPEN;
        homes_forget(session->sessions->settings.directory, edge_session_user(session));
        session->state = EDGE_SESSION_FINDING;
        if (was_open)
            session_find(session);
        else
            look_in(session, FIND_AGAIN_MS); /* not at once: a mirror may need a moment */
        return;
    }
    static const char *const reasons[] = {
        [EDGE_LOST_REPLACED] = "replaced by a newer connection of this device",
        [EDGE_LOST_REFUSED] = "refused",
        [EDGE_LOST_DROPPED] = "device dropped",
    };
    if (lost == EDGE_LOST_DROPPED && session->dialect->on_dropped != NULL)
        session->dialect->on_dropped(session);
    edge_session_close(session, EDGE_CLOSE_NEVER, reasons[lost]);
}

static void session_doubted(struct edge_session *session, enum homes_found found, size_t region)
{
    if (found == HOMES_FOUND && region != home_of(session) &&
        session->attach.state != EDGE_DETACHED)
        edge_home_lose(session->sessions->settings.home, &session->attach);
}

static void on_home_doubted(struct homes_lookup *lookup, enum homes_found found, size_t region)
{
    struct finding *finding = container_of(lookup, struct finding, lookup);
    struct edge_session *session = finding->session;
    free(finding);
    session->finding = NULL;
    session_doubted(session, found, region);
}

static void on_doubt(struct edge_attach *attach)
{
    struct edge_session *session = session_of_attach(attach);
    struct homes *directory = session->sessions->settings.directory;
    enum homes_found found;
    size_t region;
    struct finding *finding = session->finding != NULL ? NULL : calloc(1, sizeof *finding);
    if (finding == NULL)
        return; /* the next time */
    session->finding = finding;
    finding->session = session;
    finding->lookup.on_found = on_home_doubted;
    homes_forget(directory, edge_session_user(session)); /* what was told may have been missed */
    int err = homes_find(directory, edge_session_user(session), &finding->lookup, &found, &region);
    if (err == -EINPROGRESS)
        return;
    finding_end(session);
    if (err == 0)
        session_doubted(session, found, region);
}

static void on_reachable(struct edge_attach *attach, bool reachable)
{
    struct edge_session *session = session_of_attach(attach);
    if (session->dialect->on_reachable != NULL)
        session->dialect->on_reachable(session, reachable);
}

static const struct edge_attach_ops attach_ops = {
    .on_attached = on_attached,
    .on_deliver = on_deliver,
    .on_confirmed = on_confirmed,
    .on_gap = on_gap,
    .on_lost = on_lost,
    .on_reachable = on_reachable,
    .on_doubt = on_doubt,
};

/* What the client says. */

static bool on_ws_event(void *context, const struct edge_ws_event *event)
{
    struct edge_session *session = context;
    struct buffer *out;
    switch (event->opcode) {
    case EDGE_WS_TEXT:
        session->dialect->on_text(
            session, (struct text){.data = (const char *)event->data, .size = event->size});
        break;
    case EDGE_WS_PING:
        out = edge_stream_output(&session->stream);
        if (out != NULL && session->state < EDGE_SESSION_CLOSING)
            edge_ws_write(out, EDGE_WS_PONG, event->data, event->size);
        break;
    case EDGE_WS_PONG:
        break;
    case EDGE_WS_CLOSE:
        edge_session_close(session, event->code, "");
        break;
    default:
        edge_session_close(session, EDGE_CLOSE_UNSUPPORTED, "text frames only");
        break;
    }
    return session->state < EDGE_SESSION_CLOSING;
}

static const char *reason_of(int code)
{
    switch (code) {
    case EDGE_CLOSE_TOO_BIG:
        return "the message is larger than this edge takes";
    case EDGE_CLOSE_NOT_UTF8:
        return "the text is no UTF-8";
    default:
        return "the frame breaks RFC 6455";
    }
}

static void session_take(struct edge_session *session, uint8_t *bytes, size_t size)
{
    struct edge_sessions *sessions = session->sessions;
    if (session->state >= EDGE_SESSION_CLOSING)
        return; /* thrown away; the end of the stream is what is waited for */
    session->heard_ms = now_of(sessions);
    session->pinged = false;
    int code = edge_ws_feed(&session->ws, bytes, size, sessions->settings.edge->message_max,
                            on_ws_event, session);
    if (code > 0)
        edge_session_close(session, (uint16_t)code, reason_of(code));
    else if (code < 0)
        edge_session_close(session, EDGE_CLOSE_LATER, "memory is short");
}

static struct edge_session *session_of_stream(struct edge_stream *stream)
{
    return container_of(stream, struct edge_session, stream);
}

static void on_bytes(struct edge_stream *stream, uint8_t *bytes, size_t size)
{
    session_take(session_of_stream(stream), bytes, size);
}

static void on_flushed(struct edge_stream *stream)
{
    struct edge_session *session = session_of_stream(stream);
    if (session->state < EDGE_SESSION_CLOSING && session->dialect->on_flushed != NULL)
        session->dialect->on_flushed(session);
}

/* What it has not taken is in its mailbox: all but the frame that is half out is dropped, so that a
 * client that reads again soon learns why. */
static void session_close_slow(struct edge_session *session, int error)
{
    static struct log_limit limit;
    log_limited(&limit, LOG_LEVEL_INFO, "a client reads too slowly and is closed",
                LOG_TEXT("user", edge_session_user(session)),
                LOG_U64("pending", edge_stream_pending(&session->stream)), LOG_ERRNO(error));
    edge_stream_cut(&session->stream);
    edge_session_close(session, EDGE_CLOSE_RECONNECT, "output was not taken in time");
}

static void on_end(struct edge_stream *stream, int error)
{
    struct edge_session *session = session_of_stream(stream);
    if ((error == -ENOBUFS || error == -ETIMEDOUT) && session->state < EDGE_SESSION_CLOSING)
        session_close_slow(session, error);
    else
        session_end(session);
}

static const struct edge_stream_ops stream_ops = {
    .on_bytes = on_bytes,
    .frame_size = edge_ws_frame_size,
    .on_flushed = on_flushed,
    .on_end = on_end,
};

/* All of them. */

struct edge_sessions *edge_sessions_new(const struct edge_sessions_settings *settings)
{
    struct edge_sessions *sessions = calloc(1, sizeof *sessions);
    if (sessions == NULL)
        return NULL;
    sessions->settings = *settings;
    sessions->bury.on_later = on_bury;
    list_init(&sessions->dead);
    edge_wheel_init(&sessions->wheel, loop_now_ms(settings->loop));
    sessions->streams = edge_streams_new(
        settings->loop,
        &(struct edge_streams_settings){.pending_max = settings->edge->pending_max,
                                        .progress_ms = settings->edge->progress_ms});
    if (sessions->streams == NULL) {
        edge_sessions_free(sessions);
        return NULL;
    }
    return sessions;
}

/* Calls for each session that is not dead. */
static void sessions_each(struct edge_sessions *sessions,
                          void (*call)(struct edge_session *session, const void *context),
                          const void *context)
{
    struct list all;
    list_init(&all);
    for (size_t i = 0; i < EDGE_WHEEL_SLOTS; i++)
        for (struct list *node; (node = list_pop(&sessions->wheel.slots[i])) != NULL;)
            list_push(&all, node);
    for (struct list *node; (node = list_pop(&all)) != NULL;) {
        struct edge_session *session = container_of(node, struct edge_session, wheel);
        bool closing = session->state == EDGE_SESSION_CLOSING;
        look_in(session, closing ? sessions->settings.edge->close_ms : 0);
        call(session, context);
    }
}

static void call_end(struct edge_session *session, const void *context)
{
    (void)context;
    session_end(session);
}

void edge_sessions_free(struct edge_sessions *sessions)
{
    if (sessions == NULL)
        return;
    if (sessions->streams != NULL)
        sessions_each(sessions, call_end, NULL);
    loop_later_cancel(&sessions->bury);
    on_bury(&sessions->bury);
    edge_streams_free(sessions->streams);
    buffer_free(&sessions->scratch);
    free(sessions);
}

size_t edge_sessions_count(const struct edge_sessions *sessions)
{
    return sessions->count;
}

/* Of the path, else of the token, else the one of all plain clients without. */
static struct text plain_device(const struct edge_session *session, struct text device)
{
    if (device.size == 0 && session->token != NULL)
        device = edge_token_device(session->token);
    return device.size > 0 ? device : TEXT("plain");
}

static void session_begin(struct edge_session *session, const struct edge_upgrade *upgrade)
{
    struct edge_sessions *sessions = session->sessions;
    session->token = upgrade->token;
    look_in(session, sessions->settings.edge->hello_timeout_ms);
    if (upgrade->v1) {
        session->dialect = &edge_v1_dialect;
        if (upgrade->unauthorized)
            edge_session_refuse(session);
        else if (upgrade->user.size > 0 &&
                 session_name(session, upgrade->user, upgrade->device) != 0)
            session_end(session);
        return;
    }
    session->dialect = &edge_plain_dialect;
    edge_session_identify(session,
                          &(struct edge_hello){.user = upgrade->user,
                                               .device = plain_device(session, upgrade->device)});
}

void edge_sessions_open(struct edge_sessions *sessions, const struct edge_upgrade *upgrade, int fd,
                        uint8_t *bytes, size_t size)
{
    struct edge_session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        close(fd);
        free(upgrade->token);
        return;
    }
    session->sessions = sessions;
    session->attach.ops = &attach_ops;
    session->sender.on_outcome = on_outcome;
    edge_sender_init(&session->sender);
    session->begun_ms = session->heard_ms = session->active_ms = now_of(sessions);
    if (edge_stream_open(sessions->streams, &session->stream, fd, &stream_ops) != 0) {
        free(upgrade->token);
        free(session);
        return;
    }
    sessions->count++;
    session_begin(session, upgrade);
    if (size > 0)
        session_take(session, bytes, size);
}

static void session_ping(struct edge_session *session)
{
    struct buffer *out = edge_stream_output(&session->stream);
    if (out != NULL)
        edge_ws_write(out, EDGE_WS_PING, NULL, 0);
    session->pinged = true;
}

static void session_look_open(struct edge_session *session)
{
    const struct edge_settings *edge = session->sessions->settings.edge;
    uint32_t now = now_of(session->sessions);
    if (session->stream.paused) /* signs of life are not read */
        session->heard_ms = now;
    if (edge->idle_ms > 0 && now - session->active_ms >= edge->idle_ms) {
        edge_session_close(session, EDGE_CLOSE_LATER, "idle");
        return;
    }
    uint32_t silent_ms = now - session->heard_ms;
    if (session->pinged && silent_ms >= 2 * edge->heartbeat_ms) {
        session_end(session); /* nobody is there to read a close frame */
        return;
    }
    if (silent_ms >= edge->heartbeat_ms - EDGE_WHEEL_TICK_MS)
        session_ping(session);
    int64_t next_ms =
        session->pinged ? 2 * edge->heartbeat_ms - silent_ms : edge->heartbeat_ms - silent_ms;
    if (next_ms > edge->heartbeat_ms)
        next_ms = edge->heartbeat_ms;
    int64_t idle_ms = edge->idle_ms - (now - session->active_ms);
    look_in(session, edge->idle_ms > 0 && idle_ms < next_ms ? idle_ms : next_ms);
}

static void session_look(struct edge_session *session)
{
    uint32_t age_ms = now_of(session->sessions) - session->begun_ms;
    int64_t hello_ms = session->sessions->settings.edge->hello_timeout_ms;
    if (session->state < EDGE_SESSION_CLOSING && edge_admit_look(session))
        return;
    switch ((enum edge_session_state)session->state) {
    case EDGE_SESSION_HELLO:
        if (age_ms < hello_ms) {
            look_in(session, hello_ms - age_ms);
            break;
        }
        if (session->dialect->on_no_hello != NULL)
            session->dialect->on_no_hello(session);
        edge_session_close(session, EDGE_CLOSE_POLICY, "no hello came in time");
        break;
    case EDGE_SESSION_FINDING:
        if (age_ms >= FIND_MAX_MS && !session->welcomed)
            edge_session_close(session, EDGE_CLOSE_LATER, "the directory is unsure");
        else if (session->finding == NULL)
            session_find(session);
        else
            look_in(session, FIND_AGAIN_MS);
        break;
    case EDGE_SESSION_ATTACHING:
    case EDGE_SESSION_OPEN:
        session_look_open(session);
        break;
    case EDGE_SESSION_CLOSING:
    case EDGE_SESSION_DEAD:
        session_end(session);
        break;
    }
}

void edge_sessions_tick(struct edge_sessions *sessions, int64_t now_ms)
{
    edge_streams_tick(sessions->streams, now_ms);
    for (struct list *node; (node = edge_wheel_next(&sessions->wheel, now_ms)) != NULL;) {
        struct edge_session *session = container_of(node, struct edge_session, wheel);
        look_in(session, EDGE_WHEEL_TICK_MS); /* a session is always in the wheel */
        session_look(session);
    }
}

struct leaving {
    const char *reason;
    int64_t reconnect_ms;
    uint16_t code;
};

static void call_goaway(struct edge_session *session, const void *context)
{
    const struct leaving *leaving = context;
    if (session->state < EDGE_SESSION_CLOSING && session->dialect->on_goaway != NULL)
        session->dialect->on_goaway(session, leaving->reason, leaving->reconnect_ms);
}

void edge_sessions_goaway(struct edge_sessions *sessions, const char *reason, int64_t reconnect_ms)
{
    struct leaving leaving = {.reason = reason, .reconnect_ms = reconnect_ms};
    sessions_each(sessions, call_goaway, &leaving);
}

static void call_close(struct edge_session *session, const void *context)
{
    const struct leaving *leaving = context;
    edge_session_close(session, leaving->code, leaving->reason);
}

void edge_sessions_close_all(struct edge_sessions *sessions, uint16_t code, const char *reason)
{
    struct leaving leaving = {.reason = reason, .code = code};
    sessions_each(sessions, call_close, &leaving);
}
