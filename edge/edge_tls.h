/* What a TLS port shows and takes: certificate, versions, ciphers, tickets. Knows of no socket.
 *
 * A reload makes a new context; connections that began with an old one keep it, as OpenSSL counts
 * references. Tickets are good across a reload. */
#pragma once

#include "base/error_text.h"
#include "base/macros.h"
#include "edge/edge_tls_settings.h"

#include <openssl/types.h>
#include <stdint.h>

struct edge_tls; /* opaque */

/* Borrows the settings, and reads the files they name. NULL with the reason. `now_ms` is the
 * loop's. */
MUST_USE struct edge_tls *edge_tls_new(const struct edge_tls_settings *settings, int64_t now_ms,
                                       struct error_text *reterr_why);
void edge_tls_free(struct edge_tls *tls); /* NULL is fine */
/* Reads the files again. When they are bad what was in use stays. Says in the log how it went. NULL
 * is fine. */
void edge_tls_reload(struct edge_tls *tls);
/* Call it about twice a second. NULL is fine. */
void edge_tls_tick(struct edge_tls *tls, int64_t now_ms);
/* What a new connection begins with; borrowed until the next reload. */
SSL_CTX *edge_tls_context(const struct edge_tls *tls);
const struct edge_tls_settings *edge_tls_settings_of(const struct edge_tls *tls);
