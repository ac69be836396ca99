/* GET /api/messages/{user}: a device that is attached as long as one call takes. */
#include "edge/edge_api_internal.h"

#include "edge/edge_new_home.h"
#include "edge/edge_plain.h"
#include "edge/edge_url.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LIMIT_DEFAULT = 100,
    BYTES_MAX = 256 * 1024, /* of an answer, about: as much as a device is owed without an ack */
    QUIET_MS = 250,         /* messages that should come and do not */
    ATTACH_MAX_MS = 5000,   /* then the home is unreachable */
    LINGER_MAX_MS = 3000,   /* for the confirmation of what was acknowledged */
};

#define POLL_DEVICE "poll"

enum poll_state {
    POLL_FINDING,
    POLL_ATTACHING,
    POLL_GATHERING,
    POLL_ANSWERED,  /* the answer is on its way into the socket */
    POLL_LINGERING, /* until what was acknowledged is confirmed */
    POLL_ENDED,
};

struct poll {
    struct list link; /* the first member, by which edge_api.c frees it */
    struct edge_api *api;
    struct edge_request *request; /* NULL once it has gone */
    struct edge_request_owner owner;
    struct homes_lookup lookup;
    struct edge_attach attach;
    enum poll_state state;
    uint32_t limit;
    uint32_t count;
    int64_t wait_until_ms; /* for the first message */
    int64_t due_ms;        /* the state ends then */
    uint64_t head;         /* messages up to here are there already */
    uint64_t answered;     /* the seq of the answer's last message */
    bool server_cursor;
    bool resync;
    struct buffer json;                                 /* "[" and the messages so far */
    char names[TEXT_USER_MAX + sizeof POLL_DEVICE - 1]; /* user, then device */
};

static void poll_end(struct poll *poll)
{
    if (poll->state == POLL_ENDED)
        return;
    poll->state = POLL_ENDED;
    if (poll->request != NULL)
        edge_request_own(poll->request, NULL);
    homes_cancel(&poll->lookup);
    edge_home_detach(poll->api->settings.home, &poll->attach);
    poll->api->poll_count--;
    buffer_free(&poll->json);
    list_remove(&poll->link);
    list_push(&poll->api->ended, &poll->link);
    loop_later(poll->api->settings.loop, &poll->api->later);
}

static void poll_refuse(struct poll *poll, int status, const char *code, const char *message)
{
    struct edge_request *request = poll->state < POLL_ANSWERED ? poll->request : NULL;
    poll_end(poll);
    if (request != NULL)
        edge_request_refuse(request, status, code, message);
}

/* From here on the socket has the word: on_poll_gone() says how it went. */
static void poll_answer(struct poll *poll)
{
    char cursor[48];
    (void)snprintf(cursor, sizeof cursor, "%" PRIu32 ":%" PRIu64, poll->attach.epoch,
                   poll->attach.next - 1);
    buffer_append_text(&poll->json, TEXT("]"));
    if (poll->json.failed) {
        poll_refuse(poll, 503, "busy", "memory is short");
        return;
    }
    poll->state = POLL_ANSWERED;
    poll->due_ms = INT64_MAX;
    poll->answered = poll->attach.next - 1;
    edge_request_answer(poll->request, &(struct edge_answer){.status = 200,
                                                             .json = buffer_text(&poll->json),
                                                             .cursor = text_of(cursor),
                                                             .resync = poll->resync});
    buffer_free(&poll->json);
}

static void on_poll_gone(struct edge_request_owner *owner, bool written)
{
    struct poll *poll = container_of(owner, struct poll, owner);
    struct edge_attach *attach = &poll->attach;
    poll->request = NULL;
    bool acknowledges = poll->state == POLL_ANSWERED && written && poll->server_cursor &&
                        attach->state != EDGE_DETACHED && poll->answered > attach->acked;
    if (!acknowledges ||
        edge_home_ack(poll->api->settings.home, attach, attach->epoch, poll->answered) != 0) {
        poll_end(poll);
        return;
    }
    poll->state = POLL_LINGERING;
    poll->due_ms = edge_api_now(poll->api) + LINGER_MAX_MS;
}

