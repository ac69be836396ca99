/* Reads the few JSON objects that JetStream answers with, in one pass and without a tree. The first
 * failure sticks; a reader goes through all keys and asks once, with json_scan_done(). */
#pragma once

#include "base/macros.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct json_scan {
    const char *next;
    const char *end;
    bool first; /* no key of the current object was read yet */
    bool failed;
};

struct json_scan json_scan_of(struct text text);
void json_scan_open(struct json_scan *scan); /* the start of an object */
/* The next key of the current object; false at its end, or after a failure. A value must be read or
 * skipped after each. Keys are as written: none that is looked for has an escape. */
bool json_scan_key(struct json_scan *scan, struct text *ret_key);
uint64_t json_scan_u64(struct json_scan *scan);
/* Shortened when it is too long; of escapes, what they stand for is left out. */
void json_scan_string(struct json_scan *scan, char *to, size_t to_size);
void json_scan_skip(struct json_scan *scan); /* any value, 32 levels deep at most */
/* Whether all went well and nothing is left over. */
bool json_scan_done(struct json_scan *scan);
