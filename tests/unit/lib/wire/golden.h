/* Golden files pin every format: bytes in hex, '#' starts a comment. And the checks that every
 * format has to pass. */
#pragma once

#include "base/buffer.h"
#include "base/text.h"

/* Fails the test when there is no such file. Free with buffer_free(). */
struct buffer golden_load(const char *name);
/* The bytes are those of the file. */
void golden_assert_equal(const char *name, const void *bytes, size_t size);
/* An allocation of exactly `size` bytes, so that a sanitizer sees a read past the end. free(). */
void *golden_exact(const void *bytes, size_t size);
/* Overwrites bytes of a loaded file. */
void golden_patch(struct buffer *message, size_t at, uint64_t value, size_t size);
/* Replaces the text8 `old` by a text8 `text`, and renews the u32 at `size_at` (or GOLDEN_NO_SIZE),
 * which counts the bytes behind it. */
enum { GOLDEN_NO_SIZE = 9999 };
void golden_replace(struct buffer *message, size_t size_at, const char *old, struct text text);
/* Puts `byte` at the end, or takes the last bytes off; the size follows. */
void golden_append(struct buffer *message, size_t size_at, uint8_t byte);
void golden_shorten(struct buffer *message, size_t size_at, size_t by);

/* What a text8 field may hold. */
enum golden_bounds {
    GOLDEN_USER,
    GOLDEN_DEVICE,
    GOLDEN_DEVICE_OR_EMPTY,
    GOLDEN_ID,
    GOLDEN_REGION,
    GOLDEN_PROCESS,
    GOLDEN_PROCESS_OR_EMPTY,
};
struct golden_field {
    const char *file;
    const char *text; /* as in the file */
    enum golden_bounds bounds;
};
/* Tries the field at its limit, one past it, empty, and with what it may not hold. `decode` returns
 * what the decoder returned for a whole message. */
void golden_check_field(const struct golden_field *field, size_t size_at,
                        int (*decode)(const void *bytes, size_t size));