static void poll_look(struct poll *poll)
{
    int64_t now_ms = edge_api_now(poll->api);
    if (poll->state != POLL_GATHERING)
        return;
    bool all = poll->attach.next > poll->head;
    if (poll->count >= poll->limit || poll->json.size >= BYTES_MAX || (all && poll->count > 0) ||
        (all && now_ms >= poll->wait_until_ms) || (!all && now_ms >= poll->due_ms))
        poll_answer(poll);
}

static struct poll *poll_of(struct edge_attach *attach)
{
    return container_of(attach, struct poll, attach);
}

static void on_poll_attached(struct edge_attach *attach, const struct wire_attached *attached,
                             bool again, bool resync)
{
    struct poll *poll = poll_of(attach);
    poll->resync = poll->resync || resync;
    if (again || poll->state != POLL_ATTACHING)
        return;
    poll->state = POLL_GATHERING;
    poll->head = attached->head;
    poll->due_ms = edge_api_now(poll->api) + QUIET_MS;
    poll_look(poll);
}

static void on_poll_deliver(struct edge_attach *attach, const struct wire_deliver *deliver)
{
    struct poll *poll = poll_of(attach);
    /* What comes after the answer is not written, so it must not be acknowledged. */
    if (poll->state != POLL_GATHERING)
        return;
    poll->due_ms = edge_api_now(poll->api) + QUIET_MS;
    if ((deliver->flags & WIRE_FLAG_NOTICE) == 0 && deliver->seq != 0) {
        if (poll->count++ > 0)
            buffer_append_text(&poll->json, TEXT(","));
        edge_plain_write(&poll->json, deliver);
    }
    poll_look(poll);
}

static void on_poll_confirmed(struct edge_attach *attach)
{
    struct poll *poll = poll_of(attach);
    if (poll->state == POLL_LINGERING && attach->confirmed >= attach->acked)
        poll_end(poll);
}

static void on_poll_gap(struct edge_attach *attach, const struct wire_gap *gap)
{
    (void)gap;
    poll_look(poll_of(attach));
}

static void on_poll_lost(struct edge_attach *attach, enum edge_lost lost)
{
    struct poll *poll = poll_of(attach);
    if (lost == EDGE_LOST_NOT_HOME)
        homes_forget(poll->api->settings.directory,
                     (struct text){.data = poll->names, .size = attach->user_size});
    if (poll->state == POLL_ANSWERED)
        return; /* it ends with its request */
    if (poll->state == POLL_LINGERING)
        poll_end(poll); /* nobody is left who could say that the ack is confirmed */
    else if (lost == EDGE_LOST_REPLACED && poll->count > 0 && !poll->server_cursor)
        poll_answer(poll);
    else if (lost == EDGE_LOST_REPLACED)
        poll_refuse(poll, 409, "replaced", "a later call reads this mailbox");
    else if (lost == EDGE_LOST_DROPPED)
        poll_refuse(poll, 410, "device_dropped",
                    "this user has more devices than are kept, and this one was idle the longest");
    else if (lost == EDGE_LOST_NOT_HOME)
        poll_refuse(poll, 503, "moved", "the user's home has moved, call again");
    else if (lost == EDGE_LOST_RECONNECT)
        poll_refuse(poll, 503, "disconnected", "this call was ended, call again");
    else if (lost == EDGE_LOST_ENDED)
        poll_refuse(poll, 403, "disconnected", "this call was ended");
    else if (lost == EDGE_LOST_UNAUTHORIZED)
        poll_refuse(poll, 401, EDGE_AUTH_CODE, EDGE_AUTH_MESSAGE);
    else
        poll_refuse(poll, 403, "refused", "the mailbox may not be read");
}

