/* Settings by table: a row says the key, the type, the bounds, the default and one line of what it
 * is for; the loader, the check, the printed settings and the errors come from the rows.
 *
 *     static const struct setting edge_settings_table[] = {
 *         SETTING_TEXT(struct edge_settings, name, "name", "", 1, "Name of this edge."),
 *         SETTING_U32(struct edge_settings, sessions_max, "limits.sessions_max", 50000, 1, 1000000,
 *                     "Sessions this edge accepts."),
 *         SETTINGS_END,
 *     };
 *
 * The file is YAML: nested mappings make the dots of a key, a list is a sequence of mappings.
 * Anchors, aliases, tags, a second document, a key twice, a key that no row knows and a value that
 * its row does not allow are errors that name file, line, key and rule:
 *
 *     config/edge.yaml:12: 'limits.sessions_max' is 0, must be 1 to 1000000
 *
 * Use: settings_defaults(), settings_load_file(), settings_set() for the command line's overrides,
 * settings_check(). Nothing here keeps state; one thread at a time for one struct. */
#pragma once

#include "base/buffer.h"
#include "base/error_text.h"
#include "base/macros.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SETTINGS_FILE_MAX_BYTES = 1 << 20,
    SETTINGS_DEPTH_MAX = 16, /* mappings and sequences inside each other */
    SETTINGS_ROWS_MAX = 256, /* of one table */
    SETTINGS_KEY_MAX = 127,  /* bytes of a key with its dots */
};

enum setting_type {
    SETTING_TYPE_U32,      /* uint32_t: 50000 */
    SETTING_TYPE_U64,      /* uint64_t */
    SETTING_TYPE_F64,      /* double: 1.35 or -77 */
    SETTING_TYPE_BOOL,     /* bool: true or false */
    SETTING_TYPE_TEXT,     /* char[]: no control characters, terminated, fits or is refused */
    SETTING_TYPE_ENUM,     /* an enum: one of `names`, stored as its index */
    SETTING_TYPE_DURATION, /* int64_t of milliseconds: 250, 250ms, 5s, 10m, 48h, 7d */
    SETTING_TYPE_BYTES,    /* uint64_t: 65536, 64KiB, 8MiB, 1GiB */
    SETTING_TYPE_LIST,     /* pointer and count of structs, owned by the struct: settings_free() */
};

/* What is not shown: neither when the settings are printed nor in an error. */
enum setting_secret {
    SETTING_OPEN,
    SETTING_SECRET_WHOLE,
    SETTING_SECRET_IN_URL, /* the password of a URL, and its parameters when one names a password */
};

/* Made by the macros below. */
struct setting {
    const char *key; /* with dots; NULL ends the table */
    size_t offset;
    size_t size;                /* TEXT: of the array; LIST: of one item */
    uint64_t initial, min, max; /* numbers; TEXT: min and max bytes; LIST: max items */
    double initial_f64, min_f64, max_f64;
    const char *initial_text;
    const char *const *names;    /* ENUM: ends with NULL */
    bool (*valid)(struct text);  /* TEXT: one more check, or NULL... */
    const char *rule;            /* ...and what it asks, as "must be ..." */
    const struct setting *items; /* LIST: table of one item */
    size_t count_offset;         /* LIST: size_t, the number of items */
    size_t line_offset;          /* LIST: uint32_t inside the item, its line in the file... */
    const char *doc;
    enum setting_type type;
    bool has_line; /* ...when the item has one */
    bool required; /* see SETTING_REQUIRED */
    enum setting_secret secret;
};

/* The offset of `member`, which must have exactly this type. */
#define SETTING_OFFSET(owner, member, member_type)                                                 \
    _Generic(((owner *)0)->member, member_type : offsetof(owner, member))

/* clang-format off */
#define SETTING_U32(owner, member, name, initial_, min_, max_, doc_, ...)                          \
    {.key = (name), .type = SETTING_TYPE_U32, .offset = SETTING_OFFSET(owner, member, uint32_t),   \
     .initial = (initial_), .min = (min_), .max = (max_), .doc = (doc_), __VA_ARGS__}
#define SETTING_U64(owner, member, name, initial_, min_, max_, doc_, ...)                          \
    {.key = (name), .type = SETTING_TYPE_U64, .offset = SETTING_OFFSET(owner, member, uint64_t),   \
     .initial = (initial_), .min = (min_), .max = (max_), .doc = (doc_), __VA_ARGS__}
#define SETTING_F64(owner, member, name, initial_, min_, max_, doc_, ...)                          \
    {.key = (name), .type = SETTING_TYPE_F64, .offset = SETTING_OFFSET(owner, member, double),     \
     .initial_f64 = (initial_), .min_f64 = (min_), .max_f64 = (max_), .doc = (doc_), __VA_ARGS__}
#define SETTING_BOOL(owner, member, name, initial_, doc_, ...)                                     \
    {.key = (name), .type = SETTING_TYPE_BOOL, .offset = SETTING_OFFSET(owner, member, bool),      \
     .initial = (initial_), .max = 1, .doc = (doc_), __VA_ARGS__}
