/* Polls: see edge_exchange.h. */
#include "edge/edge_exchange_internal.h"

enum {
    BYTES_MAX = 256 * 1024, /* of an answer, about: as much as a device is owed without an ack */
    QUIET_MS = 250,         /* messages that should come and do not */
    ATTACH_MAX_MS = 5000,   /* then the home is unreachable */
};

static void poll_begin(struct edge_exchange *exchange, const struct edge_upgrade *who)
{
    int64_t now_ms = edge_exchange_now(exchange);
    exchange->confirms = (who->attach_flags & WIRE_ATTACH_HAS_CURSOR) != 0;
    exchange->wait_until_ms = now_ms + who->wait_ms;
    edge_exchange_look_in(exchange, ATTACH_MAX_MS);
    edge_session_identify(exchange->session, &(struct edge_hello){.user = who->user,
                                                                  .device = who->device,
                                                                  .flags = who->attach_flags,
                                                                  .epoch = who->epoch,
                                                                  .seq = who->seq});
}

static bool poll_is_done(const struct edge_exchange *exchange, int64_t now_ms)
{
    const struct edge_session *session = exchange->session;
    bool all = session->attach.next > exchange->head;
    if (exchange->got >= session->sessions->settings.edge->poll_messages_max ||
        exchange->json.size >= BYTES_MAX)
        return true;
    if (all)
        return exchange->got > 0 || now_ms >= exchange->wait_until_ms;
    return now_ms >= exchange->quiet_ms;
}

static void poll_look(struct edge_exchange *exchange)
{
    struct edge_session *session = exchange->session;
    int64_t now_ms = edge_exchange_now(exchange);
    if (!session->welcomed) {
        if (!loop_timer_is_set(&exchange->timer))
            edge_session_close(session, EDGE_CLOSE_LATER, "the user's home region is not reached");
        return;
    }
    if (poll_is_done(exchange, now_ms)) {
        edge_exchange_finish(exchange);
        return;
    }
    bool all = session->attach.next > exchange->head;
    int64_t due_ms = all ? exchange->wait_until_ms : exchange->quiet_ms;
    edge_exchange_look_in(exchange, due_ms > now_ms ? due_ms - now_ms : 0);
}

void edge_exchange_attached(struct edge_exchange *exchange, const struct wire_attached *attached,
                            bool again, bool resync)
{
    if (exchange == NULL)
        return;
    struct edge_session *session = exchange->session;
    struct edge_attach *attach = &session->attach;
    if (session->state != EDGE_SESSION_OPEN)
        return;
    exchange->head = attached->head;
    exchange->quiet_ms = edge_exchange_now(exchange) + QUIET_MS;
    if (exchange->confirms && !again && !resync)
        (void)!edge_home_ack(session->sessions->settings.home, attach, attach->epoch,
                             attach->next - 1);
    exchange->confirms = false; /* what was said then, and nothing that comes later */
    edge_exchange_look_later(exchange);
}

void edge_exchange_got(struct edge_exchange *exchange)
{
    if (exchange == NULL)
        return;
    exchange->got++;
    exchange->quiet_ms = edge_exchange_now(exchange) + QUIET_MS;
    edge_exchange_look_later(exchange);
}

void edge_exchange_hurry(struct edge_exchange *exchange)
{
    if (exchange == NULL || exchange->frames != NULL)
        return;
    exchange->wait_until_ms = exchange->quiet_ms = 0;
    if (exchange->session->welcomed)
        edge_exchange_look_later(exchange);
    else
        edge_session_close(exchange->session, EDGE_CLOSE_RECONNECT, "this edge stops");
}

const struct edge_exchange_kind edge_exchange_poll = {.begin = poll_begin, .look = poll_look};
