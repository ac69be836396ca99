/* A borrowed run of bytes, usually UTF-8, not terminated. Whoever made it owns the bytes. */
#pragma once

#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    const char *data;
    size_t size;
};

#define TEXT(literal) ((struct text){.data = (literal), .size = sizeof(literal) - 1})
/* For printf: printf("%.*s", TEXT_ARGS(user)) */
#define TEXT_ARGS(t) (int)(t).size, (t).data

struct text text_of(const char *string); /* borrows `string` */
bool text_equal(struct text a, struct text b);
/* Without the spaces and tabs at both ends. */
struct text text_trim(struct text from);
/* A terminated copy; NULL when memory is short. Free with free(). */
MUST_USE char *text_copy(struct text from);
/* Copies into `to` with its terminator. -ENOSPC when it does not fit; `to` is then untouched. */
MUST_USE int text_put(char *to, size_t to_size, struct text from);
/* Decimal digits only, no sign, no space. -EINVAL otherwise, -ERANGE past `max`. */
MUST_USE int text_to_u64(struct text from, uint64_t max, uint64_t *ret_value);
/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool text_is_utf8(struct text from);
/* A user id: 1 to 128 bytes of UTF-8 without control characters (C0, DEL, C1). */
bool text_is_user_id(struct text from);
/* A message id: 1 to 64 bytes of printable ASCII, space excluded. */
bool text_is_message_id(struct text from);
/* A device id: as a message id. A name of a region, hub or edge: [a-z0-9-], 1 to 16 bytes for a
 * region and 1 to 32 for a process, not starting or ending with '-'. */
bool text_is_device_id(struct text from);
bool text_is_region_name(struct text from);
bool text_is_process_name(struct text from);
/* A word that people and programs read, as "log_regressed": [a-z0-9_], 1 to 32 bytes. */
bool text_is_word(struct text from);

enum {
    TEXT_USER_MAX = 128,
    TEXT_MESSAGE_ID_MAX = 64,
    TEXT_DEVICE_MAX = 64,
    TEXT_REGION_MAX = 16,
    TEXT_PROCESS_MAX = 32,
    TEXT_WORD_MAX = 32,
};
