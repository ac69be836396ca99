/* TLS peers for tests: a certificate made on the spot, and a client whose records the test sends
 * itself, so that it can cut them where it likes. */
#pragma once

#include "base/buffer.h"

#include <openssl/ssl.h>

/* A fresh P-256 key and a certificate of its own for `name`, valid for a day; both are the
 * caller's. */
void tls_lab_certificate(const char *name, X509 **ret_certificate, EVP_PKEY **ret_key);
/* The same as PEM files. */
void tls_lab_write_files(const char *name, const char *certificate_path, const char *key_path);

struct tls_peer {
    SSL *ssl;
    BIO *in;  /* what came; of ssl */
    BIO *out; /* records to be sent; of ssl */
    int fd;
};

/* Shakes hands in memory, in `version` (TLS1_2_VERSION...). `peer` talks over `fd` from then on;
 * returns the server's side, the caller's. */
SSL *tls_lab_shake_hands(struct tls_peer *peer, int fd, int version);
void tls_peer_done(struct tls_peer *peer);
/* Appends the records that say `bytes` to `records`. */
void tls_peer_seal(struct tls_peer *peer, const void *bytes, size_t size, struct buffer *records);
/* Reads what has come, and appends what it says to `into`. False at the socket's end. */
bool tls_peer_hear(struct tls_peer *peer, struct buffer *into);
