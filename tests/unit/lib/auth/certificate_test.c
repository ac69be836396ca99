#include "auth/certificate.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NOW_S = 1790000000, DAY_S = 86400 };

static const struct auth_certificate_wish authority_wish = {
    .unit = "authority", .name = "nodes", .from_s = NOW_S - DAY_S, .to_s = NOW_S + 10 * DAY_S};
static const struct auth_certificate_wish node_wish = {.unit = "node",
                                                       .name = "sin-n1",
                                                       .hosts = "DNS:nats.example,IP:192.0.2.1",
                                                       .serves = true,
                                                       .from_s = NOW_S - DAY_S,
                                                       .to_s = NOW_S + DAY_S};

static X509 *parse(const struct auth_certificate *made)
{
    BIO *bio = BIO_new_mem_buf(made->certificate.data, (int)made->certificate.size);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(certificate);
    return certificate;
}

/* X509_V_OK, or why `made` is not to be believed at `at_s` for `purpose`. */
static int verify(const struct auth_certificate *made, const struct auth_certificate *authority,
                  int64_t at_s, int purpose)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509 *certificate = parse(made), *issuer = parse(authority);
    X509_STORE_add_cert(store, issuer);
    X509_STORE_CTX_init(context, store, certificate, NULL);
    X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context), at_s);
    X509_STORE_CTX_set_purpose(context, purpose);
    X509_verify_cert(context);
    int error = X509_STORE_CTX_get_error(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    X509_free(certificate);
    X509_free(issuer);
    return error;
}

static void a_server_is_believed_for_both_ends_and_its_time(void **state)
{
    (void)state;
    struct auth_certificate authority = {0}, node = {0};
    assert_int_equal(auth_certificate_make(&authority_wish, NULL, &authority), 0);
    assert_int_equal(auth_certificate_make(&node_wish, &authority, &node), 0);
    assert_int_equal(verify(&node, &authority, NOW_S, X509_PURPOSE_SSL_SERVER), X509_V_OK);
    assert_int_equal(verify(&node, &authority, NOW_S, X509_PURPOSE_SSL_CLIENT), X509_V_OK);
    assert_int_equal(verify(&node, &authority, NOW_S + DAY_S + 1, X509_PURPOSE_SSL_SERVER),
                     X509_V_ERR_CERT_HAS_EXPIRED);
    assert_int_equal(verify(&node, &authority, NOW_S - DAY_S - 1, X509_PURPOSE_SSL_SERVER),
                     X509_V_ERR_CERT_NOT_YET_VALID);
    X509 *certificate = parse(&node);
    assert_int_equal(X509_check_host(certificate, "nats.example", 0, 0, NULL), 1);
    assert_int_equal(X509_check_ip_asc(certificate, "192.0.2.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(certificate, "192.0.2.2", 0), 0);
    X509_free(certificate);
    auth_certificate_free(&node);
    auth_certificate_free(&authority);
}

static void a_client_is_no_server_and_no_authority(void **state)
{
    (void)state;
    struct auth_certificate authority = {0}, client = {0}, forged = {0};
    struct auth_certificate_wish wish = node_wish;
    wish.hosts = NULL;
    wish.serves = false;
    assert_int_equal(auth_certificate_make(&authority_wish, NULL, &authority), 0);
    assert_int_equal(auth_certificate_make(&wish, &authority, &client), 0);
    assert_int_equal(verify(&client, &authority, NOW_S, X509_PURPOSE_SSL_CLIENT), X509_V_OK);
    assert_int_equal(verify(&client, &authority, NOW_S, X509_PURPOSE_SSL_SERVER),
                     X509_V_ERR_INVALID_PURPOSE);
    assert_int_equal(auth_certificate_make(&wish, &client, &forged), 0);
    assert_int_not_equal(verify(&forged, &client, NOW_S, X509_PURPOSE_SSL_CLIENT), X509_V_OK);
    auth_certificate_free(&forged);
    auth_certificate_free(&client);
    auth_certificate_free(&authority);
}

static void another_authority_of_the_same_name_is_not_believed(void **state)
{
    (void)state;
    struct auth_certificate authority = {0}, other = {0}, node = {0};
    assert_int_equal(auth_certificate_make(&authority_wish, NULL, &authority), 0);
    assert_int_equal(auth_certificate_make(&authority_wish, NULL, &other), 0);
    assert_int_equal(auth_certificate_make(&node_wish, &other, &node), 0);
    assert_int_not_equal(verify(&node, &authority, NOW_S, X509_PURPOSE_SSL_SERVER), X509_V_OK);
    auth_certificate_free(&node);
    auth_certificate_free(&other);
    auth_certificate_free(&authority);
}

static void a_bundle_is_taken_apart(void **state)
{
    (void)state;
    struct auth_certificate both = {0};
    struct auth_certificate_span span;
    struct text pem;
    size_t count = 0;
    assert_int_equal(auth_certificate_make(&authority_wish, NULL, &both), 0);
    assert_int_equal(auth_certificate_make(&authority_wish, NULL, &both), 0);
    buffer_append_text(&both.certificate, TEXT("-----BEGIN CERTIFICATE-----\ncut"));
    for (struct text bundle = buffer_text(&both.certificate);
         auth_certificate_next(&bundle, &pem);) {
        assert_int_equal(auth_certificate_span(pem, &span), 0);
        assert_int_equal(span.from_s, NOW_S - DAY_S);
        assert_int_equal(span.to_s, NOW_S + 10 * DAY_S);
        count++;
    }
    assert_int_equal(count, 2);
    auth_certificate_free(&both);
}

static void what_cannot_be_made_or_read_is_said(void **state)
{
    (void)state;
    struct auth_certificate none = {0}, made = {0};
    struct auth_certificate_wish wish = node_wish;
    struct auth_certificate_span span;
    assert_int_equal(auth_certificate_make(&node_wish, &none, &made), -EINVAL);
    wish.hosts = "nobody:knows";
    assert_int_equal(auth_certificate_make(&wish, NULL, &made), -EINVAL);
    wish = node_wish;
    wish.name = "12345678901234567890123456789012345678901234567890123456789012345"; /* 65 */
    assert_int_equal(auth_certificate_make(&wish, NULL, &made), -EINVAL);
    assert_int_equal(auth_certificate_span(TEXT("nothing"), &span), -EBADMSG);
    auth_certificate_free(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_is_believed_for_both_ends_and_its_time),
        cmocka_unit_test(a_client_is_no_server_and_no_authority),
        cmocka_unit_test(another_authority_of_the_same_name_is_not_believed),
        cmocka_unit_test(a_bundle_is_taken_apart),
        cmocka_unit_test(what_cannot_be_made_or_read_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
