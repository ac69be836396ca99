/* POST /api/messages: one letter, or an array of them. Each has a sender of its own until its
 * outcome is known; what one of them lacks does not stop the others. */
#include "edge/edge_api_internal.h"

#include "edge/edge_plain.h"
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_OF_ARRAY_MAX = TEXT_MESSAGE_ID_MAX - 4 }; /* ".255" goes behind it */

struct post_item {
    struct post *post;
    struct edge_sender sender;
    bool decided;
    bool sent;                   /* when it is decided; else... */
    struct edge_refusal refusal; /* ...why not */
    char id[TEXT_MESSAGE_ID_MAX + 1];
};

struct post {
    struct list link; /* the first member, by which edge_api.c frees it */
    struct edge_api *api;
    struct edge_request *request; /* NULL when it has gone */
    struct edge_request_owner owner;
    int64_t due_ms;
    bool array;
    size_t count;
    size_t left; /* not decided */
    struct post_item items[];
};

/* --- the answer --- */

static void post_end(struct post *post)
{
    if (post->request != NULL)
        edge_request_own(post->request, NULL);
    for (size_t i = 0; i < post->count; i++)
        edge_sender_done(&post->items[i].sender);
    list_remove(&post->link);
    list_push(&post->api->ended, &post->link);
    loop_later(post->api->settings.loop, &post->api->later);
}

static void write_item(struct buffer *json, const struct post_item *item)
{
    if (!item->sent) {
        edge_refusal_write(json, &item->refusal);
        return;
    }
    buffer_append_text(json, TEXT("{\"status\":\"sent\",\"id\":"));
    json_write_string(json, text_of(item->id));
    buffer_append_text(json, TEXT("}"));
}

/* An array says of each what its own answer would, and is 207 where they differ from "sent". */
static void write_items(const struct post *post, struct buffer *json, struct edge_answer *ret)
{
    buffer_append_text(json, TEXT("["));
    for (size_t i = 0; i < post->count; i++) {
        const struct post_item *item = &post->items[i];
        if (i > 0)
            buffer_append_text(json, TEXT(","));
        write_item(json, item);
        if (item->sent)
            continue;
        ret->status = 207;
        if (item->refusal.retry_after_ms > ret->retry_after_ms)
            ret->retry_after_ms = item->refusal.retry_after_ms;
    }
    buffer_append_text(json, TEXT("]"));
}

static void post_answer(struct post *post)
{
    struct edge_request *request = post->request;
    const struct post_item *first = &post->items[0];
    struct edge_answer answer = {.status = 202};
    struct buffer json = {0};
    post_end(post); /* its memory stays until the end of the turn */
    if (!post->array && first->refusal.status == 401) {
        edge_request_unauthorized(request);
        return;
    }
    if (!post->array && !first->sent) {
        edge_request_refuse_as(request, &first->refusal);
        return;
    }
    if (post->array)
        write_items(post, &json, &answer);
    else
        write_item(&json, first);
    answer.json = buffer_text(&json);
    edge_request_answer(request, &answer);
    buffer_free(&json);
}

static void item_decided(struct post_item *item)
{
    item->decided = true;
    if (--item->post->left == 0)
        post_answer(item->post);
}

static void item_refused(struct post_item *item, struct edge_refusal refusal)
{
    item->refusal = refusal;
    item->refusal.outcome = "rejected";
    item->refusal.id = text_of(item->id);
    item_decided(item);
}

static void on_item_outcome(struct edge_sender *sender, const struct edge_outcome *outcome)
{
    struct post_item *item = container_of(sender, struct post_item, sender);
    item->sent = outcome->code == EDGE_ACCEPTED;
    item->refusal = edge_refusal_of_message(outcome->code, text_of(item->id));
    item_decided(item);
}

/* What was not heard of is answered as unknown. */
static void post_due(struct post *post)
{
    for (size_t i = 0; i < post->count; i++)
        if (!post->items[i].decided)
            post->items[i].refusal = edge_refusal_unknown(text_of(post->items[i].id));
    post_answer(post);
}

