/* The grammar: finds the end of what starts at a place. Only for the files of this folder.
 *
 * Each function takes the place and the end of the text, and returns the place behind what it
 * found, or NULL. Nothing beyond the end is read. */
#pragma once

#include "json/json.h"

const char *json_skip_space(const char *at, const char *end); /* never NULL */
/* A whole string, from quote to quote. */
const char *json_scan_string(const char *at, const char *end);
/* Any value, validated, no deeper than `depth_max` (JSON_DEPTH_MAX or less). On failure `*reterr`
 * is -EBADMSG or -E2BIG. */
const char *json_scan_value(const char *at, const char *end, unsigned depth_max,
                            enum json_type *ret_type, int *reterr);
