/* Keyed hashes (SipHash-2-4, by libsodium).
 * Stable ones are part of the log's format: see docs/protocol.md. */
#pragma once

#include "base/text.h"

#include <stdint.h>

struct fingerprint { /* 128 bits */
    uint8_t bytes[16];
};

/* The name and version that a genesis record carries for hash_shard(). */
#define HASH_SHARD_NAME "siphash24"
enum { HASH_SHARD_VERSION = 1 };

/* The shard, 0 to shards - 1, of a user. The same everywhere and for ever: SipHash-2-4 with a key
 * of zeros, modulo the number of shards. */
uint32_t hash_shard(struct text user, uint32_t shards);
/* 128-bit SipHash-2-4 under `key`. */
struct fingerprint hash_fingerprint(const uint8_t key[16], const void *bytes, size_t size);
/* Adds `bytes` to a check over a set of byte strings that does not depend on their order: the sum,
 * in each half modulo 2^64, of their hash_fingerprint() under a key of zeros. Starts at zeros.
 * Against accidents, not against people. */
void hash_sum(struct fingerprint *sum, const void *bytes, size_t size);
/* 64 bits under a key that is random per process: for tables in memory only. */
uint64_t hash_local(const void *bytes, size_t size);
/* Random bytes from the system. */
void hash_random(void *bytes, size_t size);
