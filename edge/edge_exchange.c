#include "edge/edge_exchange_internal.h"

#include "edge/edge_v1.h"

#include <stdlib.h>

/* Begin. */

static void on_gone(struct edge_request_owner *owner, bool written)
{
    struct edge_exchange *exchange = container_of(owner, struct edge_exchange, owner);
    (void)written;
    exchange->request = NULL;
    edge_session_end(exchange->session);
}

static void look(struct edge_exchange *exchange)
{
    if (exchange->session->state < EDGE_SESSION_CLOSING)
        exchange->kind->look(exchange);
}

static void on_look(struct loop_later *later)
{
    look(container_of(later, struct edge_exchange, look));
}

static void on_time(struct loop_timer *timer)
{
    look(container_of(timer, struct edge_exchange, timer));
}

static struct edge_exchange *exchange_new(struct edge_sessions *sessions,
                                          const struct edge_upgrade *who)
{
    struct edge_exchange *exchange = calloc(1, sizeof *exchange);
    struct edge_session *session =
        exchange == NULL ? NULL : edge_session_new(sessions, &edge_v1_dialect);
    if (session == NULL) {
        free(exchange);
        return NULL;
    }
    exchange->session = session;
    exchange->owner.on_gone = on_gone;
    exchange->look.on_later = on_look;
    exchange->timer.on_due = on_time;
    session->exchange = exchange;
    session->framing = &edge_framing_array;
    session->client = who->client;
    session->token = who->token;
    edge_session_look_again(session); /* what its token asks for */
    return exchange;
}

static void refuse(struct edge_request *request, const struct edge_upgrade *who, int status,
                   const char *code, const char *message)
{
    free(who->token);
    edge_request_refuse(request, status, code, message);
}

void edge_exchange_open(struct edge_sessions *sessions, struct edge_request *request,
                        const struct edge_upgrade *who, const struct text *body)
{
    const struct edge_settings *edge = sessions->settings.edge;
    const bool is_poll = body == NULL;
    if (is_poll && sessions->polls >= edge->polls_max) {
        refuse(request, who, 503, "busy", "too many calls wait for messages");
        return;
    }
    struct edge_exchange *exchange = exchange_new(sessions, who);
    if (exchange == NULL) {
        refuse(request, who, 503, "busy", "memory is short");
        return;
    }
    exchange->kind = is_poll ? &edge_exchange_poll : &edge_exchange_frames;
    if (!is_poll) {
        struct edge_refusal refusal;
        exchange->frames = edge_frames_new(exchange, *body, edge->frames_max, &refusal);
        if (exchange->frames == NULL) {
            edge_request_refuse(request, refusal.status, refusal.code, refusal.message);
            edge_session_end(exchange->session);
            return;
        }
    }
    sessions->polls += is_poll;
    exchange->request = request;
    edge_request_own(request, &exchange->owner);
    exchange->kind->begin(exchange, who);
}

/* End. */

void edge_exchange_leave(struct edge_exchange *exchange)
{
    struct loop *loop = exchange->session->sessions->settings.loop;
    loop_timer_stop(loop, &exchange->timer);
    loop_later_cancel(&exchange->look);
    if (exchange->frames != NULL)
        edge_frames_leave(exchange->frames);
}

void edge_exchange_answer(struct edge_exchange *exchange)
{
    struct edge_request *request = exchange->request;
    struct buffer json = {0};
    if (request == NULL) {
        edge_session_end(exchange->session);
        return;
    }
    buffer_append_text(&json, TEXT("["));
    if (exchange->frames != NULL)
        edge_frames_write(exchange->frames, &json);
    if (exchange->json.size > 0 && json.size > 1)
        buffer_append_text(&json, TEXT(","));
    buffer_append_text(&json, buffer_text(&exchange->json));
    buffer_append_text(&json, TEXT("]"));
    exchange->answered = true;
    struct edge_answer answer = {.status = 200, .json = buffer_text(&json)};
    /* There was nothing else: who looks at the status alone is told, too. */
    if (exchange->limited > 0 && exchange->limited == edge_frames_count(exchange->frames)) {
        answer.status = 429;
        answer.retry_after_ms = exchange->again_ms;
    }
    if (json.failed || exchange->json.failed)
        edge_request_refuse(request, 503, "busy", "memory is short");
    else
        edge_request_answer(request, &answer);
    buffer_free(&json);
}

void edge_exchange_finish(struct edge_exchange *exchange)
{
    struct edge_session *session = exchange->session;
    edge_session_release(session);
    session->state = EDGE_SESSION_CLOSING;
    edge_exchange_answer(exchange);
}

void edge_exchange_end(struct edge_exchange *exchange)
{
    struct edge_request *request = exchange->request;
    exchange->session->sessions->polls -= exchange->kind == &edge_exchange_poll;
    exchange->request = NULL;
    if (request == NULL)
        return;
    edge_request_own(request, NULL);
    if (!exchange->answered)
        edge_request_refuse(request, 503, "not_ready", "this edge stops");
}

void edge_exchange_free(struct edge_exchange *exchange)
{
    if (exchange == NULL)
        return;
    edge_frames_free(exchange->frames);
    buffer_free(&exchange->json);
    free(exchange);
}

/* What goes on. */

struct buffer *edge_exchange_output(struct edge_exchange *exchange)
{
    struct buffer *out = exchange->frames == NULL ? NULL : edge_frames_output(exchange->frames);
    return out == NULL ? &exchange->json : out;
}

void edge_exchange_look_later(struct edge_exchange *exchange)
{
    if (exchange->session->state < EDGE_SESSION_CLOSING)
        loop_later(exchange->session->sessions->settings.loop, &exchange->look);
}

void edge_exchange_look_in(struct edge_exchange *exchange, int64_t delay_ms)
{
    loop_timer_set(exchange->session->sessions->settings.loop, &exchange->timer, delay_ms);
}

void edge_exchange_sends(struct edge_exchange *exchange, size_t recipients)
{
    if (exchange != NULL && exchange->frames != NULL)
        edge_frames_sends(exchange->frames, recipients);
}

void edge_exchange_limited(struct edge_exchange *exchange, uint32_t again_ms)
{
    if (exchange == NULL)
        return;
    exchange->limited++;
    exchange->again_ms = again_ms;
}

void edge_exchange_outcome(struct edge_exchange *exchange, struct text id)
{
    if (exchange == NULL || exchange->frames == NULL)
        return;
    edge_frames_outcome(exchange->frames, id);
    edge_exchange_look_later(exchange);
}

void edge_exchange_page(struct edge_exchange *exchange)
{
    if (exchange == NULL || exchange->frames == NULL)
        return;
    edge_frames_page(exchange->frames);
    edge_exchange_look_later(exchange);
}

void edge_exchange_show(struct edge_exchange *exchange, struct text of, uint32_t epoch,
                        uint64_t seq)
{
    if (exchange->frames != NULL)
        edge_frames_show(exchange->frames, of, epoch, seq);
}
