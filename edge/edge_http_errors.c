/* What libh2o answers by itself, before a request has found its route: a text, which becomes JSON
 * as all refusals. Bytes that are no HTTP at all are answered by libh2o out of our sight. */
#include "edge/edge_http_internal.h"

#include "edge/edge_refusal.h"

#include <stdio.h>

static const struct {
    int status;
    const char *code;
} code_rows[] = {
    {400, "bad_request"},
    {413, "too_large"},
    {417, "expectation_failed"},
};

static const char *code_of(int status)
{
    for (size_t i = 0; i < COUNT_OF(code_rows); i++)
        if (code_rows[i].status == status)
            return code_rows[i].code;
    return "refused";
}

/* libh2o sends the whole of such an answer at once, and nothing of it where it answers a HEAD. */
static void on_send(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *bodies, size_t count,
                    h2o_send_state_t state)
{
    char message[128] = "";
    struct buffer json = {0};
    if (count > 0)
        (void)snprintf(message, sizeof message, "%.*s", (int)bodies[0].len, bodies[0].base);
    const struct edge_refusal refusal =
        edge_refusal(req->res.status, code_of(req->res.status), message);
    edge_refusal_write(&json, &refusal);
    h2o_iovec_t body = h2o_strdup(&req->pool, (const char *)json.data, json.size);
    buffer_free(&json);
    req->res.content_length = body.len;
    h2o_ostream_send_next(self, req, &body, count > 0 ? 1 : 0, state);
}

static void on_setup_ostream(h2o_filter_t *filter, h2o_req_t *req, h2o_ostream_t **slot)
{
    (void)filter;
    h2o_headers_t *headers = &req->res.headers;
    ssize_t at = h2o_find_header(headers, H2O_TOKEN_CONTENT_TYPE, -1);
    if (req->res.status >= 400 && at >= 0 &&
        h2o_memis(headers->entries[at].value.base, headers->entries[at].value.len,
                  H2O_STRLIT("text/plain; charset=utf-8"))) {
        headers->entries[at].value = h2o_iovec_init(H2O_STRLIT("application/json"));
        h2o_ostream_t *stream = h2o_add_ostream(req, sizeof *stream, slot);
        stream->do_send = on_send;
        slot = &stream->next;
    }
    h2o_setup_next_ostream(req, slot);
}

void edge_http_answer_errors(h2o_pathconf_t *path)
{
    h2o_filter_t *filter = h2o_create_filter(path, sizeof *filter);
    filter->on_setup_ostream = on_setup_ostream;
}
