/* Forwarded and X-Forwarded-For: whatever a client invented to the left, the entry that a balancer
 * appended is the one that counts. */
#include "edge/edge_forwarded.h"

#include <stdlib.h>
#include <string.h>

static void require(bool holds)
{
    if (!holds)
        abort();
}

static struct address read_address(const char *text)
{
    struct address address;
    require(address_parse(text_of(text), &address) == 0);
    return address;
}

/* An exact copy, so that the sanitizer sees every read past the end. */
static struct address client_of(const struct networks *trusted, enum edge_forwarded_header header,
                                struct text invented, const char *appended)
{
    size_t size = invented.size + strlen(appended);
    char *copy = malloc(size == 0 ? 1 : size);
    require(copy != NULL);
    if (invented.size > 0)
        memcpy(copy, invented.data, invented.size);
    memcpy(copy + invented.size, appended, strlen(appended));
    struct text value = {copy, size};
    struct address balancer = read_address("10.0.0.1");
    struct edge_forwarded forwarded = {header, trusted, &value, 1};
    struct address client = edge_forwarded_client(&forwarded, &balancer);
    free(copy);
    return client;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const appended[] = {
        [EDGE_FORWARDED_X_FOR] = ", 2001:db8::77",
        [EDGE_FORWARDED_RFC7239] = ", for=\"[2001:db8::77]:1\"",
    };
    struct networks trusted;
    struct text invented = {(const char *)data, size};
    struct address expected = read_address("2001:db8::77");
    require(networks_parse(TEXT("10.0.0.0/8"), &trusted) == 0);
    for (int header = EDGE_FORWARDED_X_FOR; header <= EDGE_FORWARDED_RFC7239; header++) {
        (void)client_of(&trusted, (enum edge_forwarded_header)header, invented, "");
        struct address client =
            client_of(&trusted, (enum edge_forwarded_header)header, invented, appended[header]);
        require(memcmp(&client, &expected, sizeof client) == 0);
    }
    return 0;
}