static void on_poll_reachable(struct edge_attach *attach, bool reachable)
{
    struct poll *poll = poll_of(attach);
    if (!reachable && poll->state == POLL_ATTACHING)
        poll_refuse(poll, 503, "home_unreachable", "the user's home region is not reached now");
}

/* The token goes with the answer. */
static struct text token_of_poll(struct edge_attach *attach)
{
    const struct poll *poll = poll_of(attach);
    bool answered = poll->state == POLL_LINGERING || poll->state == POLL_ANSWERED;
    return answered ? TEXT("") : edge_token_raw(edge_request_token(poll->request));
}

static const struct edge_attach_ops poll_attach_ops = {
    .token = token_of_poll,
    .on_attached = on_poll_attached,
    .on_deliver = on_poll_deliver,
    .on_confirmed = on_poll_confirmed,
    .on_gap = on_poll_gap,
    .on_lost = on_poll_lost,
    .on_reachable = on_poll_reachable,
};

static void poll_found(struct poll *poll, enum homes_found found, size_t region)
{
    const struct edge_token *token = edge_request_token(poll->request);
    const struct catalogue_region *home;
    if (found == HOMES_NOT_FOUND &&
        edge_new_home_of_token(poll->api->settings.catalogue, token, &home) != 0) {
        poll_refuse(poll, 403, EDGE_NEW_HOME_CODE, EDGE_NEW_HOME_MESSAGE);
        return;
    }
    if (found != HOMES_FOUND) {
        poll_refuse(poll, 503, "directory_unsure", edge_code_row(EDGE_DIRECTORY_UNSURE)->message);
        return;
    }
    poll->state = POLL_ATTACHING;
    poll->due_ms = edge_api_now(poll->api) + ATTACH_MAX_MS;
    if (edge_home_attach(poll->api->settings.home, &poll->attach, region,
                         edge_api_now(poll->api)) != 0)
        poll_refuse(poll, 503, "busy", "memory is short");
}

static void on_poll_found(struct homes_lookup *lookup, enum homes_found found, size_t region)
{
    poll_found(container_of(lookup, struct poll, lookup), found, region);
}

/* A number of the query within its bounds; `ret` keeps its value when it is not there. */
static int query_number(struct text query, struct text key, uint64_t least, uint64_t most,
                        uint64_t *ret)
{
    struct text value;
    if (!edge_url_query(query, key, &value))
        return 0;
    return text_to_u64(value, most, ret) != 0 || *ret < least ? -EINVAL : 0;
}

/* NULL, or what is wrong. */
static const char *poll_read_query(struct poll *poll, struct text query)
{
    const struct edge_settings *edge = poll->api->settings.edge;
    uint64_t limit =
        edge->poll_messages_max < LIMIT_DEFAULT ? edge->poll_messages_max : LIMIT_DEFAULT;
    uint64_t wait_s = 0;
    char room[64];
    struct text value;
    struct text cursor;
    if (query_number(query, TEXT("limit"), 1, edge->poll_messages_max, &limit) != 0)
        return "limit is no number from 1 to the most allowed";
    if (query_number(query, TEXT("wait"), 0, (uint64_t)edge->poll_wait_max_ms / 1000, &wait_s) != 0)
        return "wait is no number of seconds up to the longest allowed";
    poll->limit = (uint32_t)limit;
    poll->wait_until_ms = edge_api_now(poll->api) + (int64_t)wait_s * 1000;
    poll->server_cursor = !edge_url_query(query, TEXT("after"), &value);
    if (poll->server_cursor)
        return NULL;
    uint64_t seq;
    if (edge_url_decode(value, true, room, sizeof room, &cursor) != 0 ||
        edge_cursor_parse(cursor, &poll->attach.epoch, &seq) != 0)
        return "after is no cursor, epoch:seq";
    poll->attach.next = seq + 1;
    poll->attach.flags = WIRE_ATTACH_HAS_CURSOR;
    return NULL;
}

