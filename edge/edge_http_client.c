/* Who the client of a request is. */
#include "edge/edge_http_internal.h"

#include "edge/edge_forwarded.h"

#include <netinet/in.h>
#include <string.h>

/* h2o keeps it with the socket, in place of what it would ask the kernel. */
void edge_http_set_peer(h2o_socket_t *socket, const struct address *peer)
{
    struct sockaddr_in6 as_v6 = {.sin6_family = AF_INET6};
    memcpy(&as_v6.sin6_addr, peer->bytes, sizeof peer->bytes);
    h2o_socket_setpeername(socket, (struct sockaddr *)&as_v6, sizeof as_v6);
}

struct address edge_http_client(struct edge_http *http, h2o_req_t *req)
{
    static const char *const names[] = {
        [EDGE_FORWARDED_X_FOR] = "x-forwarded-for",
        [EDGE_FORWARDED_RFC7239] = "forwarded",
    };
    unsigned header = http->settings.edge->forwarded_header;
    struct text values[H2O_MAX_HEADERS];
    size_t count = 0;
    struct address peer = {{0}};
    struct sockaddr_storage from;
    if (req->conn->callbacks->get_peername(req->conn, (struct sockaddr *)&from) == 0 ||
        address_of_socket((const struct sockaddr *)&from, &peer) != 0 ||
        !networks_have(&http->forwarders, &peer))
        return peer;
    for (ssize_t at = -1; count < H2O_MAX_HEADERS;) {
        at = h2o_find_header_by_str(&req->headers, names[header], strlen(names[header]), at);
        if (at < 0)
            break;
        values[count++] = edge_http_text(req->headers.entries[at].value);
    }
    return edge_forwarded_client(&(struct edge_forwarded){(enum edge_forwarded_header)header,
                                                          &http->forwarders, values, count},
                                 &peer);
}
