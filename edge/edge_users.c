#include "edge/edge_users.h"

#include "log/log.h"
#include "json/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct edge_users {
    struct edge_users_settings settings;
    struct list waiting;
    struct list ended; /* freed at the end of the turn */
    struct loop_later later;
};

struct asking {
    struct list link;
    struct edge_users *users;
    struct edge_request *request; /* NULL when it has gone */
    struct edge_request_owner owner;
    struct homes_lookup lookup;
    struct edge_who_ask who;
    enum edge_user_ask what;
    enum wire_who_action action;
    char user[TEXT_USER_MAX];
    size_t user_size;
    char device[TEXT_DEVICE_MAX + 1]; /* empty: all of them */
};

static struct text user_of(const struct asking *asking)
{
    return (struct text){asking->user, asking->user_size};
}

/* --- the end of one --- */

/* The request, if it is still there to be answered. */
static struct edge_request *end(struct asking *asking)
{
    struct edge_request *request = asking->request;
    if (request != NULL)
        edge_request_own(request, NULL);
    asking->request = NULL;
    homes_cancel(&asking->lookup);
    edge_who_cancel(&asking->who);
    list_remove(&asking->link);
    list_push(&asking->users->ended, &asking->link);
    loop_later(asking->users->settings.loop, &asking->users->later);
    return request;
}

static void refuse(struct asking *asking, int status, const char *code, const char *message)
{
    struct edge_request *request = end(asking);
    if (request != NULL)
        edge_request_refuse(request, status, code, message);
}

/* Frees `json`. */
static void answer(struct asking *asking, struct buffer *json)
{
    if (json->failed)
        refuse(asking, 503, "busy", "memory is short");
    else
        edge_request_answer(end(asking),
                            &(struct edge_answer){.status = 200, .json = buffer_text(json)});
    buffer_free(json);
}

static void on_gone(struct edge_request_owner *owner, bool written)
{
    struct asking *asking = container_of(owner, struct asking, owner);
    (void)written;
    asking->request = NULL;
    (void)end(asking);
}

/* --- what is answered --- */

static void answer_location(struct asking *asking)
{
    struct homes *homes = asking->users->settings.directory;
    struct directory_home home;
    struct buffer json = {0};
    if (!homes_remembers(homes, user_of(asking), &home)) { /* forgotten since a moment ago */
        refuse(asking, 503, "directory_unsure", edge_code_row(EDGE_DIRECTORY_UNSURE)->message);
        return;
    }
    bool sure = homes_is_current(homes, loop_now_ms(asking->users->settings.loop));
    buffer_append_text(&json, TEXT("{\"user\":"));
    json_write_string(&json, user_of(asking));
    buffer_printf(&json, ",\"home\":\"%s\",\"epoch\":%u,\"sure\":%s}", home.region, home.epoch,
                  sure ? "true" : "false");
    answer(asking, &json);
}

static void answer_who(struct asking *asking, const struct edge_who_answer *who)
{
    struct buffer json = {0};
    if (asking->what == EDGE_USER_DISCONNECT) {
        buffer_printf(&json, "{\"disconnected\":%u}", who->count);
    } else {
        buffer_append_text(&json, TEXT("{\"user\":"));
        json_write_string(&json, user_of(asking));
        buffer_append_text(&json, TEXT(",\"connections\":"));
        edge_who_write(&json, who);
        buffer_append_text(&json, TEXT("}"));
    }
    answer(asking, &json);
}

static void refuse_as(struct asking *asking, enum edge_who_outcome outcome)
{
    static const struct {
        int status;
        const char *code, *message;
    } rows[] = {
        [EDGE_WHO_BUSY] = {503, "busy", "the user's home region is busy"},
        [EDGE_WHO_UNREACHABLE] = {503, "home_unreachable",
                                  "the user's home region does not answer now"},
        [EDGE_WHO_MOVED] = {503, "moved", "the user's home has moved, ask again"},
        [EDGE_WHO_REFUSED] = {403, "refused", "nothing is told of this user"},
    };
    if (outcome == EDGE_WHO_MOVED)
        homes_forget(asking->users->settings.directory, user_of(asking));
    refuse(asking, rows[outcome].status, rows[outcome].code, rows[outcome].message);
}

static void on_who(struct edge_who_ask *ask, enum edge_who_outcome outcome,
                   const struct edge_who_answer *who)
{
    struct asking *asking = container_of(ask, struct asking, who);
    if (outcome == EDGE_WHO_ANSWER)
        answer_who(asking, who);
    else
        refuse_as(asking, outcome);
}

static void ask_owner(struct asking *asking, size_t region)
{
    const enum edge_who_outcome outcome =
        edge_who_ask(&asking->users->settings.who, &asking->who, region, user_of(asking),
                     text_of(asking->device), asking->action);
    if (outcome != EDGE_WHO_ANSWER)
        refuse_as(asking, outcome);
}