static void on_post_gone(struct edge_request_owner *owner, bool written)
{
    struct post *post = container_of(owner, struct post, owner);
    (void)written;
    post->request = NULL; /* the messages themselves go their way */
    post_end(post);
}

/* --- the messages --- */

/* The draft of the header has the key in quotes; many send it without. NULL, or what is wrong. */
static const char *read_key(const struct edge_request *request, bool array, struct text *ret_key)
{
    struct text key = text_trim(edge_request_header(request, "idempotency-key"));
    *ret_key = TEXT("");
    if (key.size == 0)
        return NULL;
    if (key.size > 2 && key.data[0] == '"' && key.data[key.size - 1] == '"')
        key = (struct text){.data = key.data + 1, .size = key.size - 2};
    if (!text_is_message_id(key))
        return "Idempotency-Key is not 1 to 64 printable ASCII characters";
    if (array && key.size > KEY_OF_ARRAY_MAX)
        return "Idempotency-Key of an array is not 1 to 60 printable ASCII characters";
    *ret_key = key;
    return NULL;
}

/* NULL, or what is wrong. */
static const char *choose_id(struct post_item *item, const struct edge_plain_object *object,
                             struct text key)
{
    const struct post *post = item->post;
    if (object->id.size > 0)
        (void)!text_put(item->id, sizeof item->id, object->id);
    else if (key.size > 0 && post->array)
        (void)snprintf(item->id, sizeof item->id, "%.*s.%zu", TEXT_ARGS(key),
                       (size_t)(item - post->items));
    else if (key.size > 0)
        (void)!text_put(item->id, sizeof item->id, key);
    else
        edge_plain_make_id(item->id);
    bool differ = !post->array && key.size > 0 && !text_equal(text_of(item->id), key);
    return differ ? "id and Idempotency-Key differ" : NULL;
}

/* Of the token, copied, for the request may be over before the letter is. */
static struct text sender_of(const struct edge_token *token, struct edge_plain_object *object)
{
    if (token == NULL)
        return object->sender.size > 0 ? object->sender : TEXT("anonymous");
    struct text user = edge_token_user(token);
    memcpy(object->sender_room, user.data, user.size);
    return (struct text){.data = object->sender_room, .size = user.size};
}

/* False: it is refused, and told when to come again. Who names no sender has but its address. */
static bool may_send(struct post_item *item, const struct edge_token *token,
                     const struct edge_plain_object *object)
{
    struct edge_api *api = item->post->api;
    const struct edge_limits_who who = {.user =
                                            token != NULL ? edge_token_user(token) : object->sender,
                                        .client = edge_request_client(item->post->request),
                                        .service = token != NULL && token->service};
    uint32_t again_ms = edge_limits_send(api->settings.limits, &who, edge_api_now(api)).again_ms;
    if (again_ms == 0)
        return true;
    struct edge_refusal refusal = edge_refusal_of_message(EDGE_RATE_LIMITED, TEXT(""));
    refusal.retry_after_ms = again_ms;
    item_refused(item, refusal);
    return false;
}

static void post_send(struct post_item *item, struct text json, struct text key)
{
    const struct edge_api_settings *settings = &item->post->api->settings;
    const struct edge_token *token = edge_request_token(item->post->request);
    struct edge_plain_object object;
    const char *wrong = edge_plain_read(json, true, &object);
    if (wrong == NULL)
        wrong = choose_id(item, &object, key);
    if (wrong != NULL) {
        item_refused(item, edge_refusal(400, "bad_request", wrong));
        return;
    }
    if (object.raw.size > settings->edge->body_max) {
        item_refused(item, edge_refusal_of_message(EDGE_TOO_LARGE, TEXT("")));
        return;
    }
    if (edge_auth_fit(settings->auth, token, object.sender, TEXT("")) != 0) {
        item_refused(item, edge_refusal(401, EDGE_AUTH_CODE, EDGE_AUTH_MESSAGE));
        return;
    }
    if (!may_send(item, token, &object))
        return;
    struct edge_letter letter = {.flags = WIRE_FLAG_PLAIN,
                                 .sender = sender_of(token, &object),
                                 .device = TEXT(""),
                                 .id = text_of(item->id),
                                 .body = object.raw,
                                 .recipients = &object.recipient,
                                 .recipient_count = 1};
    edge_dispatch_send(settings->dispatch, &item->sender, &letter);
}

