/* What an operator wants revoked, from the options of `meridian token revoke`. Pure. */
#pragma once

#include "base/buffer.h"
#include "base/error_text.h"
#include "base/macros.h"
#include "wire/revoked.h"

#include <stdbool.h>

/* As given; NULL: not given. */
struct cli_revoke_options {
    const char *user;
    const char *device;
    const char *token_id;
    const char *issued_before; /* seconds since 1970, 2026-11-24T17:00:00Z, or "now" */
};
/* Reads them: kind, texts, which are borrowed, and before_s, which is `now_s` at most. -EINVAL with
 * the reason. */
MUST_USE int cli_revoke_read(const struct cli_revoke_options *options, int64_t now_s,
                             struct wire_revoked *ret_revoked, struct error_text *reterr_why);
/* Of two about the same, what holds what either holds. */
void cli_revoke_merge(struct wire_revoked *revoked, const struct wire_revoked *earlier);
/* One line: who, what and until when. Appended. */
void cli_revoke_print(const struct wire_revoked *revoked, struct buffer *out);
