#include "auth/certificate.h"

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

enum { SERIAL_BYTES = 16 };

void auth_certificate_free(struct auth_certificate *certificate)
{
    if (certificate->key.data != NULL)
        explicit_bzero(certificate->key.data, certificate->key.capacity);
    buffer_free(&certificate->certificate);
    buffer_free(&certificate->key);
}

/* --- PEM --- */

static BIO *bio_of(struct text pem)
{
    return BIO_new_mem_buf(pem.data, (int)pem.size);
}

static X509 *read_certificate(struct text pem)
{
    BIO *bio = bio_of(pem);
    X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return certificate;
}

static EVP_PKEY *read_key(struct text pem)
{
    BIO *bio = bio_of(pem);
    char none[] = ""; /* else it would ask the terminal for a passphrase */
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, NULL, none);
    BIO_free(bio);
    return key;
}

/* Takes `bio`. */
static bool append_bio(BIO *bio, int written, struct buffer *out)
{
    char *bytes = NULL;
    long size = bio == NULL ? 0 : BIO_get_mem_data(bio, &bytes);
    if (written == 1 && size > 0)
        buffer_append(out, bytes, (size_t)size);
    BIO_free(bio);
    return written == 1 && !out->failed;
}

static bool write_pair(X509 *certificate, EVP_PKEY *key, struct auth_certificate *out)
{
    BIO *open = BIO_new(BIO_s_mem()), *secret = BIO_new(BIO_s_secmem());
    int open_written = open == NULL ? 0 : PEM_write_bio_X509(open, certificate);
    int secret_written =
        secret == NULL ? 0 : PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL);
    bool good = append_bio(open, open_written, &out->certificate);
    return append_bio(secret, secret_written, &out->key) && good;
}

/* --- making --- */

static bool add_name(X509_NAME *subject, const char *field, const char *value)
{
    return X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8, (const unsigned char *)value,
                                      -1, -1, 0) == 1;
}

static bool set_subject(X509 *certificate, const struct auth_certificate_wish *wish)
{
    X509_NAME *subject = X509_get_subject_name(certificate);
    return add_name(subject, "O", "meridian") && add_name(subject, "OU", wish->unit) &&
           add_name(subject, "CN", wish->name);
}

/* 127 bits of chance: no two are alike, whoever else issues (RFC 5280, section 4.1.2.2). */
static bool set_serial(X509 *certificate)
{
    unsigned char bytes[SERIAL_BYTES];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    bytes[0] &= 0x7F;
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool good =
        number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return good;
}

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool good = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good;
}

static bool add_extensions(X509 *certificate, X509 *issuer,
                           const struct auth_certificate_wish *wish)
{
    bool is_authority = issuer == certificate;
    const struct {
        int nid;
        const char *value; /* NULL: not there */
    } rows[] = {
        {NID_basic_constraints, is_authority ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE"},
        {NID_key_usage,
         is_authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature"},
        {NID_ext_key_usage, is_authority   ? NULL
                            : wish->serves ? "serverAuth,clientAuth"
                                           : "clientAuth"},
        {NID_subject_alt_name, wish->hosts},
        {NID_subject_key_identifier, "hash"},
        {NID_authority_key_identifier, "keyid:always"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].value != NULL &&
            !add_extension(certificate, issuer, rows[i].nid, rows[i].value))
            return false;
    return true;
}

static bool fill(X509 *certificate, X509 *issuer, EVP_PKEY *key, EVP_PKEY *issuer_key,
                 const struct auth_certificate_wish *wish)
{
    return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
           ASN1_TIME_set(X509_getm_notBefore(certificate), wish->from_s) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(certificate), wish->to_s) != NULL &&
           set_subject(certificate, wish) &&
           X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
           X509_set_pubkey(certificate, key) == 1 && add_extensions(certificate, issuer, wish) &&
           X509_sign(certificate, issuer_key, EVP_sha256()) > 0;
}

int auth_certificate_make(const struct auth_certificate_wish *wish,
                          const struct auth_certificate *authority,
                          struct auth_certificate *ret_certificate)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    EVP_PKEY *issuer_key = key;
    X509 *issuer = certificate;
    if (authority != NULL) {
        issuer_key = read_key(buffer_text(&authority->key));
        issuer = read_certificate(buffer_text(&authority->certificate));
    }
    bool good = key != NULL && certificate != NULL && issuer_key != NULL && issuer != NULL &&
                fill(certificate, issuer, key, issuer_key, wish) &&
                write_pair(certificate, key, ret_certificate);
    if (authority != NULL) {
        EVP_PKEY_free(issuer_key);
        X509_free(issuer);
    }
    EVP_PKEY_free(key);
    X509_free(certificate);
    ERR_clear_error();
    if (ret_certificate->certificate.failed || ret_certificate->key.failed)
        return -ENOMEM;
    return good ? 0 : -EINVAL;
}

/* --- reading --- */

bool auth_certificate_next(struct text *bundle, struct text *ret_pem)
{
    static const char end[] = "-----END CERTIFICATE-----\n";
    const char *found =
        bundle->size == 0 ? NULL : memmem(bundle->data, bundle->size, end, sizeof end - 1);
    if (found == NULL)
        return false;
    size_t size = (size_t)(found - bundle->data) + sizeof end - 1;
    *ret_pem = (struct text){.data = bundle->data, .size = size};
    *bundle = (struct text){.data = bundle->data + size, .size = bundle->size - size};
    return true;
}

static int seconds_of(const ASN1_TIME *time, int64_t *ret_s)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(time, &tm) != 1)
        return -EBADMSG;
    *ret_s = timegm(&tm);
    return 0;
}

int auth_certificate_span(struct text pem, struct auth_certificate_span *ret_span)
{
    X509 *certificate = read_certificate(pem);
    struct auth_certificate_span span = {0};
    int err = certificate == NULL ? -EBADMSG : 0;
    if (err == 0)
        err = seconds_of(X509_get0_notBefore(certificate), &span.from_s);
    if (err == 0)
        err = seconds_of(X509_get0_notAfter(certificate), &span.to_s);
    X509_free(certificate);
    ERR_clear_error();
    if (err == 0)
        *ret_span = span;
    return err;
}
