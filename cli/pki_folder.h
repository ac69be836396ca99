/* The folder in which `meridian pki` keeps what the bus believes and what each process shows it:
 *
 *     authority/nodes.pem, nodes.key      who issues for NATS servers; clients.* for all others
 *     NAME/ca.pem, certificate.pem, key.pem
 *     NAME/clients.pem                    of a NATS server: whom it lets in at its client port
 *
 * Two authorities, since whoever may be a client must not be able to pose as a server of the
 * cluster. The newest certificate of an authority comes first and signs; the older ones are
 * believed until they end. Keys are for their owner alone (0600). */
#pragma once

#include "base/error_text.h"
#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

struct cli_pki {
    const char *folder;
    int64_t now_s;
    int64_t days; /* how long a certificate of a process is good */
};

enum cli_pki_authority { CLI_PKI_NODES, CLI_PKI_CLIENTS };
enum cli_pki_when {
    CLI_PKI_DUE,    /* when there is none, or less than a third of its time is left */
    CLI_PKI_ALWAYS, /* also when there is a good one */
};

/* All return 1 when something was written, 0 when not, or -errno with a reason. */
MUST_USE int cli_pki_authority(const struct cli_pki *pki, enum cli_pki_authority which,
                               enum cli_pki_when when, struct error_text *reterr_why);
struct cli_pki_holder {
    const char *name;
    const char *unit;  /* node, hub, edge or operator */
    const char *hosts; /* of a node, see auth_certificate_wish */
};
MUST_USE int cli_pki_holder(const struct cli_pki *pki, const struct cli_pki_holder *holder,
                            enum cli_pki_when when, struct error_text *reterr_why);
/* Whether what began and ends then is to be made anew. Pure. */
bool cli_pki_is_due(int64_t from_s, int64_t to_s, int64_t now_s);
