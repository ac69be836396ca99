/* Web pages of other origins (the CORS protocol of the Fetch standard): whether a browser
 * lets them read our answers, and send what it would not send by itself. No cookie ever says who a
 * page is here, so nothing is allowed with credentials. */
#include "edge/edge_http_internal.h"

#include "edge/edge_origins.h"

#define PREFLIGHT_MAX_AGE_S "3600"
/* What pages may send beside what any page can, and read beside what any page may. */
#define HEADERS_TAKEN "authorization, content-type, idempotency-key, last-event-id"
#define HEADERS_SHOWN "meridian-cursor, meridian-resync, retry-after, allow"

struct filter { /* ours, behind h2o's */
    h2o_filter_t super;
    struct edge_http *http;
};

static struct text origins_of(const struct edge_http *http)
{
    return text_of(http->settings.edge->origins);
}

static bool is_allowed(const struct edge_http *http, const h2o_req_t *req)
{
    return edge_origins_allow(origins_of(http), edge_http_header(req, "origin"));
}

void edge_http_add_origin(const struct edge_http *http, h2o_req_t *req)
{
    struct text origins = origins_of(http);
    bool any = edge_origins_are_any(origins);
    if (origins.size == 0)
        return;
    if (!any) /* a cache must not give one page what was meant for another */
        edge_http_add_header(req, "vary", TEXT("origin"));
    if (!is_allowed(http, req))
        return;
    edge_http_add_header(req, "access-control-allow-origin",
                         any ? TEXT("*") : edge_http_header(req, "origin"));
    edge_http_add_header(req, "access-control-expose-headers", TEXT(HEADERS_SHOWN));
}

static void on_setup_ostream(h2o_filter_t *filter, h2o_req_t *req, h2o_ostream_t **slot)
{
    edge_http_add_origin(((struct filter *)filter)->http, req);
    h2o_setup_next_ostream(req, slot);
}

void edge_http_allow_origins(struct edge_http *http, h2o_pathconf_t *path)
{
    struct filter *filter = (struct filter *)h2o_create_filter(path, sizeof *filter);
    filter->super.on_setup_ostream = on_setup_ostream;
    filter->http = http;
}

void edge_http_add_preflight(struct edge_http *http, h2o_req_t *req, unsigned methods)
{
    if (!is_allowed(http, req) || edge_http_header(req, "access-control-request-method").size == 0)
        return;
    edge_http_add_methods(req, "access-control-allow-methods", methods);
    edge_http_add_header(req, "access-control-allow-headers", TEXT(HEADERS_TAKEN));
    edge_http_add_header(req, "access-control-max-age", TEXT(PREFLIGHT_MAX_AGE_S));
}
