/* The two HTTP calls while the directory does not answer: what they refuse, and how they end. */
#include "edge/edge_api.h"

#include "bus/bus.h"
#include "edge/edge_listener.h"
#include "http_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
    struct http_lab lab;
    struct edge_settings settings;
    struct catalogue *catalogue;
    struct bus *bus;
    struct homes *directory;
    struct edge_home *home;
    struct edge_outbound *outbound;
    struct edge_dispatch *dispatch;
    struct edge_api *api;
    struct edge_listener *listener;
} it;

static int on_publish(void *context, const char *subject, const void *data, size_t size)
{
    (void)context;
    (void)subject;
    (void)data;
    (void)size;
    return 0;
}

static void on_wake(void *context, int64_t delay_ms)
{
    (void)context;
    (void)delay_ms;
}

static void on_outcome(void *context, struct edge_ticket *ticket, enum edge_code code)
{
    (void)context;
    edge_dispatch_on_outcome(ticket, code);
}

static void on_post(void *context, struct edge_request *request, struct text body)
{
    (void)context;
    edge_api_post(it.api, request, body);
}

static void on_poll(void *context, struct edge_request *request, struct text user,
                    struct text query)
{
    (void)context;
    edge_api_poll(it.api, request, user, query);
}

static const char *why_not(void *context)
{
    (void)context;
    return NULL;
}

static void on_connection_closed(void *context)
{
    (void)context;
}

static size_t room(void *context)
{
    (void)context;
    return 100;
}

static const struct edge_http_ops ops = {
    .on_post = on_post,
    .on_poll = on_poll,
    .why_not_ready = why_not,
    .why_not_open = why_not,
    .on_connection_closed = on_connection_closed,
};

static int begin_with(uint32_t waiting_max)
{
    memset(&it, 0, sizeof it);
    settings_defaults(edge_settings_table, &it.settings);
    it.settings.directory_waiting_max = waiting_max;
    strcpy(it.settings.name, "local-1");
    it.catalogue = catalogue_load_file(MERIDIAN_SOURCE_DIR "/config/single.yaml", NULL);
    it.lab.loop = loop_new();
    it.bus = bus_open(
        it.lab.loop, &(struct bus_settings){.urls = "nats://127.0.0.1:1", .name = "local-1"}, NULL);
    const struct catalogue_region *region = &it.catalogue->regions[0];
    it.directory =
        homes_new(&(struct homes_settings){.loop = it.lab.loop,
                                           .bus = it.bus,
                                           .catalogue = it.catalogue,
                                           .region = region,
                                           .process = it.settings.name,
                                           .users_max = it.settings.directory_users_max,
                                           .waiting_max = it.settings.directory_waiting_max});
    it.home = edge_home_new(&(struct edge_home_settings){.catalogue = it.catalogue,
                                                         .region = region,
                                                         .edge = it.settings.name,
                                                         .publish = on_publish,
                                                         .wake = on_wake});
    it.outbound = edge_outbound_new(&(struct edge_outbound_settings){
        it.lab.loop, it.bus, &it.settings, it.catalogue, region, on_outcome, NULL});
    it.dispatch = edge_dispatch_new(&(struct edge_dispatch_settings){
        it.lab.loop, &it.settings, it.catalogue, it.directory, it.outbound, it.home});
    it.api = edge_api_new(&(struct edge_api_settings){it.lab.loop, &it.settings, it.directory,
                                                      it.dispatch, it.home, NULL});
    it.lab.http = edge_http_new(
        &(struct edge_http_settings){.loop = it.lab.loop, .edge = &it.settings, .ops = &ops}, NULL);
    lab_choose_address(&it.lab);
    it.listener = edge_listener_open(
        &(struct edge_listener_settings){
            .http = it.lab.http, .address = text_of(it.lab.address), .room = room},
        NULL);
    return it.listener == NULL ? -1 : 0;
}

static int begin(void **state)
{
    (void)state;
    return begin_with(20000);
}

static int begin_narrow(void **state)
{
    (void)state;
    return begin_with(1);
}

static int end(void **state)
{
    (void)state;
    edge_listener_close(it.listener);
    edge_api_free(it.api);
    edge_http_free(it.lab.http);
    edge_dispatch_free(it.dispatch);
    homes_free(it.directory);
    edge_outbound_free(it.outbound, edge_dispatch_on_dropped);
    edge_home_free(it.home);
    bus_close(it.bus);
    loop_free(it.lab.loop);
    catalogue_free(it.catalogue);
    return 0;
}

static int get(const char *target)
{
    char request[512];
    int fd = client_connect(&it.lab);
    snprintf(request, sizeof request, "GET /api/messages/%s HTTP/1.1\r\nHost: x\r\n\r\n", target);
    client_say(fd, request);
    lab_turns(&it.lab, 20);
    return fd;
}