static void found(struct asking *asking, enum homes_found how, size_t region)
{
    if (how == HOMES_NOT_FOUND)
        refuse(asking, 404, "unknown_user", "nobody has seen this user");
    else if (how != HOMES_FOUND)
        refuse(asking, 503, "directory_unsure", edge_code_row(EDGE_DIRECTORY_UNSURE)->message);
    else if (asking->what == EDGE_USER_LOCATION)
        answer_location(asking);
    else
        ask_owner(asking, region);
}

static void on_found(struct homes_lookup *lookup, enum homes_found how, size_t region)
{
    found(container_of(lookup, struct asking, lookup), how, region);
}

/* --- the begin of one --- */

static const char *read_text(struct json_value value, bool (*is_good)(struct text), char *room,
                             size_t size, struct text *ret, const char *wrong)
{
    *ret = TEXT("");
    if (value.type == JSON_ABSENT)
        return NULL;
    if (value.type != JSON_STRING || json_string_read(value, room, size, ret) != 0 ||
        !is_good(*ret))
        return wrong;
    return NULL;
}

const char *edge_users_read(struct text body, struct edge_users_disconnect *ret)
{
    struct json_value device;
    struct json_value reason;
    struct json_value reconnect;
    const struct json_pick picks[] = {
        {"device", &device}, {"reason", &reason}, {"reconnect", &reconnect}};
    ret->device = ret->reason = TEXT("");
    ret->reconnect = false;
    if (body.size == 0)
        return NULL;
    if (json_object_pick(body, picks, COUNT_OF(picks)) != 0)
        return "not a JSON object with its keys once";
    if (reconnect.type != JSON_ABSENT && json_to_bool(reconnect, &ret->reconnect) != 0)
        return "reconnect is neither true nor false";
    const char *wrong =
        read_text(device, text_is_device_id, ret->device_room, sizeof ret->device_room,
                  &ret->device, "device is not 1 to 64 printable ASCII characters");
    if (wrong == NULL) /* what a user id may hold, a line of the log may */
        wrong = read_text(reason, text_is_user_id, ret->reason_room, sizeof ret->reason_room,
                          &ret->reason, "reason is not 1 to 128 bytes of UTF-8 without controls");
    return wrong;
}

/* NULL, or what is wrong with the body. */
static const char *take_disconnect(struct asking *asking, struct text body)
{
    struct edge_users_disconnect read;
    const char *wrong = edge_users_read(body, &read);
    if (wrong != NULL)
        return wrong;
    asking->action = read.reconnect ? WIRE_WHO_RECONNECT : WIRE_WHO_END;
    (void)!text_put(asking->device, sizeof asking->device, read.device); /* it fits */
    log_info("a user is to be disconnected", LOG_TEXT("user", user_of(asking)),
             LOG_TEXT("device", read.device), LOG_BOOL("reconnect", read.reconnect),
             LOG_TEXT("reason", read.reason));
    return NULL;
}

static struct asking *new_asking(struct edge_users *users, struct edge_request *request,
                                 enum edge_user_ask what, struct text user)
{
    struct asking *asking = calloc(1, sizeof *asking);
    if (asking == NULL)
        return NULL;
    asking->users = users;
    asking->request = request;
    asking->owner.on_gone = on_gone;
    asking->lookup.on_found = on_found;
    asking->who.on_answer = on_who;
    asking->what = what;
    memcpy(asking->user, user.data, user.size);
    asking->user_size = user.size;
    edge_request_own(request, &asking->owner);
    list_push(&users->waiting, &asking->link);
    return asking;
}

void edge_users_ask(struct edge_users *users, struct edge_request *request, enum edge_user_ask what,
                    struct text user, struct text body)
{
    struct asking *asking = new_asking(users, request, what, user);
    if (asking == NULL) {
        edge_request_refuse(request, 503, "busy", "memory is short");
        return;
    }
    const char *wrong = what == EDGE_USER_DISCONNECT ? take_disconnect(asking, body) : NULL;
    if (wrong != NULL) {
        refuse(asking, 400, "bad_request", wrong);
        return;
    }
    enum homes_found how;
    size_t region;
    int err = homes_find(users->settings.directory, user, &asking->lookup, &how, &region);
    if (err == 0)
        found(asking, how, region);
    else if (err != -EINPROGRESS)
        refuse(asking, 503, "busy", "too many wait for the directory");
}

/* --- the whole --- */

static void on_free_ended(struct loop_later *later)
{
    struct edge_users *users = container_of(later, struct edge_users, later);
    list_each(node, &users->ended) free(container_of(node, struct asking, link));
    list_init(&users->ended);
}

struct edge_users *edge_users_new(const struct edge_users_settings *settings)
{
    struct edge_users *users = calloc(1, sizeof *users);
    if (users == NULL)
        return NULL;
    users->settings = *settings;
    users->later.on_later = on_free_ended;
    list_init(&users->waiting);
    list_init(&users->ended);
    return users;
}

void edge_users_free(struct edge_users *users)
{
    if (users == NULL)
        return;
    list_each(node, &users->waiting)
        refuse(container_of(node, struct asking, link), 503, "not_ready", "this edge stops");
    loop_later_cancel(&users->later);
    on_free_ended(&users->later);
    free(users);
}
