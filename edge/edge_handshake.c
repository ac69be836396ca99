#include "edge/edge_handshake.h"

#include "edge/edge_auth.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>
#include <strings.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static struct text without_space(struct text from)
{
    while (from.size > 0 && is_space(from.data[0])) {
        from.data++;
        from.size--;
    }
    while (from.size > 0 && is_space(from.data[from.size - 1]))
        from.size--;
    return from;
}

bool edge_handshake_list_has(struct text list, struct text wanted, bool fold)
{
    while (list.size > 0) {
        const char *comma = memchr(list.data, ',', list.size);
        size_t size = comma == NULL ? list.size : (size_t)(comma - list.data);
        struct text item = without_space((struct text){.data = list.data, .size = size});
        if (item.size == wanted.size &&
            (fold ? strncasecmp(item.data, wanted.data, wanted.size) == 0
                  : memcmp(item.data, wanted.data, wanted.size) == 0))
            return true;
        size_t used = comma == NULL ? size : size + 1;
        list.data += used;
        list.size -= used;
    }
    return false;
}

/* The key. */

static bool is_base64(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

bool edge_handshake_key_is_good(struct text key)
{
    if (key.size != EDGE_HANDSHAKE_KEY || key.data[22] != '=' || key.data[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++)
        if (!is_base64(key.data[i]))
            return false;
    return true;
}

void edge_handshake_accept(struct text key, char accept[EDGE_HANDSHAKE_ACCEPT])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455, 1.3 */
    char joined[EDGE_HANDSHAKE_KEY + sizeof guid];
    unsigned char digest[SHA_DIGEST_LENGTH];
    memcpy(joined, key.data, EDGE_HANDSHAKE_KEY);
    memcpy(joined + EDGE_HANDSHAKE_KEY, guid, sizeof guid);
    SHA1((const unsigned char *)joined, sizeof joined - 1, digest);
    EVP_EncodeBlock((unsigned char *)accept, digest, sizeof digest);
}

/* Extensions (9.1):  extension *( "," extension ),
 *     extension = token *( ";" token [ "=" ( token | quoted token ) ] ),
 * with space around every part, and empty elements of the list passed over (RFC 7230, 7). */

static bool is_token_char(char c)
{
    return c > ' ' && c < 0x7f && strchr("()<>@,;:\\\"/[]?={}", c) == NULL;
}

static void skip_space(struct text *from)
{
    while (from->size > 0 && is_space(from->data[0])) {
        from->data++;
        from->size--;
    }
}

static bool take_char(struct text *from, char c)
{
    skip_space(from);
    if (from->size == 0 || from->data[0] != c)
        return false;
    from->data++;
    from->size--;
    return true;
}

static bool take_token(struct text *from)
{
    size_t size = 0;
    skip_space(from);
    while (size < from->size && is_token_char(from->data[size]))
        size++;
    from->data += size;
    from->size -= size;
    return size > 0;
}

/* Behind its first quote; what it stands for must be a token, too. */
static bool take_quoted(struct text *from)
{
    size_t size = 0;
    for (size_t at = 0; at < from->size; at++, size++) {
        if (from->data[at] == '"') {
            from->data += at + 1;
            from->size -= at + 1;
            return size > 0;
        }
        if (from->data[at] == '\\' && ++at == from->size)
            return false;
        if (!is_token_char(from->data[at]))
            return false;
    }
    return false;
}

static bool take_extension(struct text *from)
{
    if (!take_token(from))
        return false;
    while (take_char(from, ';')) {
        if (!take_token(from))
            return false;
        if (take_char(from, '=') && !(take_char(from, '"') ? take_quoted(from) : take_token(from)))
            return false;
    }
    return true;
}

bool edge_handshake_extensions_are_good(struct text list)
{
    for (;;) {
        while (take_char(&list, ',')) {
        }
        if (list.size == 0)
            return true;
        if (!take_extension(&list))
            return false;
        skip_space(&list);
        if (list.size > 0 && list.data[0] != ',')
            return false;
    }
}

/* The headers. */

static void on_key(struct edge_handshake *handshake, struct text value)
{
    handshake->key = value;
    handshake->keys++;
}

static void on_version(struct edge_handshake *handshake, struct text value)
{
    handshake->version = value;
    handshake->versions++;
}

static void on_protocol(struct edge_handshake *handshake, struct text value)
{
    handshake->asks = handshake->asks || value.size > 0;
    handshake->v1 = handshake->v1 || edge_handshake_list_has(value, TEXT("meridian.v1"), false);
    if (handshake->bearer.size == 0)
        handshake->bearer = edge_auth_of_protocols(value);
}

static void on_origin(struct edge_handshake *handshake, struct text value)
{
    handshake->origin = value;
    handshake->origins++;
}

static void on_extensions(struct edge_handshake *handshake, struct text value)
{
    if (!edge_handshake_extensions_are_good(value))
        handshake->bad_extensions = true;
}

static const struct header {
    const char *name;
    void (*on_line)(struct edge_handshake *handshake, struct text value);
} headers[] = {
    {"sec-websocket-key", on_key},
    {"sec-websocket-version", on_version},
    {"sec-websocket-protocol", on_protocol},
    {"sec-websocket-extensions", on_extensions},
    {"origin", on_origin},
};

void edge_handshake_header(struct edge_handshake *handshake, struct text name, struct text value)
{
    for (size_t i = 0; i < COUNT_OF(headers); i++)
        if (text_equal(name, text_of(headers[i].name)))
            headers[i].on_line(handshake, without_space(value));
}

static struct edge_handshake_refusal bad_request(const char *message)
{
    return (struct edge_handshake_refusal){400, "bad_request", message};
}

struct edge_handshake_refusal edge_handshake_judge(const struct edge_handshake *handshake)
{
    if (!handshake->get)
        return bad_request("a WebSocket begins with a GET of HTTP/1.1");
    if (!handshake->host)
        return bad_request("the header Host is missing");
    if (!edge_handshake_list_has(handshake->upgrade, TEXT("websocket"), true))
        return bad_request("Upgrade: websocket with Connection: Upgrade is missing");
    if (handshake->versions > 1)
        return bad_request("the header Sec-WebSocket-Version is there more than once");
    if (!text_equal(handshake->version, TEXT("13")))
        return (struct edge_handshake_refusal){426, "bad_request",
                                               "WebSocket version 13 is spoken here"};
    if (handshake->keys != 1 || !edge_handshake_key_is_good(handshake->key))
        return bad_request("the header Sec-WebSocket-Key must be there once, with 16 bytes in "
                           "base64");
    if (handshake->bad_extensions)
        return bad_request("the header Sec-WebSocket-Extensions is malformed");
    if (handshake->body)
        return bad_request("a request for a WebSocket has no body");
    if (handshake->asks && !handshake->v1)
        return (struct edge_handshake_refusal){400, "unknown_subprotocol",
                                               "the only subprotocol is meridian.v1"};
    return (struct edge_handshake_refusal){0};
}
