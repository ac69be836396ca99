#include "edge/edge_forwarded.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* Whether the quote at `at` is one of a quoted string's text: an odd number of backslashes. */
static bool is_escaped(struct text from, size_t at)
{
    size_t begin = at;
    while (begin > 0 && from.data[begin - 1] == '\\')
        begin--;
    return (at - begin) % 2 == 1;
}

/* What stands behind the last comma outside of quotes; false when nothing is left. From the right,
 * since the right end was written by a balancer, and a quote that a client left open must not hide
 * it. */
static bool take_last(struct text *rest, bool quotes, struct text *ret_entry)
{
    bool quoted = false;
    size_t at = rest->size;
    if (rest->data == NULL)
        return false;
    while (at > 0 && (quoted || rest->data[at - 1] != ',')) {
        at--;
        if (quotes && rest->data[at] == '"' && !is_escaped(*rest, at))
            quoted = !quoted;
    }
    *ret_entry = text_trim((struct text){rest->data + at, rest->size - at});
    *rest = at == 0 ? (struct text){NULL, 0} : (struct text){rest->data, at - 1};
    return true;
}

/* An address, maybe with a port. */

static bool is_port(struct text from)
{
    uint64_t port;
    return from.size > 1 && from.size <= 6 && from.data[0] == ':' &&
           text_to_u64((struct text){from.data + 1, from.size - 1}, UINT16_MAX, &port) == 0;
}

/* "[2001:db8::1]:4711" */
static int parse_bracketed(struct text from, struct address *ret_address)
{
    const char *close = memchr(from.data, ']', from.size);
    if (close == NULL)
        return -EINVAL;
    struct text inside = {from.data + 1, (size_t)(close - from.data) - 1};
    struct text port = {close + 1, from.size - inside.size - 2};
    if ((port.size > 0 && !is_port(port)) || memchr(inside.data, ':', inside.size) == NULL)
        return -EINVAL;
    return address_parse(inside, ret_address);
}

/* `bare_v6`: X-Forwarded-For also has IPv6 addresses without brackets. */
static int parse_node(struct text from, bool bare_v6, struct address *ret_address)
{
    if (from.size == 0)
        return -EINVAL;
    if (from.data[0] == '[')
        return parse_bracketed(from, ret_address);
    const char *colon = memchr(from.data, ':', from.size);
    if (colon == NULL)
        return address_parse(from, ret_address);
    size_t before = (size_t)(colon - from.data);
    bool one = memchr(colon + 1, ':', from.size - before - 1) == NULL;
    if (!one)
        return bare_v6 ? address_parse(from, ret_address) : -EINVAL;
    if (!is_port((struct text){colon, from.size - before}))
        return -EINVAL;
    return address_parse((struct text){from.data, before}, ret_address);
}

/* An element of Forwarded: for=192.0.2.1;proto=https;by="[::1]" */

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static struct text take_token(struct text *rest)
{
    struct text token = {rest->data, 0};
    while (token.size < rest->size && is_token_char(rest->data[token.size]))
        token.size++;
    rest->data += token.size;
    rest->size -= token.size;
    return token;
}

/* No address has anything that must be escaped, so a value with a backslash is none; it is taken
 * as it stands. */
static int take_quoted(struct text *rest, struct text *ret_value)
{
    size_t end = 1;
    while (end < rest->size && (rest->data[end] != '"' || is_escaped(*rest, end)))
        end++;
    if (end >= rest->size)
        return -EINVAL;
    *ret_value = (struct text){rest->data + 1, end - 1};
    rest->data += end + 1;
    rest->size -= end + 1;
    return 0;
}

static int take_pair(struct text *rest, struct text *ret_name, struct text *ret_value)
{
    *ret_name = take_token(rest);
    if (ret_name->size == 0 || rest->size < 2 || rest->data[0] != '=')
        return -EINVAL;
    rest->data++;
    rest->size--;
    if (rest->data[0] == '"')
        return take_quoted(rest, ret_value);
    *ret_value = take_token(rest);
    return ret_value->size > 0 ? 0 : -EINVAL;
}

/* Empty when it says nothing of for. */
static int find_for(struct text element, struct text *ret_node)
{
    struct text node = {"", 0};
    while (element.size > 0) {
        struct text name;
        struct text value;
        if (take_pair(&element, &name, &value) != 0)
            return -EINVAL;
        if (name.size == 3 && strncasecmp(name.data, "for", 3) == 0) {
            if (node.size > 0)
                return -EINVAL;
            node = value;
        }
        if (element.size > 0 && element.data[0] != ';')
            return -EINVAL;
        if (element.size > 0) {
            element.data++;
            element.size--;
        }
    }
    *ret_node = node;
    return 0;
}

static int parse_entry(struct text entry, enum edge_forwarded_header header,
                       struct address *ret_address)
{
    struct text node;
    if (header == EDGE_FORWARDED_X_FOR)
        return parse_node(entry, true, ret_address);
    if (find_for(entry, &node) != 0)
        return -EINVAL;
    return parse_node(node, false, ret_address);
}

struct address edge_forwarded_client(const struct edge_forwarded *forwarded,
                                     const struct address *peer)
{
    bool quotes = forwarded->header == EDGE_FORWARDED_RFC7239;
    struct address client = *peer;
    size_t hops = 0;
    for (size_t i = forwarded->count; i > 0; i--) {
        struct text rest = forwarded->values[i - 1];
        for (struct text entry; take_last(&rest, quotes, &entry);) {
            if (hops++ == EDGE_FORWARDED_HOPS_MAX || !networks_have(forwarded->trusted, &client) ||
                parse_entry(entry, forwarded->header, &client) != 0)
                return client;
        }
    }
    return client;
}
