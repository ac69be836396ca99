#include "edge/edge_proxy.h"

#include <errno.h>
#include <string.h>

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                      0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
static const char first_word[] = "PROXY ";

static bool may_be(const uint8_t *bytes, size_t size, const void *beginning, size_t whole)
{
    return memcmp(bytes, beginning, size < whole ? size : whole) == 0;
}

/* Version 1. */

/* Up to the next space, which is taken too. */
static struct text take_word(struct text *rest)
{
    const char *space = rest->size == 0 ? NULL : memchr(rest->data, ' ', rest->size);
    struct text word = {rest->data, space == NULL ? rest->size : (size_t)(space - rest->data)};
    size_t used = space == NULL ? word.size : word.size + 1;
    rest->data += used;
    rest->size -= used;
    return word;
}

static bool is_port(struct text word)
{
    uint64_t port;
    return (word.size == 1 || (word.size > 1 && word.data[0] != '0')) &&
           text_to_u64(word, UINT16_MAX, &port) == 0;
}

static int parse_address(struct text word, bool v6, struct address *ret_address)
{
    bool colon = word.size > 0 && memchr(word.data, ':', word.size) != NULL;
    return colon == v6 && address_parse(word, ret_address) == 0 ? 0 : -EPROTO;
}

/* "TCP4 192.0.2.1 192.0.2.2 4711 80" */
static int parse_line(struct text line, struct edge_proxy *ret_proxy)
{
    bool ends_in_space = line.size > 0 && line.data[line.size - 1] == ' ';
    struct text family = take_word(&line);
    struct address to;
    if (text_equal(family, TEXT("UNKNOWN")))
        return 0; /* what follows says nothing */
    bool v6 = text_equal(family, TEXT("TCP6"));
    if (ends_in_space || (!v6 && !text_equal(family, TEXT("TCP4"))))
        return -EPROTO;
    if (parse_address(take_word(&line), v6, &ret_proxy->address) != 0 ||
        parse_address(take_word(&line), v6, &to) != 0)
        return -EPROTO;
    struct text from_port = take_word(&line);
    struct text to_port = take_word(&line);
    if (!is_port(from_port) || !is_port(to_port) || line.size > 0)
        return -EPROTO;
    ret_proxy->has_address = true;
    return 0;
}

static int parse_v1(const uint8_t *bytes, size_t size, struct edge_proxy *ret_proxy)
{
    const size_t begin = sizeof first_word - 1;
    size_t looked = size < EDGE_PROXY_LINE_MAX ? size : EDGE_PROXY_LINE_MAX;
    const uint8_t *end = memchr(bytes, '\n', looked);
    if (end == NULL)
        return looked < EDGE_PROXY_LINE_MAX ? -EAGAIN : -EPROTO;
    size_t used = (size_t)(end - bytes) + 1;
    if (used < begin + 2 || end[-1] != '\r')
        return -EPROTO;
    struct edge_proxy proxy = {.size = used};
    int err = parse_line((struct text){(const char *)bytes + begin, used - begin - 2}, &proxy);
    if (err == 0)
        *ret_proxy = proxy;
    return err;
}

/* Version 2. */

enum {
    HEAD_SIZE = 16, /* signature, version and command, family and protocol, length */
    COMMAND_LOCAL = 0x20,
    COMMAND_PROXY = 0x21,
    TLV_HEAD_SIZE = 3,
    TLV_CRC32C = 0x03,
};

struct family {
    uint8_t byte;       /* family and protocol */
    uint8_t size;       /* of its two addresses and ports */
    uint8_t bytes_each; /* of one address that counts; 0: none does */
};
/* A stream cannot be of a datagram protocol. */
static const struct family families[] = {
    {0x00, 0, 0},
    {0x11, 12, 4},
    {0x21, 36, 16},
    {0x31, 216, 0},
};

static const struct family *family_of(uint8_t byte)
{
    for (size_t i = 0; i < COUNT_OF(families); i++)
        if (families[i].byte == byte)
            return &families[i];
    return NULL;
}

static uint32_t crc32c_add(uint32_t crc, uint8_t byte)
{
    static const uint32_t polynomial = 0x82f63b78; /* Castagnoli's, reflected (RFC 3720, 12.1) */
    crc ^= byte;
    for (int bit = 0; bit < 8; bit++)
        crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
    return crc;
}

/* Over the whole header, its own four bytes taken as zero. */
static bool crc_is_right(const uint8_t *bytes, size_t size, size_t at)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++)
        crc = crc32c_add(crc, i >= at && i < at + 4 ? 0 : bytes[i]);
    uint32_t told = (uint32_t)bytes[at] << 24 | (uint32_t)bytes[at + 1] << 16 |
                    (uint32_t)bytes[at + 2] << 8 | bytes[at + 3];
    return told == ~crc;
}

static int check_tlvs(const uint8_t *bytes, size_t size, size_t at)
{
    while (at < size) {
        if (size - at < TLV_HEAD_SIZE)
            return -EPROTO;
        size_t length = (size_t)bytes[at + 1] << 8 | bytes[at + 2];
        uint8_t type = bytes[at];
        at += TLV_HEAD_SIZE;
        if (length > size - at)
            return -EPROTO;
        if (type == TLV_CRC32C && (length != 4 || !crc_is_right(bytes, size, at)))
            return -EPROTO;
        at += length;
    }
    return 0;
}

static struct address address_at(const uint8_t *bytes, size_t size)
{
    struct address address = {.bytes = {[10] = 0xff, [11] = 0xff}};
    memcpy(address.bytes + sizeof address.bytes - size, bytes, size);
    return address;
}

static int parse_v2(const uint8_t *bytes, size_t size, struct edge_proxy *ret_proxy)
{
    if (size < HEAD_SIZE)
        return -EAGAIN;
    bool local = bytes[12] == COMMAND_LOCAL;
    const struct family *family = family_of(bytes[13]);
    struct edge_proxy proxy = {.size = HEAD_SIZE + ((size_t)bytes[14] << 8 | bytes[15])};
    if (!local && (bytes[12] != COMMAND_PROXY || family == NULL ||
                   proxy.size < HEAD_SIZE + (size_t)family->size))
        return -EPROTO;
    if (proxy.size > EDGE_PROXY_HEADER_MAX)
        return -E2BIG;
    if (size < proxy.size)
        return -EAGAIN;
    /* What a local one tells of a family is to be skipped, and may be anything. An unknown family's
     * addresses have no size to skip. */
    if (!local && family->byte != 0) {
        int err = check_tlvs(bytes, proxy.size, HEAD_SIZE + (size_t)family->size);
        if (err != 0)
            return err;
        proxy.has_address = family->bytes_each > 0;
        if (proxy.has_address)
            proxy.address = address_at(bytes + HEAD_SIZE, family->bytes_each);
    }
    *ret_proxy = proxy;
    return 0;
}

int edge_proxy_parse(const uint8_t *bytes, size_t size, struct edge_proxy *ret_proxy)
{
    if (size == 0)
        return -EAGAIN;
    if (may_be(bytes, size, first_word, sizeof first_word - 1))
        return parse_v1(bytes, size, ret_proxy);
    if (may_be(bytes, size, signature, sizeof signature))
        return parse_v2(bytes, size, ret_proxy);
    return -EPROTO;
}
