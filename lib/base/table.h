/* Hash tables are uthash, with a hash that outsiders cannot aim at. Include this, never
 * <uthash.h>. */
#pragma once

#include "base/hash.h"

#define HASH_FUNCTION(key, size, value) ((value) = (unsigned)hash_local((key), (size)))
#include <uthash.h>
