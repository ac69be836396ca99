#include "edge/edge_outcome.h"

#include <assert.h>

static const struct edge_code_row edge_code_rows[EDGE_CODES] = {
    [EDGE_ACCEPTED] = {"accepted", false, 0, 202, "written to the log"},
    [EDGE_UNKNOWN_RECIPIENT] = {"unknown_recipient", false, 0, 404, "nobody has this recipient"},
    [EDGE_BAD_REQUEST] = {"bad_request", false, 0, 400, "not as the protocol asks for it"},
    [EDGE_TOO_LARGE] = {"too_large", false, 0, 413, "larger than this edge takes"},
    [EDGE_STORAGE_FULL] = {"storage_full", true, 5000, 503, "the log or outbox has no room"},
    [EDGE_BUSY] = {"busy", true, 1000, 503, "too much is waiting for this recipient's shard"},
    [EDGE_HOME_BACKLOGGED] = {"home_backlogged", true, 60000, 503,
                              "the recipient's region has not been reached for long"},
    [EDGE_DIRECTORY_UNSURE] = {"directory_unsure", true, 1000, 503,
                               "the directory may be behind; the recipient may exist"},
    [EDGE_RATE_LIMITED] = {"rate_limited", true, 1000, 429, "more sends than one client may"},
};

const struct edge_code_row *edge_code_row(enum edge_code code)
{
    assert(code < EDGE_CODES);
    return &edge_code_rows[code];
}
