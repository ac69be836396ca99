/* One immutable file of fingerprints with their cursors, sorted, for finding whether one is in it:
 * a closed part of a shard's dedupe set. Files lie in one folder a shard and are named by number.
 *
 * Little-endian, in pages of 4,096 bytes:
 *   1 page    header: u32 magic "MSG1", u32 version, u64 id, i64 start_ms, i64 end_ms, u32 count,
 *             16 bytes sum of the entries, u32 CRC of the tail, u32 CRC of these bytes; zeros
 *   n pages   entries of 28 bytes (16 fingerprint, u32 epoch, u64 seq), 146 a page, ascending by
 *             fingerprint; zeros; u32 CRC of the page
 *   tail      a Bloom filter, one line of 64 bytes for each 51 entries, then 8 bytes for each page:
 *             the beginning of its first fingerprint
 * The tail is in memory while a segment is open, 1.3 bytes an entry; a page is read when the filter
 * does not rule it out. Whatever is read is checked: -EILSEQ is damage, -EIO and others the disk.
 *
 * An open segment may be used by several threads at once; it never changes. */
#pragma once

#include "base/buffer.h"
#include "base/error_text.h"
#include "base/hash.h"
#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

enum { SEGMENT_ENTRY_SIZE = 28, SEGMENT_ENTRIES_MAX = 16777216 };

struct segment_info {
    uint64_t id; /* from 1 */
    int64_t start_ms;
    int64_t end_ms;
    uint32_t count;
    struct fingerprint sum; /* of the entries: hash_sum() */
};

/* Writes a file from entries that are sorted (asserted by nobody, checked: -EINVAL), under another
 * name first; synced when it returns, and so is the folder, which is made when it is not there. */
MUST_USE int segment_write(const char *folder, const struct segment_info *info, const void *entries,
                           size_t size);
/* All bytes of a file, to be kept elsewhere. Not checked; segment_install() does. -ENOENT. */
MUST_USE int segment_read_all(const char *folder, uint64_t id, struct buffer *out);
/* The other way: makes the file of these bytes, after all of them were checked, also against
 * `expected`, what the state that refers to it says. -EILSEQ: damaged, or another one. Replaces one
 * that is there. */
MUST_USE int segment_install(const char *folder, const struct segment_info *expected,
                             const void *bytes, size_t size);
MUST_USE int segment_remove(const char *folder, uint64_t id); /* fine when it is not there */
/* Removes what was not finished, and each segment that `is_needed` does not know (NULL: all). */
MUST_USE int segment_clean(const char *folder, void *context,
                           bool (*is_needed)(void *context, uint64_t id));

struct segment; /* an open one; opaque, see segment.c */

/* Reads the header and the tail. -EILSEQ when they are damaged, -ENOENT. */
MUST_USE int segment_open(const char *folder, uint64_t id, struct segment **ret_segment,
                          struct error_text *reterr_why);
/* Of any descriptor, which it takes, also when it fails. */
MUST_USE int segment_open_fd(int fd, struct segment **ret_segment, struct error_text *reterr_why);
void segment_close(struct segment *segment); /* NULL is fine */
struct segment_info segment_info(const struct segment *segment);
bool segment_is(const struct segment *segment, const struct segment_info *expected);
size_t segment_memory(const struct segment *segment);
/* Reads the whole file: order, sum, each page, the tail. 0 or -EILSEQ, -EIO. */
MUST_USE int segment_verify(const struct segment *segment);

/* 1: it is in it; 0: it is not; -EILSEQ, -EIO. */
MUST_USE int segment_find(const struct segment *segment, const struct fingerprint *print,
                          uint32_t *ret_epoch, uint64_t *ret_seq);
/* Begins to fetch the part of the filter that a find will look at. */
void segment_prefetch(const struct segment *segment, const struct fingerprint *print);
/* What the filter says, for measuring: false: certainly not in it. */
bool segment_may_hold(const struct segment *segment, const struct fingerprint *print);
