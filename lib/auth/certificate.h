/* X.509 certificates (RFC 5280) with P-256 keys, as the bus needs them. Bytes in, bytes out. */
#pragma once

#include "base/buffer.h"
#include "base/macros.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct auth_certificate { /* both in PEM; what is there already is appended to */
    struct buffer certificate;
    struct buffer key;
};
void auth_certificate_free(struct auth_certificate *certificate); /* a zeroed one is fine */

struct auth_certificate_wish {
    const char *unit;  /* the subject is CN=name,OU=unit,O=meridian */
    const char *name;  /* at most 64 bytes */
    const char *hosts; /* "DNS:nats-1.example,IP:192.0.2.1"; NULL: none */
    bool serves;       /* may be a server, not only a client */
    int64_t from_s;    /* since 1970 */
    int64_t to_s;
};
/* Signed by the first certificate of `authority`; NULL: it is an authority, and signs itself.
 * -EINVAL for names that do not fit or an authority that cannot be read, -ENOMEM. */
MUST_USE int auth_certificate_make(const struct auth_certificate_wish *wish,
                                   const struct auth_certificate *authority,
                                   struct auth_certificate *ret_certificate);

/* Takes the next certificate off a bundle; false at the end. */
bool auth_certificate_next(struct text *bundle, struct text *ret_pem);
struct auth_certificate_span {
    int64_t from_s;
    int64_t to_s;
};
/* Of the first certificate. -EBADMSG. */
MUST_USE int auth_certificate_span(struct text pem, struct auth_certificate_span *ret_span);