static struct post *post_new(struct edge_api *api, struct edge_request *request, size_t count)
{
    struct post *post = calloc(1, sizeof *post + count * sizeof post->items[0]);
    if (post == NULL)
        return NULL;
    post->api = api;
    post->request = request;
    post->owner.on_gone = on_post_gone;
    post->due_ms = edge_api_now(api) + api->settings.edge->answer_ms;
    post->count = count;
    post->left = count;
    for (size_t i = 0; i < count; i++) {
        post->items[i].post = post;
        post->items[i].sender.on_outcome = on_item_outcome;
        edge_sender_init(&post->items[i].sender);
    }
    edge_request_own(request, &post->owner);
    list_push(&api->posts, &post->link);
    return post;
}

/* -EBADMSG and the like: no array. */
static int count_items(struct text array, size_t *ret_count)
{
    struct json_reader reader;
    struct json_value value;
    int more = json_array_open(&reader, array);
    if (more != 0)
        return more;
    *ret_count = 0;
    while ((more = json_array_next(&reader, &value)) == 1)
        ++*ret_count;
    return more;
}

static void post_array(struct edge_api *api, struct edge_request *request, struct text body,
                       struct text key)
{
    struct json_reader reader;
    struct json_value value;
    size_t count;
    if (count_items(body, &count) != 0 || count == 0) {
        edge_request_refuse(request, 400, "bad_request", "not an array of one message or more");
        return;
    }
    if (count > api->settings.edge->post_messages_max) {
        edge_request_refuse(request, 413, "too_large",
                            "more messages than this edge takes at once");
        return;
    }
    struct post *post = post_new(api, request, count);
    if (post == NULL) {
        edge_request_refuse(request, 503, "busy", "memory is short");
        return;
    }
    post->array = true;
    (void)!json_array_open(&reader, body); /* it was read once */
    for (size_t i = 0; i < count && json_array_next(&reader, &value) == 1; i++)
        post_send(&post->items[i], value.raw, key);
}

static void post_one(struct edge_api *api, struct edge_request *request, struct text body,
                     struct text key)
{
    struct post *post = post_new(api, request, 1);
    if (post == NULL)
        edge_request_refuse(request, 503, "busy", "memory is short");
    else
        post_send(&post->items[0], body, key);
}

static bool is_array(struct text body)
{
    size_t at = 0;
    while (at < body.size && strchr(" \t\r\n", body.data[at]) != NULL && body.data[at] != '\0')
        at++;
    return at < body.size && body.data[at] == '[';
}

void edge_api_post(struct edge_api *api, struct edge_request *request, struct text body)
{
    struct text key;
    bool array = is_array(body);
    const char *wrong = read_key(request, array, &key);
    if (wrong != NULL)
        edge_request_refuse(request, 400, "bad_request", wrong);
    else if (array)
        post_array(api, request, body, key);
    else
        post_one(api, request, body, key);
}

/* --- time --- */

void edge_api_end_posts(struct edge_api *api)
{
    list_each(node, &api->posts) post_due(container_of(node, struct post, link));
}

void edge_api_tick_posts(struct edge_api *api, int64_t now_ms)
{
    list_each(node, &api->posts)
    {
        struct post *post = container_of(node, struct post, link);
        if (now_ms < post->due_ms)
            break; /* the oldest come first */
        post_due(post);
    }
}
