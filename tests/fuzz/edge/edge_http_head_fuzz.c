/* The head of a request, as far as we read it ourselves and libh2o does not: target, path, query,
 * the opening handshake, whose request it is, where a token stands, from which page it comes. */
#include "edge/edge_auth.h"
#include "edge/edge_forwarded.h"
#include "edge/edge_handshake.h"
#include "edge/edge_origins.h"
#include "edge/edge_routes.h"
#include "edge/edge_url.h"
#include "wire/record.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { HEADERS_MAX = 100, PATH_ROOM = 1024 }; /* as libh2o and edge_http.c have them */

struct head {
    struct edge_handshake handshake;
    struct text forwarded[2][HEADERS_MAX]; /* by enum edge_forwarded_header */
    size_t forwarded_count[2];
    char *copies[2 * HEADERS_MAX + 4];
    size_t copy_count;
    size_t headers;
};

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Exact, so that the sanitizer sees every read past the end. */
static struct text copy_of(struct head *head, struct text from)
{
    char *copy = malloc(from.size == 0 ? 1 : from.size);
    require(copy != NULL);
    if (from.size > 0)
        memcpy(copy, from.data, from.size);
    head->copies[head->copy_count++] = copy;
    return (struct text){.data = copy, .size = from.size};
}

static bool is_inside(struct text part, struct text whole)
{
    return part.size == 0 ||
           (part.data >= whole.data && part.data + part.size <= whole.data + whole.size);
}

static struct text take_until(struct text *from, char stop)
{
    const char *end = from->size == 0 ? NULL : memchr(from->data, stop, from->size);
    size_t size = end == NULL ? from->size : (size_t)(end - from->data);
    struct text taken = {.data = from->data, .size = size};
    size_t used = end == NULL ? size : size + 1;
    from->data += used;
    from->size -= used;
    return taken;
}

/* The target. */

static void read_query(struct text query)
{
    static const char *const keys[] = {"device", "cursor", "after", "before", "limit", "wait"};
    char room[TEXT_DEVICE_MAX];
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct text value, decoded;
        uint32_t epoch;
        uint64_t seq;
        if (!edge_url_query(query, text_of(keys[i]), &value))
            continue;
        require(is_inside(value, query));
        if (edge_url_decode(value, true, room, sizeof room, &decoded) == 0)
            require(decoded.size <= value.size && decoded.size <= sizeof room);
        if (edge_cursor_parse(value, &epoch, &seq) == 0)
            require(memchr(value.data, ':', value.size) != NULL);
    }
}

static void read_path(struct text method, struct text path)
{
    static const struct edge_route routes[] = {
        {"/ws", EDGE_METHOD_GET, EDGE_ROLE_SOCKET, NULL},
        {"/ws/{user_id}", EDGE_METHOD_GET, EDGE_ROLE_SOCKET, NULL},
        {"/api/messages", EDGE_METHOD_POST, EDGE_ROLE_API, NULL},
        {"/api/messages/{user_id}", EDGE_METHOD_GET, EDGE_ROLE_API, NULL},
        {"/v1/{name}/tail", EDGE_METHOD_GET | EDGE_METHOD_HEAD, 0, NULL},
    };
    for (unsigned roles = 0; roles <= (EDGE_ROLE_API | EDGE_ROLE_SOCKET); roles++) {
        struct edge_found found = edge_routes_find(routes, COUNT_OF(routes), roles, method, path);
        if (found.routed == EDGE_ROUTED)
            require(found.route != NULL && is_inside(found.name, path));
        (void)wire_is_person(found.name);
    }
}

static void read_target(struct head *head, struct text method, struct text from)
{
    struct text query = from;
    struct text target = copy_of(head, take_until(&query, '?'));
    struct text path;
    char *room = malloc(PATH_ROOM);
    require(room != NULL);
    size_t path_at = edge_url_path_at(target);
    require(path_at <= target.size);
    target.data += path_at;
    target.size -= path_at;
    if (edge_url_decode(target, false, room, PATH_ROOM, &path) == 0) {
        require(path.size <= target.size && path.size <= PATH_ROOM);
        read_path(method, path);
    }
    free(room);
    read_query(copy_of(head, query));
}

