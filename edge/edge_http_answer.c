/* Answers, and the requests that wait for them. */
#include "edge/edge_http_internal.h"

#include "log/log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lives in the memory of h2o's request, and ends with it. */
struct edge_request {
    struct edge_http *http;
    h2o_req_t *req;
    struct edge_request_owner *owner;
    struct edge_token *token;
    h2o_generator_t generator;
    bool answered;
    bool written;
};

struct text edge_http_header(const h2o_req_t *req, const char *name)
{
    ssize_t at = h2o_find_header_by_str(&req->headers, name, strlen(name), -1);
    return at < 0 ? (struct text){"", 0} : edge_http_text(req->headers.entries[at].value);
}

/* Answers. */

void edge_http_add_header(h2o_req_t *req, const char *name, struct text value)
{
    h2o_iovec_t copy = h2o_strdup(&req->pool, value.data, value.size);
    h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 0, NULL, copy.base,
                          copy.len);
}

static void set_head(h2o_req_t *req, const struct edge_answer *answer)
{
    char seconds[16];
    req->res.status = answer->status;
    req->res.reason = answer->status < 300 ? "OK" : "Refused";
    req->res.content_length = answer->json.size;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                   H2O_STRLIT("application/json"));
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CACHE_CONTROL, NULL,
                   H2O_STRLIT("no-store"));
    if (answer->cursor.size > 0)
        edge_http_add_header(req, "meridian-cursor", answer->cursor);
    if (answer->resync)
        edge_http_add_header(req, "meridian-resync", TEXT("1"));
    if (answer->retry_after_ms > 0) {
        (void)snprintf(seconds, sizeof seconds, "%u", (answer->retry_after_ms + 999) / 1000);
        edge_http_add_header(req, "retry-after", text_of(seconds));
    }
}

void edge_http_add_methods(h2o_req_t *req, const char *name, unsigned methods)
{
    struct buffer list = {0};
    edge_methods_write(&list, methods);
    edge_http_add_header(req, name, buffer_text(&list));
    buffer_free(&list);
}

int edge_http_answer_nothing(h2o_req_t *req)
{
    req->res.status = 204;
    req->res.reason = "No Content";
    h2o_send_inline(req, "", 0);
    return 0;
}

/* The whole of a small answer that nobody waits for. */
int edge_http_answer_now(h2o_req_t *req, const struct edge_answer *answer)
{
    set_head(req, answer);
    h2o_send_inline(req, answer->json.data, answer->json.size);
    return 0;
}

static int refuse_now(h2o_req_t *req, const struct edge_refusal *refusal)
{
    struct buffer json = {0};
    edge_refusal_write(&json, refusal);
    edge_http_answer_now(req, &(struct edge_answer){.status = refusal->status,
                                                    .json = buffer_text(&json),
                                                    .retry_after_ms = refusal->retry_after_ms});
    buffer_free(&json);
    return 0;
}

int edge_http_refuse_now(h2o_req_t *req, int status, const char *code, const char *message)
{
    const struct edge_refusal refusal = edge_refusal(status, code, message);
    return refuse_now(req, &refusal);
}

int edge_http_refuse_for_now(h2o_req_t *req, int status, const char *code, const char *message,
                             uint32_t again_ms)
{
    struct edge_refusal refusal = edge_refusal(status, code, message);
    refusal.retry_after_ms = again_ms;
    req->http1_is_persistent = 0; /* it would only be held */
    return refuse_now(req, &refusal);
}

int edge_http_refuse_unauthorized(struct edge_http *http, h2o_req_t *req)
{
    static struct log_limit limit;
    struct address client = edge_http_client(http, req);
    log_limited(&limit, LOG_LEVEL_INFO, "a request is answered as unauthorized",
                LOG_STRING("client", address_name(&client).text));
    edge_http_add_header(req, "www-authenticate", TEXT("Bearer"));
    return edge_http_refuse_now(req, 401, EDGE_AUTH_CODE, EDGE_AUTH_MESSAGE);
}

static void on_request_dispose(void *data)
{
    struct edge_request *request = data;
    struct edge_request_owner *owner = request->owner;
    free(request->token);
    request->http->requests--;
    request->owner = NULL;
    if (owner != NULL)
        owner->on_gone(owner, request->written);
}

/* The answer is in the socket. */
static void on_answer_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    container_of(generator, struct edge_request, generator)->written = true;
    h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
}

static void on_answer_stop(h2o_generator_t *generator, h2o_req_t *req)
{
    (void)generator;
    (void)req;
}

void edge_request_own(struct edge_request *request, struct edge_request_owner *owner)
{
    request->owner = owner;
}

void edge_request_answer(struct edge_request *request, const struct edge_answer *answer)
{
    h2o_req_t *req = request->req;
    assert(!request->answered);
    request->answered = true;
    if (text_equal(edge_http_text(req->method), TEXT("HEAD"))) { /* it changes nothing */
        edge_http_answer_now(req, answer);
        return;
    }
    set_head(req, answer);
    h2o_iovec_t body = h2o_strdup(&req->pool, answer->json.data, answer->json.size);
    h2o_start_response(req, &request->generator);
    h2o_send(req, &body, 1, H2O_SEND_STATE_IN_PROGRESS);
}

void edge_request_refuse(struct edge_request *request, int status, const char *code,
                         const char *message)
{
    const struct edge_refusal refusal = edge_refusal(status, code, message);
    edge_request_refuse_as(request, &refusal);
}

void edge_request_refuse_as(struct edge_request *request, const struct edge_refusal *refusal)
{
    request->answered = true;
    refuse_now(request->req, refusal);
}

struct text edge_request_header(const struct edge_request *request, const char *name)
{
    return edge_http_header(request->req, name);
}

const struct edge_token *edge_request_token(const struct edge_request *request)
{
    return request->token;
}

struct address edge_request_client(const struct edge_request *request)
{
    return edge_http_client(request->http, request->req);
}

void edge_request_unauthorized(struct edge_request *request)
{
    request->answered = true;
    edge_http_refuse_unauthorized(request->http, request->req);
}

/* Takes `token`. */
struct edge_request *edge_http_request_new(struct edge_http *http, h2o_req_t *req,
                                           struct edge_token *token)
{
    struct edge_request *request =
        h2o_mem_alloc_shared(&req->pool, sizeof *request, on_request_dispose);
    *request = (struct edge_request){.http = http, .req = req, .token = token};
    request->generator.proceed = on_answer_proceed;
    request->generator.stop = on_answer_stop;
    http->requests++;
    return request;
}
