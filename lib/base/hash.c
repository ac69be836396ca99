#include "base/hash.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>

static uint8_t local_key[crypto_shorthash_siphash24_KEYBYTES];
static pthread_once_t local_key_once = PTHREAD_ONCE_INIT;

static uint64_t siphash(const void *bytes, size_t size, const uint8_t *key)
{
    uint8_t out[crypto_shorthash_siphash24_BYTES];
    crypto_shorthash_siphash24(out, bytes, size, key);
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof out; i++)
        value |= (uint64_t)out[i] << (8 * i);
    return value;
}

uint32_t hash_shard(struct text user, uint32_t shards)
{
    static const uint8_t zeros[crypto_shorthash_siphash24_KEYBYTES];
    return (uint32_t)(siphash(user.data, user.size, zeros) % shards);
}

struct fingerprint hash_fingerprint(const uint8_t key[16], const void *bytes, size_t size)
{
    struct fingerprint print;
    crypto_shorthash_siphashx24(print.bytes, bytes, size, key);
    return print;
}

static uint64_t half_of(const struct fingerprint *print, size_t at)
{
    uint64_t value = 0;
    for (size_t i = 0; i < 8; i++)
        value |= (uint64_t)print->bytes[at + i] << (8 * i);
    return value;
}

void hash_sum(struct fingerprint *sum, const void *bytes, size_t size)
{
    static const uint8_t zeros[16];
    const struct fingerprint print = hash_fingerprint(zeros, bytes, size);
    for (size_t at = 0; at < sizeof sum->bytes; at += 8) {
        const uint64_t half = half_of(sum, at) + half_of(&print, at);
        for (size_t i = 0; i < 8; i++)
            sum->bytes[at + i] = (uint8_t)(half >> (8 * i));
    }
}

static void make_local_key(void)
{
    randombytes_buf(local_key, sizeof local_key);
}

uint64_t hash_local(const void *bytes, size_t size)
{
    pthread_once(&local_key_once, make_local_key);
    return siphash(bytes, size, local_key);
}

void hash_random(void *bytes, size_t size)
{
    randombytes_buf(bytes, size);
}
