#include "edge/edge_routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
    GET = EDGE_METHOD_GET,
    HEAD = EDGE_METHOD_HEAD,
    POST = EDGE_METHOD_POST,
    OPTIONS = EDGE_METHOD_OPTIONS,
    API = EDGE_ROLE_API,
    SOCKET = EDGE_ROLE_SOCKET,
};

static int on_call(const struct edge_call *call)
{
    (void)call;
    return 0;
}

static const struct edge_route routes[] = {
    {"/health", GET | HEAD, 0, on_call},       {"/talk", GET, SOCKET, on_call},
    {"/talk/{user}", GET, SOCKET, on_call},    {"/users/{user}/place", GET | HEAD, API, on_call},
    {"/users/{user}/end", POST, API, on_call}, {"/box/{user}", GET, API, on_call},
    {"/box/{user}", POST, API, on_call},       {"/both", GET, API | SOCKET, on_call},
};

static struct edge_found find(unsigned roles, const char *method, const char *path)
{
    return edge_routes_find(routes, COUNT_OF(routes), roles, text_of(method), text_of(path));
}

static void a_path_and_a_method_mean_a_row(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *route, *name;
    } rows[] = {
        {"GET", "/health", "/health", ""},
        {"HEAD", "/health", "/health", ""},
        {"GET", "/talk", "/talk", ""},
        {"GET", "/talk/bob", "/talk/{user}", "bob"},
        {"GET", "/talk//", "/talk/{user}", "/"},
        {"GET", "/talk/a/../b", "/talk/{user}", "a/../b"},
        {"GET", "/users/bob/place", "/users/{user}/place", "bob"},
        {"GET", "/users/a/place/place", "/users/{user}/place", "a/place"},
        {"GET", "/users/a/end/place", "/users/{user}/place", "a/end"},
        {"POST", "/users/a/place/end", "/users/{user}/end", "a/place"},
        {"GET", "/box/b", "/box/{user}", "b"},
        {"POST", "/box/b", "/box/{user}", "b"},
        {"GET", "/both", "/both", ""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct edge_found found = find(API | SOCKET, rows[i].method, rows[i].path);
        assert_int_equal(found.routed, EDGE_ROUTED);
        assert_string_equal(found.route->path, rows[i].route);
        assert_true(text_equal(found.name, text_of(rows[i].name)));
    }
    assert_ptr_equal(find(API, "POST", "/box/b").route, &routes[6]);
}

static void what_is_no_row_is_told_why(void **state)
{
    (void)state;
    static const struct {
        unsigned roles;
        const char *method, *path;
        enum edge_routed routed;
        unsigned allow;
    } rows[] = {
        {API | SOCKET, "POST", "/health", EDGE_ROUTED_NOT_ALLOWED, GET | HEAD | OPTIONS},
        {API | SOCKET, "get", "/health", EDGE_ROUTED_NOT_ALLOWED, GET | HEAD | OPTIONS},
        {API | SOCKET, "", "/health", EDGE_ROUTED_NOT_ALLOWED, GET | HEAD | OPTIONS},
        {API | SOCKET, "HEAD", "/talk/bob", EDGE_ROUTED_NOT_ALLOWED, GET | OPTIONS},
        {API | SOCKET, "DELETE", "/box/b", EDGE_ROUTED_NOT_ALLOWED, GET | POST | OPTIONS},
        {API | SOCKET, "OPTIONS", "/box/b", EDGE_ROUTED_OPTIONS, GET | POST | OPTIONS},
        {API | SOCKET, "OPTIONS", "/health", EDGE_ROUTED_OPTIONS, GET | HEAD | OPTIONS},
        {API | SOCKET, "GET", "", EDGE_ROUTED_NOWHERE, 0},
        {API | SOCKET, "GET", "/", EDGE_ROUTED_NOWHERE, 0},
        {API | SOCKET, "GET", "/Health", EDGE_ROUTED_NOWHERE, 0},
        {API | SOCKET, "GET", "/health/", EDGE_ROUTED_NOWHERE, 0},
        {API | SOCKET, "GET", "/talk/", EDGE_ROUTED_NOWHERE, 0},
        {API | SOCKET, "GET", "/users//place", EDGE_ROUTED_NOWHERE, 0},
        {API | SOCKET, "GET", "/users/place", EDGE_ROUTED_NOWHERE, 0},
        {API | SOCKET, "GET", "/users/bob/places", EDGE_ROUTED_NOWHERE, 0},
        {API | SOCKET, "OPTIONS", "/nowhere", EDGE_ROUTED_NOWHERE, 0},
        {API, "GET", "/talk/bob", EDGE_ROUTED_NOT_HERE, 0},
        {API, "OPTIONS", "/talk/bob", EDGE_ROUTED_NOT_HERE, 0},
        {SOCKET, "GET", "/box/b", EDGE_ROUTED_NOT_HERE, 0},
        {SOCKET, "POST", "/both", EDGE_ROUTED_NOT_ALLOWED, GET | OPTIONS},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct edge_found found = find(rows[i].roles, rows[i].method, rows[i].path);
        assert_int_equal(found.routed, rows[i].routed);
        assert_int_equal(found.allow, rows[i].allow);
        assert_null(found.route);
    }
}

static void every_role_has_its_rows_and_what_is_everywhere(void **state)
{
    (void)state;
    static const unsigned roles[] = {API, SOCKET, API | SOCKET};
    for (size_t i = 0; i < COUNT_OF(roles); i++) {
        assert_int_equal(find(roles[i], "GET", "/health").routed, EDGE_ROUTED);
        assert_int_equal(find(roles[i], "GET", "/both").routed, EDGE_ROUTED);
        assert_int_equal(find(roles[i], "GET", "/talk").routed,
                         (roles[i] & SOCKET) != 0 ? EDGE_ROUTED : EDGE_ROUTED_NOT_HERE);
        assert_int_equal(find(roles[i], "GET", "/box/b").routed,
                         (roles[i] & API) != 0 ? EDGE_ROUTED : EDGE_ROUTED_NOT_HERE);
    }
}

static void methods_are_written_as_a_list(void **state)
{
    (void)state;
    static const struct {
        unsigned methods;
        const char *list;
    } rows[] = {
        {0, ""},
        {GET, "GET"},
        {POST | OPTIONS, "POST, OPTIONS"},
        {GET | HEAD | POST | OPTIONS, "GET, HEAD, POST, OPTIONS"},
    };
    struct buffer list = {0};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        buffer_clear(&list);
        edge_methods_write(&list, rows[i].methods);
        assert_true(text_equal(buffer_text(&list), text_of(rows[i].list)));
    }
    buffer_append_text(&list, TEXT(": "));
    size_t size = list.size;
    edge_methods_write(&list, GET | HEAD); /* behind what is there */
    assert_int_equal(list.size, size + strlen("GET, HEAD"));
    buffer_free(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_and_a_method_mean_a_row),
        cmocka_unit_test(what_is_no_row_is_told_why),
        cmocka_unit_test(every_role_has_its_rows_and_what_is_everywhere),
        cmocka_unit_test(methods_are_written_as_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
