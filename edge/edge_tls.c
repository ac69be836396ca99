#include "edge/edge_tls.h"

#include "auth/keys.h"
#include "edge/edge_tickets.h"
#include "log/log.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

struct edge_tls {
    const struct edge_tls_settings *settings;
    SSL_CTX *context;
    struct edge_tickets tickets;
};

/* Tickets. */

static int set_ticket_mac(EVP_MAC_CTX *mac, const struct edge_ticket_key *key)
{
    char digest[] = "SHA256";
    uint8_t secret[EDGE_TICKET_KEY_SIZE];
    memcpy(secret, key->hmac, sizeof secret);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, secret, sizeof secret),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    int set = EVP_MAC_CTX_set_params(mac, params);
    OPENSSL_cleanse(secret, sizeof secret);
    return set;
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 1 good, 2 good and to be renewed, 0 unknown, -1. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int seal)
{
    const struct edge_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    const struct edge_ticket_key *newest = edge_tickets_newest(&tls->tickets);
    const struct edge_ticket_key *key = seal ? newest : edge_tickets_find(&tls->tickets, name);
    if (key == NULL)
        return 0;
    if (seal) {
        memcpy(name, key->name, EDGE_TICKET_NAME_SIZE);
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
            return -1;
    }
    if (EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv, seal) != 1 ||
        set_ticket_mac(mac, key) != 1)
        return -1;
    return seal || key == newest ? 1 : 2;
}

/* The context. */

/* RFC 7301: who offers other protocols and not this one is told so. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                   const unsigned char *in, unsigned in_size, void *context)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;
    (void)ssl;
    (void)context;
    if (SSL_select_next_proto(&chosen, out_size, ours, sizeof ours - 1, in, in_size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* A key that needs a passphrase is refused; else OpenSSL would ask the terminal for it. */
static int on_passphrase(char *into, int size, int writing, void *context)
{
    bool *asked = context;
    (void)into;
    (void)size;
    (void)writing;
    *asked = true;
    return -1;
}

static const char *openssl_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason == NULL ? "no reason is known" : reason;
}

static int refuse_file(const char *setting, const char *path, const char *reason,
                       struct error_text *reterr_why)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        reason = strerror(errno);
    else
        fclose(file);
    return error_text_set(reterr_why, -EINVAL, "'%s' is '%s': %s", setting, path, reason);
}

static int load_files(SSL_CTX *context, const struct edge_tls_settings *settings,
                      struct error_text *reterr_why)
{
    bool asked = false;
    ERR_clear_error();
    SSL_CTX_set_default_passwd_cb(context, on_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(context, &asked);
    bool certificate = SSL_CTX_use_certificate_chain_file(context, settings->certificate) == 1;
    /* OpenSSL compares the key with the certificate. */
    bool key = certificate &&
               SSL_CTX_use_PrivateKey_file(context, settings->key, SSL_FILETYPE_PEM) == 1 &&
               SSL_CTX_check_private_key(context) == 1;
    SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
    const char *reason = asked ? "it needs a passphrase" : openssl_reason();
    if (!certificate)
        return refuse_file("tls.certificate", settings->certificate, reason, reterr_why);
    if (!key)
        return refuse_file("tls.key", settings->key, reason, reterr_why);
    return auth_file_check_private(settings->key, reterr_why);
}

static void configure_tickets(SSL_CTX *context, const struct edge_tls_settings *settings)
{
    static const unsigned char id[] = "meridian-edge";
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets alone: no state here */
    SSL_CTX_set_session_id_context(context, id, sizeof id - 1);
    SSL_CTX_set_timeout(context, (long)(settings->ticket_lifetime_ms / 1000));
    SSL_CTX_set_num_tickets(context, settings->ticket_lifetime_ms == 0 ? 0 : 1);
    if (settings->ticket_lifetime_ms == 0)
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    else
        SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
}

static int configure(SSL_CTX *context, const struct edge_tls_settings *settings,
                     struct error_text *reterr_why)
{
    int version = settings->min_version == EDGE_TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
    SSL_CTX_set_min_proto_version(context, version);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
    configure_tickets(context, settings);
    if (SSL_CTX_set_cipher_list(context, settings->ciphers) != 1)
        return error_text_set(reterr_why, -EINVAL, "'tls.ciphers' is '%s': no such cipher is known",
                              settings->ciphers);
    return load_files(context, settings, reterr_why);
}

static void warn_of_the_end(const SSL_CTX *context, const struct edge_tls_settings *settings)
{
    const X509 *certificate = SSL_CTX_get0_certificate(context);
    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
        log_warning("the certificate has expired", LOG_STRING("file", settings->certificate));
}

static SSL_CTX *context_new(const struct edge_tls *tls, struct error_text *reterr_why)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL) {
        error_text_set(reterr_why, -ENOMEM, "TLS: %s", openssl_reason());
        return NULL;
    }
    SSL_CTX_set_app_data(context, (void *)(uintptr_t)tls);
    if (configure(context, tls->settings, reterr_why) != 0) {
        SSL_CTX_free(context);
        return NULL;
    }
    warn_of_the_end(context, tls->settings);
    return context;
}

struct edge_tls *edge_tls_new(const struct edge_tls_settings *settings, int64_t now_ms,
                              struct error_text *reterr_why)
{
    struct edge_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL)
        return NULL;
    tls->settings = settings;
    if (edge_tickets_init(&tls->tickets, settings->ticket_lifetime_ms, now_ms) != 0)
        error_text_set(reterr_why, -EIO, "TLS: %s", openssl_reason());
    else
        tls->context = context_new(tls, reterr_why);
    if (tls->context == NULL) {
        edge_tls_free(tls);
        return NULL;
    }
    return tls;
}

void edge_tls_free(struct edge_tls *tls)
{
    if (tls == NULL)
        return;
    SSL_CTX_free(tls->context);
    edge_tickets_done(&tls->tickets);
    free(tls);
}

void edge_tls_reload(struct edge_tls *tls)
{
    struct error_text why = {0};
    if (tls == NULL)
        return;
    SSL_CTX *context = context_new(tls, &why);
    if (context == NULL) {
        log_error("the certificate stays as it was", LOG_STRING("reason", why.text));
        return;
    }
    SSL_CTX_free(tls->context);
    tls->context = context;
    log_info("the certificate was read again", LOG_STRING("file", tls->settings->certificate));
}

void edge_tls_tick(struct edge_tls *tls, int64_t now_ms)
{
    if (tls != NULL && tls->settings->ticket_lifetime_ms > 0)
        edge_tickets_tick(&tls->tickets, now_ms);
}

SSL_CTX *edge_tls_context(const struct edge_tls *tls)
{
    return tls->context;
}

const struct edge_tls_settings *edge_tls_settings_of(const struct edge_tls *tls)
{
    return tls->settings;
}
