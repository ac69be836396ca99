#include "edge/edge_recalls.h"

#include "edge/edge_outcome.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct edge_recalls {
    struct edge_recalls_settings settings;
    struct list waiting;
    struct list ended; /* freed at the end of the turn */
    struct loop_later later;
};

struct recall {
    struct list link;
    struct edge_recalls *recalls;
    struct edge_request *request; /* NULL when it has gone */
    struct edge_request_owner owner;
    struct homes_lookup lookup;
    struct edge_history_ask ask;
    struct edge_history_query query;
    char user[TEXT_USER_MAX];
    size_t user_size;
};

static struct text user_of(const struct recall *recall)
{
    return (struct text){recall->user, recall->user_size};
}

/* --- the end of one --- */

/* The request, if it is still there to be answered. */
static struct edge_request *end(struct recall *recall)
{
    struct edge_request *request = recall->request;
    if (request != NULL)
        edge_request_own(request, NULL);
    recall->request = NULL;
    homes_cancel(&recall->lookup);
    edge_history_cancel(&recall->ask);
    list_remove(&recall->link);
    list_push(&recall->recalls->ended, &recall->link);
    loop_later(recall->recalls->settings.loop, &recall->recalls->later);
    return request;
}

static void refuse(struct recall *recall, int status, const char *code, const char *message)
{
    struct edge_request *request = end(recall);
    if (request != NULL)
        edge_request_refuse(request, status, code, message);
}

static void refuse_as(struct recall *recall, enum edge_history_outcome outcome)
{
    const struct edge_history_row *row = edge_history_row(outcome);
    if (outcome == EDGE_HISTORY_MOVED)
        homes_forget(recall->recalls->settings.directory, user_of(recall));
    refuse(recall, row->http_status, row->code, row->message);
}

static void on_gone(struct edge_request_owner *owner, bool written)
{
    struct recall *recall = container_of(owner, struct recall, owner);
    (void)written;
    recall->request = NULL;
    (void)end(recall);
}

/* --- how it goes on --- */

static void on_answer(struct edge_history_ask *ask, enum edge_history_outcome outcome,
                      const struct edge_history_page *page)
{
    struct recall *recall = container_of(ask, struct recall, ask);
    struct buffer json = {0};
    if (page == NULL) {
        refuse_as(recall, outcome);
        return;
    }
    buffer_append_text(&json, TEXT("{"));
    edge_history_write(&json, page);
    buffer_append_text(&json, TEXT("}"));
    if (json.failed)
        refuse_as(recall, EDGE_HISTORY_BUSY);
    else
        edge_request_answer(end(recall),
                            &(struct edge_answer){.status = 200, .json = buffer_text(&json)});
    buffer_free(&json);
}

static void found(struct recall *recall, enum homes_found how, size_t region)
{
    if (how == HOMES_NOT_FOUND) {
        refuse(recall, 404, "unknown_user", "nobody has seen this user");
        return;
    }
    if (how != HOMES_FOUND) {
        refuse(recall, 503, "directory_unsure", edge_code_row(EDGE_DIRECTORY_UNSURE)->message);
        return;
    }
    const enum edge_history_outcome outcome =
        edge_history_ask(recall->recalls->settings.history, &recall->ask, region, user_of(recall),
                         edge_token_raw(edge_request_token(recall->request)), &recall->query);
    if (outcome != EDGE_HISTORY_PAGE)
        refuse_as(recall, outcome);
}

static void on_found(struct homes_lookup *lookup, enum homes_found how, size_t region)
{
    found(container_of(lookup, struct recall, lookup), how, region);
}

/* --- the begin of one --- */

static struct recall *new_recall(struct edge_recalls *recalls, struct edge_request *request,
                                 struct text user, const struct edge_history_query *query)
{
    struct recall *recall = calloc(1, sizeof *recall);
    if (recall == NULL)
        return NULL;
    recall->recalls = recalls;
    recall->request = request;
    recall->owner.on_gone = on_gone;
    recall->lookup.on_found = on_found;
    recall->ask.on_answer = on_answer;
    recall->query = *query;
    memcpy(recall->user, user.data, user.size);
    recall->user_size = user.size;
    edge_request_own(request, &recall->owner);
    list_push(&recalls->waiting, &recall->link);
    return recall;
}

void edge_recalls_get(struct edge_recalls *recalls, struct edge_request *request, struct text user,
                      struct text query)
{
    struct edge_history_query asked;
    const char *wrong = edge_history_query_url(query, recalls->settings.edge, &asked);
    if (wrong != NULL) {
        edge_request_refuse(request, 400, "bad_request", wrong);
        return;
    }
    struct recall *recall = new_recall(recalls, request, user, &asked);
    if (recall == NULL) {
        edge_request_refuse(request, 503, "busy", "memory is short");
        return;
    }
    enum homes_found how;
    size_t region;
    int err = homes_find(recalls->settings.directory, user, &recall->lookup, &how, &region);
    if (err == 0)
        found(recall, how, region);
    else if (err != -EINPROGRESS)
        refuse(recall, 503, "busy", "too many wait for the directory");
}

/* --- the whole --- */

static void on_free_ended(struct loop_later *later)
{
    struct edge_recalls *recalls = container_of(later, struct edge_recalls, later);
    list_each(node, &recalls->ended) free(container_of(node, struct recall, link));
    list_init(&recalls->ended);
}

struct edge_recalls *edge_recalls_new(const struct edge_recalls_settings *settings)
{
    struct edge_recalls *recalls = calloc(1, sizeof *recalls);
    if (recalls == NULL)
        return NULL;
    recalls->settings = *settings;
    recalls->later.on_later = on_free_ended;
    list_init(&recalls->waiting);
    list_init(&recalls->ended);
    return recalls;
}

void edge_recalls_free(struct edge_recalls *recalls)
{
    if (recalls == NULL)
        return;
    list_each(node, &recalls->waiting)
        refuse(container_of(node, struct recall, link), 503, "not_ready", "this edge stops");
    loop_later_cancel(&recalls->later);
    on_free_ended(&recalls->later);
    free(recalls);
}