static int post_with(const char *headers, const char *json)
{
    char request[1024];
    int fd = client_connect(&it.lab);
    int size = snprintf(request, sizeof request,
                        "POST /api/messages HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n%s",
                        headers, strlen(json), json);
    assert_true(size < (int)sizeof request);
    client_say(fd, request);
    lab_turns(&it.lab, 20);
    return fd;
}

static int post(const char *json)
{
    return post_with("", json);
}

static void a_bad_query_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *target, *answer;
    } rows[] = {
        {"b?limit=0", "limit is"}, {"b?limit=257", "limit is"}, {"b?limit=x", "limit is"},
        {"b?wait=61", "wait is"},  {"b?wait=-1", "wait is"},    {"b?after=", "after is"},
        {"b?after=1", "after is"}, {"b?after=1:x", "after is"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int fd = get(rows[i].target);
        client_expect(&it.lab, fd, " 400 ", rows[i].answer);
        close(fd);
    }
    assert_int_equal(edge_api_waiting(it.api), 0);
}

static void a_query_is_taken_up_to_its_bounds(void **state)
{
    (void)state;
    int fds[] = {get("b?limit=1&wait=0"), get("b?limit=256&wait=60&after=1%3A0")};
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        assert_string_equal(client_hear(&it.lab, fds[i]), ""); /* it waits for the directory */
        close(fds[i]);
    }
    assert_int_equal(edge_api_waiting(it.api), 2);
}

static void calls_that_read_have_a_bound(void **state)
{
    (void)state;
    it.settings.polls_max = 2;
    int fds[] = {get("a"), get("b"), get("c")};
    client_expect(&it.lab, fds[2], " 503 ", "busy");
    assert_int_equal(edge_api_waiting(it.api), 2);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        close(fds[i]);
}

static void calls_wait_for_the_directory_within_its_bound(void **state)
{
    (void)state;
    int fds[] = {get("a"), get("b"), post("{\"recipient_id\":\"c\",\"message\":1}")};
    client_expect(&it.lab, fds[1], " 503 ", "busy");
    client_expect(&it.lab, fds[2], " 503 ", "\"code\":\"busy\",\"message\"");
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        close(fds[i]);
}

static void a_post_without_an_outcome_is_unknown(void **state)
{
    (void)state;
    int fd = post("{\"recipient_id\":\"c\",\"message\":1,\"id\":\"k1\"}");
    int64_t now_ms = loop_now_ms(it.lab.loop);
    edge_api_tick(it.api, now_ms + it.settings.answer_ms / 2);
    assert_string_equal(client_hear(&it.lab, fd), "");
    edge_api_tick(it.api, now_ms + it.settings.answer_ms);
    client_expect(&it.lab, fd, " 504 ", "{\"status\":\"unknown\",\"id\":\"k1\",\"code\":");
    close(fd);
}

