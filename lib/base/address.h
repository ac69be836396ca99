/* Addresses and networks of clients, IPv4 and IPv6 alike: an IPv4 address is kept as the IPv6 one
 * that maps it, ::ffff:a.b.c.d (RFC 4291, section 2.5.5.2). Pure. */
#pragma once

#include "base/macros.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct sockaddr;

struct address {
    uint8_t bytes[16];
};

struct network {
    struct address address; /* the bits past the prefix are zero */
    uint8_t prefix;         /* 0 to 128; of an IPv4 network 96 more than as written */
};

enum { ADDRESS_TEXT_SIZE = 46, NETWORK_TEXT_SIZE = 50 };

/* "192.0.2.1", "2001:db8::1". -EINVAL. */
MUST_USE int address_parse(struct text from, struct address *ret_address);
/* -EINVAL when it is neither of AF_INET nor of AF_INET6. */
MUST_USE int address_of_socket(const struct sockaddr *from, struct address *ret_address);
/* "192.0.2.0/24", "2001:db8::/32"; without a slash a network of one address. -EINVAL, also when
 * bits past the prefix are set: whoever wrote that meant something else. */
MUST_USE int network_parse(struct text from, struct network *ret_network);
bool network_has(const struct network *network, const struct address *address);
bool address_is_v4(const struct address *address);
/* Of this machine: 127.0.0.0/8, or ::1. */
bool address_is_loopback(const struct address *address);
/* Not of the public internet: private, loopback, link-local, shared, documentation and the like
 * (RFC 6890). A database says nothing of these, or guesses. */
bool address_is_private(const struct address *address);
/* What stands for the neighbourhood of a client: its /24, or its /48 in IPv6. */
struct network network_around(const struct address *address);
void address_text(const struct address *address, char ret_text[ADDRESS_TEXT_SIZE]);
/* The same as a value, for a line of the log: address_name(&client).text */
struct address_name {
    char text[ADDRESS_TEXT_SIZE];
};
struct address_name address_name(const struct address *address);
void network_text(const struct network *network, char ret_text[NETWORK_TEXT_SIZE]);
