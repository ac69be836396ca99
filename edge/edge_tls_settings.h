/* The settings section `tls:` of an edge. The rows are part of its table, as those of auth/. */
#pragma once

#include "base/error_text.h"
#include "base/macros.h"
#include "settings/address.h"
#include "settings/settings.h"

#include <stdbool.h>
#include <stdint.h>

enum edge_tls_version { EDGE_TLS_1_2, EDGE_TLS_1_3 };

struct edge_tls_settings {
    char certificate[512];              /* a PEM file; empty: no TLS */
    char key[512];                      /* a PEM file */
    char listen[SETTINGS_ADDRESS_SIZE]; /* empty: no port of its own */
    bool only;                          /* no plain port */
    unsigned min_version;               /* enum edge_tls_version */
    char ciphers[512];                  /* of TLS 1.2, in OpenSSL's notation */
    int64_t handshake_timeout_ms;
    uint32_t handshakes_max;
    int64_t ticket_lifetime_ms; /* 0: no tickets */
};

extern const char *const edge_tls_versions[];

/* clang-format off */
#define EDGE_TLS_SETTINGS_ROWS(owner, tls)                                                         \
    SETTING_TEXT(owner, tls.certificate, "tls.certificate", "", 0,                                 \
        "A PEM file: the certificate and its chain; read again on SIGHUP. Empty: no TLS."),        \
    SETTING_TEXT(owner, tls.key, "tls.key", "", 0,                                                 \
        "A PEM file: the certificate's private key, without a passphrase; read again on SIGHUP."), \
    SETTING_TEXT_VALID(owner, tls.listen, "tls.listen", "", 0, settings_is_address,                \
        SETTINGS_RULE_ADDRESS, "Where clients connect with TLS, beside the plain port."),          \
    SETTING_BOOL(owner, tls.only, "tls.only", false,                                               \
        "No plain port; where tls.listen is empty, TLS takes its place."),                         \
    SETTING_ENUM(owner, tls.min_version, "tls.min_version", EDGE_TLS_1_2, edge_tls_versions,       \
        "The oldest version of TLS that is spoken: 1.2 or 1.3."),                                  \
    SETTING_TEXT(owner, tls.ciphers, "tls.ciphers", "ECDHE+AESGCM:ECDHE+CHACHA20", 1,              \
        "Ciphers of TLS 1.2 in OpenSSL's notation; TLS 1.3 has those of OpenSSL."),                \
    SETTING_DURATION(owner, tls.handshake_timeout_ms, "tls.handshake_timeout", 15000, 100, 60000,  \
        "How long a TLS handshake may take, from the connection on."),                             \
    SETTING_U32(owner, tls.handshakes_max, "tls.handshakes_max", 1024, 1, 100000,                  \
        "Handshakes at one time; at the limit the port rests, and one older than 1 s gives way."), \
    SETTING_DURATION(owner, tls.ticket_lifetime_ms, "tls.ticket_lifetime", 3600000, 0, 86400000,   \
        "How long a session ticket is good, and how often its key is made anew; 0: no tickets.")
/* clang-format on */

/* The rules between the settings. -EINVAL with the reason. */
MUST_USE int edge_tls_settings_fit(const struct edge_tls_settings *settings,
                                   struct error_text *reterr_why);