static struct poll *poll_new(struct edge_api *api, struct edge_request *request, struct text user)
{
    const struct address client = edge_request_client(request);
    struct poll *poll = calloc(1, sizeof *poll);
    if (poll == NULL)
        return NULL;
    poll->api = api;
    poll->request = request;
    poll->owner.on_gone = on_poll_gone;
    poll->lookup.on_found = on_poll_found;
    poll->lookup.claim =
        edge_new_home(api->settings.catalogue, api->settings.near, edge_request_token(request),
                      &client, &poll->lookup.home) == 0;
    memcpy(poll->names, user.data, user.size);
    memcpy(poll->names + user.size, POLL_DEVICE, sizeof POLL_DEVICE - 1);
    poll->attach.ops = &poll_attach_ops;
    poll->attach.names = poll->names;
    poll->attach.user_size = (uint8_t)user.size;
    poll->attach.device_size = sizeof POLL_DEVICE - 1;
    poll->due_ms = INT64_MAX;
    buffer_append_text(&poll->json, TEXT("["));
    edge_request_own(request, &poll->owner);
    list_push(&api->polls, &poll->link);
    api->poll_count++;
    return poll;
}

void edge_api_poll(struct edge_api *api, struct edge_request *request, struct text user,
                   struct text query)
{
    if (edge_auth_fit(api->settings.auth, edge_request_token(request), user, TEXT(POLL_DEVICE)) !=
        0) {
        edge_request_unauthorized(request);
        return;
    }
    struct poll *poll =
        api->poll_count >= api->settings.edge->polls_max ? NULL : poll_new(api, request, user);
    if (poll == NULL) {
        edge_request_refuse(request, 503, "busy", "too many calls wait for messages");
        return;
    }
    const char *wrong = poll_read_query(poll, query);
    if (wrong != NULL) {
        poll_refuse(poll, 400, "bad_request", wrong);
        return;
    }
    enum homes_found found;
    size_t region;
    int err = homes_find(api->settings.directory, user, &poll->lookup, &found, &region);
    if (err == 0)
        poll_found(poll, found, region);
    else if (err != -EINPROGRESS)
        poll_refuse(poll, 503, "busy", "too many wait for the directory");
}

static void poll_tick(struct poll *poll, int64_t now_ms)
{
    switch (poll->state) {
    case POLL_ATTACHING:
        if (now_ms >= poll->due_ms)
            poll_refuse(poll, 503, "home_unreachable", "the mailbox's owner does not answer");
        break;
    case POLL_GATHERING:
        poll_look(poll);
        break;
    case POLL_LINGERING:
        if (now_ms >= poll->due_ms)
            poll_end(poll);
        break;
    default:
        break;
    }
}

void edge_api_end_polls(struct edge_api *api)
{
    list_each(node, &api->polls)
    {
        struct poll *poll = container_of(node, struct poll, link);
        poll_refuse(poll, 503, "not_ready", "this edge stops");
    }
}

void edge_api_tick_polls(struct edge_api *api, int64_t now_ms)
{
    list_each(node, &api->polls) poll_tick(container_of(node, struct poll, link), now_ms);
}

void edge_api_drain(struct edge_api *api)
{
    list_each(node, &api->polls)
    {
        struct poll *poll = container_of(node, struct poll, link);
        if (poll->state == POLL_GATHERING)
            poll_answer(poll);
    }
}

void edge_api_revoked(struct edge_api *api)
{
    list_each(node, &api->polls)
    {
        struct poll *poll = container_of(node, struct poll, link);
        struct edge_request *request = poll->state < POLL_ANSWERED ? poll->request : NULL;
        if (request == NULL ||
            !edge_auth_is_revoked(api->settings.auth, edge_request_token(request),
                                  TEXT(POLL_DEVICE)))
            continue;
        poll_end(poll);
        edge_request_unauthorized(request);
    }
}
