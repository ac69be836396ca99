#include "base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { V4_BITS = 32, V6_BITS = 128, MAPPED_BITS = V6_BITS - V4_BITS };

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static struct address map_v4(const void *four_bytes)
{
    struct address address;
    memcpy(address.bytes, mapped, sizeof mapped);
    memcpy(address.bytes + sizeof mapped, four_bytes, 4);
    return address;
}

bool address_is_v4(const struct address *address)
{
    return memcmp(address->bytes, mapped, sizeof mapped) == 0;
}

int address_parse(struct text from, struct address *ret_address)
{
    char terminated[ADDRESS_TEXT_SIZE];
    struct in_addr v4;
    if (memchr(from.data, '\0', from.size) != NULL ||
        text_put(terminated, sizeof terminated, from) != 0)
        return -EINVAL;
    if (inet_pton(AF_INET, terminated, &v4) == 1) {
        *ret_address = map_v4(&v4);
        return 0;
    }
    return inet_pton(AF_INET6, terminated, ret_address->bytes) == 1 ? 0 : -EINVAL;
}

int address_of_socket(const struct sockaddr *from, struct address *ret_address)
{
    if (from->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, from, sizeof v4);
        *ret_address = map_v4(&v4.sin_addr);
        return 0;
    }
    if (from->sa_family != AF_INET6)
        return -EINVAL;
    struct sockaddr_in6 v6;
    memcpy(&v6, from, sizeof v6);
    memcpy(ret_address->bytes, &v6.sin6_addr, sizeof ret_address->bytes);
    return 0;
}

/* The address with all bits past the prefix zero. */
static struct address cut(const struct address *address, unsigned prefix)
{
    struct address kept = *address;
    for (unsigned i = 0; i < sizeof kept.bytes; i++) {
        unsigned bits = prefix > 8 * i ? prefix - 8 * i : 0;
        if (bits < 8)
            kept.bytes[i] &= (uint8_t)(0xff00u >> bits);
    }
    return kept;
}

static bool is_equal(const struct address *a, const struct address *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

int network_parse(struct text from, struct network *ret_network)
{
    const char *slash = from.size == 0 ? NULL : memchr(from.data, '/', from.size);
    struct text name = from;
    if (slash != NULL)
        name.size = (size_t)(slash - from.data);
    struct network network;
    if (name.size == 0 || address_parse(name, &network.address) != 0)
        return -EINVAL;
    bool v4 = address_is_v4(&network.address) && memchr(name.data, ':', name.size) == NULL;
    uint64_t prefix = v4 ? V4_BITS : V6_BITS;
    if (slash != NULL &&
        text_to_u64((struct text){slash + 1, from.size - name.size - 1}, prefix, &prefix) != 0)
        return -EINVAL;
    network.prefix = (uint8_t)(v4 ? prefix + MAPPED_BITS : prefix);
    struct address kept = cut(&network.address, network.prefix);
    if (!is_equal(&kept, &network.address))
        return -EINVAL;
    *ret_network = network;
    return 0;
}

bool network_has(const struct network *network, const struct address *address)
{
    struct address kept = cut(address, network->prefix);
    return is_equal(&kept, &network->address);
}

bool address_is_private(const struct address *address)
{
    static const char *const networks[] = {
        "0.0.0.0/8",       "10.0.0.0/8",     "100.64.0.0/10", "127.0.0.0/8",    "169.254.0.0/16",
        "172.16.0.0/12",   "192.0.0.0/24",   "192.0.2.0/24",  "192.168.0.0/16", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",   "::/127",         "100::/64",
        "2001:db8::/32",   "fc00::/7",       "fe80::/10",     "ff00::/8",
    };
    for (size_t i = 0; i < COUNT_OF(networks); i++) {
        struct network network;
        if (network_parse(text_of(networks[i]), &network) == 0 && network_has(&network, address))
            return true;
    }
    return false;
}

bool address_is_loopback(const struct address *address)
{
    static const uint8_t one[16] = {[15] = 1};
    if (address_is_v4(address))
        return address->bytes[sizeof mapped] == 127;
    return memcmp(address->bytes, one, sizeof one) == 0;
}

struct network network_around(const struct address *address)
{
    enum { AROUND_V4 = 24, AROUND_V6 = 48 };
    struct network network = {.prefix = AROUND_V6};
    if (address_is_v4(address))
        network.prefix = MAPPED_BITS + AROUND_V4;
    network.address = cut(address, network.prefix);
    return network;
}

void address_text(const struct address *address, char ret_text[ADDRESS_TEXT_SIZE])
{
    const char *text =
        address_is_v4(address)
            ? inet_ntop(AF_INET, address->bytes + sizeof mapped, ret_text, ADDRESS_TEXT_SIZE)
            : inet_ntop(AF_INET6, address->bytes, ret_text, ADDRESS_TEXT_SIZE);
    if (text == NULL)
        ret_text[0] = '\0';
}

struct address_name address_name(const struct address *address)
{
    struct address_name name;
    address_text(address, name.text);
    return name;
}

void network_text(const struct network *network, char ret_text[NETWORK_TEXT_SIZE])
{
    char address[ADDRESS_TEXT_SIZE];
    bool v4 = address_is_v4(&network->address) && network->prefix >= MAPPED_BITS;
    address_text(&network->address, address);
    snprintf(ret_text, NETWORK_TEXT_SIZE, "%s/%u", address,
             v4 ? network->prefix - (unsigned)MAPPED_BITS : network->prefix);
}