/* The headers. */

static void read_token(struct text name, struct text value)
{
    struct text token = TEXT("");
    if (text_equal(name, TEXT("authorization")))
        token = edge_auth_of_authorization(value);
    else if (text_equal(name, TEXT("sec-websocket-protocol")))
        token = edge_auth_of_protocols(value);
    require(is_inside(token, value));
    require(token.size == 0 || !text_equal(name, TEXT("sec-websocket-protocol")) ||
            memchr(token.data, ',', token.size) == NULL);
}

static void read_header(struct head *head, struct text line)
{
    static const char *const names[] = {
        [EDGE_FORWARDED_X_FOR] = "x-forwarded-for", [EDGE_FORWARDED_RFC7239] = "forwarded"};
    struct text value = line;
    struct text name = take_until(&value, ':');
    if (head->headers == HEADERS_MAX || name.size == 0 || name.size == line.size)
        return;
    head->headers++;
    name = copy_of(head, name);
    char *small = head->copies[head->copy_count - 1];
    for (size_t i = 0; i < name.size; i++) /* as libh2o hands them on */
        small[i] = (char)tolower((unsigned char)small[i]);
    value = copy_of(head, text_trim(value));
    edge_handshake_header(&head->handshake, name, value);
    if (text_equal(name, TEXT("upgrade")))
        head->handshake.upgrade = value;
    read_token(name, value);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (text_equal(name, text_of(names[i])))
            head->forwarded[i][head->forwarded_count[i]++] = value;
}

static void judge(struct head *head)
{
    static const char list[] = "https://app.example, http://localhost:8080";
    struct edge_handshake_refusal refusal = edge_handshake_judge(&head->handshake);
    char accept[EDGE_HANDSHAKE_ACCEPT];
    require((refusal.status == 0) == (refusal.message == NULL));
    if (refusal.status == 0) {
        require(head->handshake.keys == 1 && edge_handshake_key_is_good(head->handshake.key));
        edge_handshake_accept(head->handshake.key, accept);
        require(strlen(accept) == EDGE_HANDSHAKE_ACCEPT - 1);
    }
    if (head->handshake.origins > 0 && edge_origins_allow(TEXT(list), head->handshake.origin))
        require(memmem(list, sizeof list, head->handshake.origin.data,
                       head->handshake.origin.size) != NULL);
    if (head->handshake.origins > 0 && edge_origins_are_valid(head->handshake.origin))
        (void)edge_origins_allow(head->handshake.origin, TEXT("https://app.example"));
}

static void find_client(const struct head *head)
{
    struct networks trusted;
    struct address peer, stranger;
    require(networks_parse(TEXT("10.0.0.0/8"), &trusted) == 0);
    require(address_parse(TEXT("10.0.0.1"), &peer) == 0);
    require(address_parse(TEXT("192.0.2.1"), &stranger) == 0);
    for (size_t i = 0; i < 2; i++) {
        struct edge_forwarded forwarded = {(enum edge_forwarded_header)i, &trusted,
                                           head->forwarded[i], head->forwarded_count[i]};
        (void)edge_forwarded_client(&forwarded, &peer);
        struct address client = edge_forwarded_client(&forwarded, &stranger);
        require(memcmp(&client, &stranger, sizeof client) == 0); /* whatever it says */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text left = {.data = (const char *)data, .size = size};
    struct head *head = calloc(1, sizeof *head);
    require(head != NULL);
    struct text line = take_until(&left, '\n');
    struct text method = copy_of(head, take_until(&line, ' '));
    read_target(head, method, take_until(&line, ' '));
    head->handshake.get = text_equal(method, TEXT("GET"));
    head->handshake.host = true;
    while (left.size > 0) {
        line = take_until(&left, '\n');
        if (line.size > 0 && line.data[line.size - 1] == '\r')
            line.size--;
        read_header(head, line);
    }
    judge(head);
    find_client(head);
    for (size_t i = 0; i < head->copy_count; i++)
        free(head->copies[i]);
    free(head);
    return 0;
}
