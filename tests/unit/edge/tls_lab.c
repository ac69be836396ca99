#include "tls_lab.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

void tls_lab_certificate(const char *name, X509 **ret_certificate, EVP_PKEY **ret_key)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_get_subject_name(certificate);
    assert_non_null(key);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 24L * 3600);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, subject);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    *ret_certificate = certificate;
    *ret_key = key;
}

void tls_lab_write_files(const char *name, const char *certificate_path, const char *key_path)
{
    X509 *certificate;
    EVP_PKEY *key;
    tls_lab_certificate(name, &certificate, &key);
    FILE *file = fopen(certificate_path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    fclose(file);
    file = fopen(key_path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
    assert_int_equal(chmod(key_path, 0600), 0);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static SSL_CTX *server_context(void)
{
    X509 *certificate;
    EVP_PKEY *key;
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    tls_lab_certificate("lab", &certificate, &key);
    assert_int_equal(SSL_CTX_use_certificate(context, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_num_tickets(context, 0);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return context;
}

static void pump(BIO *from, BIO *to)
{
    char bytes[4096];
    for (int size; (size = BIO_read(from, bytes, sizeof bytes)) > 0;)
        assert_int_equal(BIO_write(to, bytes, size), size);
}

SSL *tls_lab_shake_hands(struct tls_peer *peer, int fd, int version)
{
    SSL_CTX *contexts[] = {server_context(), SSL_CTX_new(TLS_client_method())};
    SSL *server = SSL_new(contexts[0]);
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());
    *peer = (struct tls_peer){.ssl = SSL_new(contexts[1]), .fd = fd};
    peer->in = BIO_new(BIO_s_mem());
    peer->out = BIO_new(BIO_s_mem());
    SSL_set_max_proto_version(peer->ssl, version);
    SSL_set_bio(peer->ssl, peer->in, peer->out);
    SSL_set_bio(server, in, out);
    SSL_set_connect_state(peer->ssl);
    SSL_set_accept_state(server);
    for (int i = 0; i < 4; i++) {
        (void)SSL_do_handshake(peer->ssl);
        pump(peer->out, in);
        (void)SSL_do_handshake(server);
        pump(out, peer->in);
    }
    assert_true(SSL_is_init_finished(peer->ssl) && SSL_is_init_finished(server));
    assert_int_equal(SSL_version(server), version);
    SSL_CTX_free(contexts[0]);
    SSL_CTX_free(contexts[1]);
    return server;
}

void tls_peer_done(struct tls_peer *peer)
{
    SSL_free(peer->ssl);
    peer->ssl = NULL;
}

static void take_records(struct tls_peer *peer, struct buffer *records)
{
    char bytes[4096];
    for (int size; (size = BIO_read(peer->out, bytes, sizeof bytes)) > 0;)
        buffer_append(records, bytes, (size_t)size);
}

void tls_peer_seal(struct tls_peer *peer, const void *bytes, size_t size, struct buffer *records)
{
    if (size > 0)
        assert_int_equal(SSL_write(peer->ssl, bytes, (int)size), (int)size);
    take_records(peer, records);
}

bool tls_peer_hear(struct tls_peer *peer, struct buffer *into)
{
    char bytes[16384];
    ssize_t got;
    int size;
    while ((got = recv(peer->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        assert_int_equal(BIO_write(peer->in, bytes, (int)got), (int)got);
    while ((size = SSL_read(peer->ssl, bytes, sizeof bytes)) > 0)
        buffer_append(into, bytes, (size_t)size);
    return got != 0;
}
