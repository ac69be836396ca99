#include "edge/edge_routes.h"

#include <string.h>

static const struct {
    unsigned bit;
    const char *name;
} method_rows[] = {
    {EDGE_METHOD_GET, "GET"},
    {EDGE_METHOD_HEAD, "HEAD"},
    {EDGE_METHOD_POST, "POST"},
    {EDGE_METHOD_OPTIONS, "OPTIONS"},
};

/* 0: none that any route takes. They are told apart by case (RFC 7231, 4.1). */
static unsigned method_of(struct text name)
{
    for (size_t i = 0; i < COUNT_OF(method_rows); i++)
        if (text_equal(name, text_of(method_rows[i].name)))
            return method_rows[i].bit;
    return 0;
}

static bool begins_with(struct text path, struct text part)
{
    return path.size >= part.size && memcmp(path.data, part.data, part.size) == 0;
}

static bool matches(const char *pattern, struct text path, struct text *ret_name)
{
    const char *open = strchr(pattern, '{');
    if (open == NULL) {
        *ret_name = TEXT("");
        return text_equal(path, text_of(pattern));
    }
    struct text before = {.data = pattern, .size = (size_t)(open - pattern)};
    struct text after = text_of(strchr(open, '}') + 1);
    if (path.size <= before.size + after.size || !begins_with(path, before))
        return false;
    struct text end = {.data = path.data + path.size - after.size, .size = after.size};
    if (!text_equal(end, after))
        return false;
    *ret_name = (struct text){.data = path.data + before.size,
                              .size = path.size - before.size - after.size};
    return true;
}

struct edge_found edge_routes_find(const struct edge_route *routes, size_t count, unsigned roles,
                                   struct text method, struct text path)
{
    struct edge_found found = {.routed = EDGE_ROUTED_NOWHERE};
    unsigned asked = method_of(method);
    for (size_t i = 0; i < count; i++) {
        const struct edge_route *route = &routes[i];
        struct text name;
        if (!matches(route->path, path, &name))
            continue;
        if (route->role != 0 && (route->role & roles) == 0) {
            if (found.allow == 0)
                found.routed = EDGE_ROUTED_NOT_HERE;
            continue;
        }
        found.allow |= route->methods | EDGE_METHOD_OPTIONS;
        if (found.route == NULL && (route->methods & asked) != 0) {
            found.routed = EDGE_ROUTED;
            found.route = route;
            found.name = name;
        }
    }
    if (found.allow != 0 && found.route == NULL)
        found.routed = asked == EDGE_METHOD_OPTIONS ? EDGE_ROUTED_OPTIONS : EDGE_ROUTED_NOT_ALLOWED;
    return found;
}

void edge_methods_write(struct buffer *to, unsigned methods)
{
    size_t start = to->size;
    for (size_t i = 0; i < COUNT_OF(method_rows); i++)
        if ((methods & method_rows[i].bit) != 0)
            buffer_printf(to, "%s%s", to->size > start ? ", " : "", method_rows[i].name);
}