static void a_bad_post_is_refused(void **state)
{
    (void)state;
    it.settings.body_max = 100;
    static const struct {
        const char *json, *status, *answer;
    } rows[] = {
        {"", " 400 ", "JSON object"},
        {"{\"recipient_id\":\"c\"}", " 400 ", "message is missing"},
        {"{\"recipient_id\":\"\",\"message\":1}", " 400 ", "recipient_id is"},
        {"{\"recipient_id\":\"c\",\"message\":1,\"id\":\"\"}", " 400 ", "id is not"},
        {"{\"recipient_id\":\"c\",\"message\":"
         "\"12345678901234567890123456789012345678901234567890123456789012345678901\"}",
         " 413 ", "too_large"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int fd = post(rows[i].json);
        client_expect(&it.lab, fd, rows[i].status, rows[i].answer);
        close(fd);
    }
    assert_int_equal(edge_api_waiting(it.api), 0);
}

#define KEY60 "123456789012345678901234567890123456789012345678901234567890"
#define TO_C "{\"recipient_id\":\"c\",\"message\":1}"
#define TO_C_ID(id) "{\"recipient_id\":\"c\",\"message\":1,\"id\":\"" id "\"}"

static void a_key_is_the_id_of_what_has_none(void **state)
{
    (void)state;
    static const struct {
        const char *key, *json, *ids[2];
    } rows[] = {
        {"k", TO_C, {"\"id\":\"k\""}},
        {"\"k k\"", TO_C, {" 400 ", "Idempotency-Key is"}},
        {"\"k\"", TO_C, {"\"id\":\"k\""}},
        {"k", TO_C_ID("k"), {"\"id\":\"k\""}},
        {"k", TO_C_ID("m"), {" 400 ", "id and Idempotency-Key differ"}},
        {KEY60 "1234", TO_C, {"\"id\":\"" KEY60 "1234\""}},
        {KEY60 "12345", TO_C, {" 400 ", "Idempotency-Key is"}},
        {"a b", TO_C, {" 400 ", "Idempotency-Key is"}},
        {"", TO_C_ID("m"), {"\"id\":\"m\""}},
        {"k", "[" TO_C "," TO_C "]", {"\"id\":\"k.0\"", "\"id\":\"k.1\""}},
        {"k", "[" TO_C_ID("m") "," TO_C "]", {"\"id\":\"m\"", "\"id\":\"k.1\""}},
        {KEY60, "[" TO_C "]", {"\"id\":\"" KEY60 ".0\""}},
        {KEY60 "1", "[" TO_C "]", {" 400 ", "Idempotency-Key of an array is"}},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char header[128];
        snprintf(header, sizeof header, "Idempotency-Key: %s\r\n", rows[i].key);
        int fd = post_with(header, rows[i].json);
        edge_api_tick(it.api, loop_now_ms(it.lab.loop) + it.settings.answer_ms);
        client_expect(&it.lab, fd, rows[i].ids[0], rows[i].ids[1] == NULL ? "" : rows[i].ids[1]);
        close(fd);
    }
}

static void an_array_says_what_became_of_each(void **state)
{
    (void)state;
    it.settings.body_max = 64;
    int fd = post(" [" TO_C_ID("m1") ", 7, {\"recipient_id\":\"\",\"message\":1}, "
                                     "{\"recipient_id\":\"c\",\"id\":\"m4\",\"message\":"
                                     "\"1234567890123456789012345\"}, " TO_C_ID("m5") "]");
    assert_string_equal(client_hear(&it.lab, fd), ""); /* two wait for the directory */
    edge_api_tick(it.api, loop_now_ms(it.lab.loop) + it.settings.answer_ms);
    const char *heard = client_hear(&it.lab, fd);
    static const char *const parts[] = {
        " 207 ",
        "[{\"status\":\"unknown\",\"id\":\"m1\"",
        ",{\"status\":\"rejected\",\"code\":\"bad_request\",\"message\":\"not a JSON object",
        ",{\"status\":\"rejected\",\"code\":\"bad_request\",\"message\":\"recipient_id is",
        ",{\"status\":\"rejected\",\"id\":\"m4\",\"code\":\"too_large\"",
        ",{\"status\":\"unknown\",\"id\":\"m5\"",
        "}]",
    };
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        heard = strstr(heard, parts[i]);
        if (heard == NULL)
            fail_msg("'%s' is missing, or in another place", parts[i]);
    }
    close(fd);
    assert_int_equal(edge_api_waiting(it.api), 0);
}

static void an_array_has_a_bound(void **state)
{
    (void)state;
    it.settings.post_messages_max = 2;
    static const struct {
        const char *json, *status, *answer;
    } rows[] = {
        {"[7,7]", " 207 ", "[{"},
        {"[7,7,7]", " 413 ", "{\"code\":\"too_large\""},
        {"[]", " 400 ", "an array of one message"},
        {"[7", " 400 ", "an array of one message"},
        {"[7] x", " 400 ", "an array of one message"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int fd = post(rows[i].json);
        client_expect(&it.lab, fd, rows[i].status, rows[i].answer);
        close(fd);
    }
    assert_int_equal(edge_api_waiting(it.api), 0);
}

static void who_goes_leaves_no_array_behind(void **state)
{
    (void)state;
    int fd = post("[" TO_C "," TO_C "]");
    assert_int_equal(edge_api_waiting(it.api), 1);
    close(fd);
    lab_turns(&it.lab, 20);
    edge_api_tick(it.api, loop_now_ms(it.lab.loop) + it.settings.answer_ms);
    lab_turns(&it.lab, 20);
    assert_int_equal(edge_api_waiting(it.api), 0);
}

static void stopping_answers_what_waits(void **state)
{
    (void)state;
    int reading = get("a");
    int sending = post("{\"recipient_id\":\"c\",\"message\":1,\"id\":\"k1\"}");
    edge_api_free(it.api);
    it.api = NULL;
    client_expect(&it.lab, reading, " 503 ", "this edge stops");
    client_expect(&it.lab, sending, " 504 ", "unknown");
    close(reading);
    close(sending);
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        ROW(a_bad_query_is_refused),
        ROW(a_query_is_taken_up_to_its_bounds),
        ROW(calls_that_read_have_a_bound),
        cmocka_unit_test_setup_teardown(calls_wait_for_the_directory_within_its_bound, begin_narrow,
                                        end),
        ROW(a_post_without_an_outcome_is_unknown),
        ROW(a_bad_post_is_refused),
        ROW(a_key_is_the_id_of_what_has_none),
        ROW(an_array_says_what_became_of_each),
        ROW(an_array_has_a_bound),
        ROW(who_goes_leaves_no_array_behind),
        ROW(stopping_answers_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
