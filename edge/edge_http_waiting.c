/* Connections that owe a request: new ones, and those whose last one is answered. libh2o ends them
 * after `times.request`, however it drips; how many there are is bounded here. */
#include "edge/edge_http_internal.h"

#include "log/log.h"

#include <sys/socket.h>

void edge_http_wait(struct edge_http_connection *connection)
{
    struct edge_http_waiting *waiting = &connection->http->waiting;
    connection->since_ms = loop_now_ms(connection->http->settings.loop);
    list_push(&waiting->list, &connection->waiting);
    waiting->count++;
}

void edge_http_wait_no_more(struct edge_http_connection *connection)
{
    if (!list_linked(&connection->waiting))
        return;
    list_remove(&connection->waiting);
    connection->http->waiting.count--;
}

void edge_http_give_up(const struct edge_http_connection *connection)
{
    (void)shutdown(h2o_socket_get_fd(connection->socket), SHUT_RDWR);
}

enum { HEAD_MAX = 16 * 1024 }; /* the largest body comes to it */

static void on_request_over(void *data)
{
    edge_http_wait(*(struct edge_http_connection **)data);
}

void edge_http_wait_no_more_for(h2o_req_t *req)
{
    const h2o_socket_t *socket = req->conn->callbacks->get_socket(req->conn);
    struct edge_http_connection *connection = socket->on_close.data;
    edge_http_wait_no_more(connection);
    struct edge_http_connection **over =
        h2o_mem_alloc_shared(&req->pool, sizeof *over, on_request_over);
    *over = connection;
}

void edge_http_waiting_tick(struct edge_http *http)
{
    const size_t most = HEAD_MAX + http->config.max_request_entity_size;
    list_each(node, &http->waiting.list)
    {
        const struct edge_http_connection *connection =
            container_of(node, struct edge_http_connection, waiting);
        if (connection->socket->input->size > most)
            edge_http_give_up(connection);
    }
}

bool edge_http_may_come(struct edge_http *http)
{
    static struct log_limit limit;
    const struct edge_http_waiting *waiting = &http->waiting;
    if (waiting->count < http->settings.edge->unfinished_max)
        return true;
    log_limited(&limit, LOG_LEVEL_WARNING,
                "the limit of connections without a request is reached, the listener rests");
    const struct edge_http_connection *oldest =
        container_of(waiting->list.next, struct edge_http_connection, waiting);
    if (loop_now_ms(http->settings.loop) - oldest->since_ms >= EDGE_HTTP_GIVES_WAY_MS)
        edge_http_give_up(oldest);
    return false;
}
