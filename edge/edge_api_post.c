/* POST /api/messages: a letter, and its sender until the outcome is known. */
#include "edge/edge_api_internal.h"

#include "edge/edge_plain.h"
#include "json/json.h"

#include <stdlib.h>
#include <string.h>

struct post {
    struct list link; /* the first member, by which edge_api.c frees it */
    struct edge_api *api;
    struct edge_request *request; /* NULL when it has gone */
    struct edge_request_owner owner;
    struct edge_sender sender;
    int64_t due_ms;
    char id[TEXT_MESSAGE_ID_MAX + 1];
};

static void post_end(struct post *post)
{
    if (post->request != NULL)
        edge_request_own(post->request, NULL);
    edge_sender_done(&post->sender);
    list_remove(&post->link);
    list_push(&post->api->ended, &post->link);
    loop_later(post->api->settings.loop, &post->api->later);
}

static void post_sent(struct post *post)
{
    struct buffer json = {0};
    buffer_append_text(&json, TEXT("{\"status\":\"sent\",\"id\":"));
    json_write_string(&json, text_of(post->id));
    buffer_append_text(&json, TEXT("}"));
    struct edge_request *request = post->request;
    post_end(post);
    edge_request_answer(request, &(struct edge_answer){.status = 202, .json = buffer_text(&json)});
    buffer_free(&json);
}

static void post_refuse(struct post *post, const struct edge_refusal *refusal)
{
    struct edge_request *request = post->request;
    post_end(post);
    edge_request_refuse_as(request, refusal);
}

static void post_unknown(struct post *post)
{
    const struct edge_refusal refusal = edge_refusal_unknown(text_of(post->id));
    post_refuse(post, &refusal);
}

static void on_post_outcome(struct edge_sender *sender, const struct edge_outcome *outcome)
{
    struct post *post = container_of(sender, struct post, sender);
    const struct edge_refusal refusal = edge_refusal_of_message(outcome->code, text_of(post->id));
    if (outcome->code == EDGE_ACCEPTED)
        post_sent(post);
    else
        post_refuse(post, &refusal);
}

static void on_post_gone(struct edge_request_owner *owner, bool written)
{
    struct post *post = container_of(owner, struct post, owner);
    (void)written;
    post->request = NULL; /* the message itself goes its way */
    post_end(post);
}

static struct post *post_new(struct edge_api *api, struct edge_request *request,
                             const struct edge_plain_object *object)
{
    struct post *post = calloc(1, sizeof *post);
    if (post == NULL)
        return NULL;
    post->api = api;
    post->request = request;
    post->owner.on_gone = on_post_gone;
    post->sender.on_outcome = on_post_outcome;
    post->due_ms = edge_api_now(api) + api->settings.edge->answer_ms;
    edge_sender_init(&post->sender);
    if (object->id.size == 0 || text_put(post->id, sizeof post->id, object->id) != 0)
        edge_plain_make_id(post->id);
    edge_request_own(request, &post->owner);
    list_push(&api->posts, &post->link);
    return post;
}

/* Of the token, copied, for the request may be over before the letter is. */
static struct text post_sender(const struct edge_token *token, struct edge_plain_object *object)
{
    if (token == NULL)
        return object->sender.size > 0 ? object->sender : TEXT("anonymous");
    struct text user = edge_token_user(token);
    memcpy(object->sender_room, user.data, user.size);
    return (struct text){.data = object->sender_room, .size = user.size};
}

void edge_api_post(struct edge_api *api, struct edge_request *request, struct text body)
{
    struct edge_plain_object object;
    const char *wrong = edge_plain_read(body, true, &object);
    if (wrong != NULL) {
        edge_request_refuse(request, 400, "bad_request", wrong);
        return;
    }
    if (object.raw.size > api->settings.edge->body_max) {
        edge_request_refuse(request, 413, "too_large", edge_code_row(EDGE_TOO_LARGE)->message);
        return;
    }
    const struct edge_token *token = edge_request_token(request);
    if (edge_auth_fit(api->settings.auth, token, object.sender, TEXT("")) != 0) {
        edge_request_unauthorized(request);
        return;
    }
    struct post *post = post_new(api, request, &object);
    if (post == NULL) {
        edge_request_refuse(request, 503, "busy", "memory is short");
        return;
    }
    struct edge_letter letter = {.flags = WIRE_FLAG_PLAIN,
                                 .sender = post_sender(token, &object),
                                 .device = TEXT(""),
                                 .id = text_of(post->id),
                                 .body = object.raw,
                                 .recipients = &object.recipient,
                                 .recipient_count = 1};
    edge_dispatch_send(api->settings.dispatch, &post->sender, &letter);
}

void edge_api_end_posts(struct edge_api *api)
{
    list_each(node, &api->posts) post_unknown(container_of(node, struct post, link));
}

void edge_api_tick_posts(struct edge_api *api, int64_t now_ms)
{
    list_each(node, &api->posts)
    {
        struct post *post = container_of(node, struct post, link);
        if (now_ms < post->due_ms)
            break; /* the oldest come first */
        post_unknown(post);
    }
}
