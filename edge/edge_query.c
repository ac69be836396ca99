#include "edge/edge_query.h"

#include "edge/edge_url.h"
#include "wire/record.h"

#include <errno.h>

enum { WAIT_MAX_S = 3600 }; /* whoever asks has a lower bound */

static const char *read_device(struct edge_query *query, struct text value)
{
    if (edge_url_decode(value, true, query->device_room, sizeof query->device_room,
                        &query->device) != 0 ||
        !text_is_device_id(query->device))
        return "device is no device id: 1 to 64 printable ASCII characters";
    return NULL;
}

static const char *read_user(struct edge_query *query, struct text value)
{
    if (edge_url_decode(value, true, query->user_room, sizeof query->user_room, &query->user) !=
            0 ||
        !wire_is_person(query->user))
        return "user is no user id: 1 to 128 bytes of UTF-8 without controls";
    return NULL;
}

static const char *read_cursor(struct edge_query *query, struct text value)
{
    char room[64];
    struct text cursor;
    if (edge_url_decode(value, true, room, sizeof room, &cursor) != 0 ||
        edge_cursor_parse(cursor, &query->epoch, &query->seq) != 0)
        return "cursor is not epoch:seq";
    return NULL;
}

static const char *read_start(struct edge_query *query, struct text value)
{
    query->from_head = text_equal(value, TEXT("head"));
    return query->from_head || text_equal(value, TEXT("oldest"))
               ? NULL
               : "start is neither oldest nor head";
}

/* What is wrong with it is said by whoever judges it. */
static const char *read_token(struct edge_query *query, struct text value)
{
    if (edge_url_decode(value, true, query->token_room, sizeof query->token_room, &query->token) !=
            0 ||
        query->token.size == 0)
        return "token is empty, or longer than a token can be";
    return NULL;
}

static const char *read_wait(struct edge_query *query, struct text value)
{
    return text_to_u64(value, WAIT_MAX_S, &query->wait_s) == 0
               ? NULL
               : "wait is no number of seconds up to the longest allowed";
}

static const struct key {
    struct text name;
    unsigned bit;
    const char *(*read)(struct edge_query *query, struct text value);
} keys[] = {
    {{"device", 6}, EDGE_QUERY_DEVICE, read_device}, {{"user", 4}, EDGE_QUERY_USER, read_user},
    {{"cursor", 6}, EDGE_QUERY_CURSOR, read_cursor}, {{"start", 5}, EDGE_QUERY_START, read_start},
    {{"token", 5}, EDGE_QUERY_TOKEN, read_token},    {{"wait", 4}, EDGE_QUERY_WAIT, read_wait},
};

static const struct key *find_key(struct text name, unsigned takes)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if ((keys[i].bit & takes) != 0 && text_equal(keys[i].name, name))
            return &keys[i];
    return NULL;
}

const char *edge_query_read(struct text query, unsigned takes, struct edge_query *ret_query)
{
    struct text name;
    struct text value;
    ret_query->keys = 0; /* not the whole: the rooms are large, and need no value */
    ret_query->user = ret_query->device = ret_query->token = TEXT("");
    ret_query->from_head = false;
    ret_query->wait_s = 0;
    while (edge_url_next(&query, &name, &value)) {
        if (name.size + value.size == 0)
            continue; /* as in "a=1&&b=2" */
        const struct key *key = find_key(name, takes);
        if (key == NULL)
            return "the query has a key that is not known here";
        if ((ret_query->keys & key->bit) != 0)
            return "the query says a key twice";
        ret_query->keys |= key->bit;
        const char *wrong = key->read(ret_query, value);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

int edge_query_go_on(struct edge_query *query, struct text cursor)
{
    int err = edge_cursor_parse(cursor, &query->epoch, &query->seq);
    if (err == 0)
        query->keys |= EDGE_QUERY_CURSOR;
    return err;
}
