/* A growing run of bytes with a failure that sticks: appends after a failed one do nothing, so a
 * caller may write a whole message and ask once. Zero-initialise; free with buffer_free(). */
#pragma once

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
    bool failed; /* memory was short */
};

void buffer_free(struct buffer *buffer);  /* leaves it empty and usable */
void buffer_clear(struct buffer *buffer); /* keeps the memory, forgets a failure */
/* Room for `size` more bytes, or NULL (and failed). The caller fills it and adds to
 * buffer->size. */
uint8_t *buffer_reserve(struct buffer *buffer, size_t size);
void buffer_append(struct buffer *buffer, const void *bytes, size_t size);
void buffer_append_text(struct buffer *buffer, struct text text);
void buffer_printf(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
/* Removes the first `size` bytes. */
void buffer_consume(struct buffer *buffer, size_t size);
struct text buffer_text(const struct buffer *buffer); /* borrowed until the next change */