/* The longest text is what the array holds with its terminator. */
#define SETTING_TEXT(owner, member, name, initial_, min_size, doc_, ...)                           \
    SETTING_TEXT_VALID(owner, member, name, initial_, min_size, NULL, NULL, doc_, __VA_ARGS__)
/* An empty text is not asked: `min_size` says whether it may be empty. */
#define SETTING_TEXT_VALID(owner, member, name, initial_, min_size, valid_, rule_, doc_, ...)      \
    {.key = (name), .type = SETTING_TYPE_TEXT, .offset = SETTING_OFFSET(owner, member, char *),    \
     .size = sizeof(((owner *)0)->member), .initial_text = (initial_), .min = (min_size),          \
     .max = sizeof(((owner *)0)->member) - 1, .valid = (valid_), .rule = (rule_), .doc = (doc_), __VA_ARGS__}
#define SETTING_ENUM(owner, member, name, initial_, names_, doc_, ...)                             \
    {.key = (name), .type = SETTING_TYPE_ENUM, .offset = SETTING_OFFSET(owner, member, unsigned),  \
     .initial = (initial_), .names = (names_), .doc = (doc_), __VA_ARGS__}
#define SETTING_DURATION(owner, member, name, initial_ms, min_ms, max_ms, doc_, ...)               \
    {.key = (name), .type = SETTING_TYPE_DURATION,                                                 \
     .offset = SETTING_OFFSET(owner, member, int64_t),                                             \
     .initial = (initial_ms), .min = (min_ms), .max = (max_ms), .doc = (doc_), __VA_ARGS__}
#define SETTING_BYTES(owner, member, name, initial_, min_, max_, doc_, ...)                        \
    {.key = (name), .type = SETTING_TYPE_BYTES, .offset = SETTING_OFFSET(owner, member, uint64_t), \
     .initial = (initial_), .min = (min_), .max = (max_), .doc = (doc_), __VA_ARGS__}
/* `member` points to structs `item`, `count` (size_t) says how many; `line` (uint32_t) of an item
 * is set to the line it starts at, for checks that come later. */
#define SETTING_LIST(owner, member, count, name, item, line, items_, max_, doc_, ...)              \
    {.key = (name), .type = SETTING_TYPE_LIST, .offset = SETTING_OFFSET(owner, member, item *),    \
     .count_offset = SETTING_OFFSET(owner, count, size_t), .size = sizeof(item),                   \
     .line_offset = SETTING_OFFSET(item, line, uint32_t), .has_line = true,                        \
     .items = (items_), .max = (max_), .doc = (doc_), __VA_ARGS__}
/* After the doc of any row: in an item of a list the key must be there. (At the top level a text
 * with a `min_size` of 1 and an empty default is as good: settings_check() names it.) */
#define SETTING_REQUIRED .required = true
/* After the doc of a TEXT: see enum setting_secret. */
#define SETTING_SECRET .secret = SETTING_SECRET_WHOLE
#define SETTING_SECRET_URL .secret = SETTING_SECRET_IN_URL
#define SETTINGS_END {.key = NULL}
/* clang-format on */

/* Fills `into` with the defaults, whatever was there; lists become empty. Asserts that the table is
 * sound: keys unique, groups together, defaults within their bounds. */
void settings_defaults(const struct setting *table, void *into);
/* Frees the lists. Fine after settings_defaults(), and after any failure below. */
void settings_free(const struct setting *table, void *from);

/* Sets what the file names, and leaves the rest. -ENOENT, -EACCES... of the file, -EFBIG past
 * SETTINGS_FILE_MAX_BYTES, -EINVAL for its content, -ENOMEM. After a failure `into` holds a part of
 * the file: give it up with settings_free(). */
MUST_USE int settings_load_file(const struct setting *table, void *into, const char *path,
                                struct error_text *reterr_why);
/* The same for a table that knows a part of the file only: other keys at the top are passed over,
 * with all that stands below them. */
MUST_USE int settings_load_part(const struct setting *table, void *into, const char *path,
                                struct error_text *reterr_why);
/* The first from bytes in memory; `path` is only named in errors. */
MUST_USE int settings_load_text(const struct setting *table, void *into, struct text yaml,
                                const char *path, struct error_text *reterr_why);
/* One override, "limits.sessions_max=5". Not for lists. -EINVAL; `into` is then untouched. */
MUST_USE int settings_set(const struct setting *table, void *into, const char *assignment,
                          struct error_text *reterr_why);
/* Every value within its bounds, whoever put it there. -EINVAL. Call it last. */
MUST_USE int settings_check(const struct setting *table, const void *from,
                            struct error_text *reterr_why);
/* The effective settings as YAML that loads again, the docs as comments; secrets stand as "***". */
void settings_print(const struct setting *table, const void *from, struct buffer *out);

/* For SETTING_TEXT_VALID. */
bool settings_is_address(struct text value); /* host:port, see settings/address.h */
bool settings_is_url(struct text value);     /* http:// or https://, a host, maybe port and path */
#define SETTINGS_RULE_ADDRESS "host:port, or [address]:port for IPv6"
#define SETTINGS_RULE_URL "a URL that starts with http:// or https://"
