/* What an edge shows and takes in a handshake, with both sides in memory. */
#include "edge/edge_settings.h"
#include "edge/edge_tls.h"
#include "tls_lab.h"

#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
    char folder[64];
    struct edge_tls_settings settings;
    struct edge_tls *tls;
    SSL_CTX *client;
    SSL_SESSION *session; /* the last one a client was given */
} it;

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(it.session);
    it.session = session;
    return 1; /* it is ours now */
}

static int begin(void **state)
{
    (void)state;
    memset(&it, 0, sizeof it);
    strcpy(it.folder, "/tmp/edge-tls-XXXXXX");
    if (mkdtemp(it.folder) == NULL)
        return -1;
    struct edge_settings edge;
    settings_defaults(edge_settings_table, &edge);
    it.settings = edge.tls;
    snprintf(it.settings.certificate, sizeof it.settings.certificate, "%s/one.pem", it.folder);
    snprintf(it.settings.key, sizeof it.settings.key, "%s/one.key", it.folder);
    tls_lab_write_files("one", it.settings.certificate, it.settings.key);
    it.client = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(it.client, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(it.client, on_session);
    return 0;
}

static int end(void **state)
{
    (void)state;
    edge_tls_free(it.tls);
    SSL_SESSION_free(it.session);
    SSL_CTX_free(it.client);
    unlink(it.settings.certificate);
    unlink(it.settings.key);
    return rmdir(it.folder);
}

static void open_tls(void)
{
    struct error_text why = {0};
    it.tls = edge_tls_new(&it.settings, 0, &why);
    if (it.tls == NULL)
        fail_msg("%s", why.text);
}

static void assert_refused(const char *word, const char *other)
{
    struct error_text why = {0};
    it.tls = edge_tls_new(&it.settings, 0, &why);
    assert_null(it.tls);
    if (strstr(why.text, word) == NULL || strstr(why.text, other) == NULL)
        fail_msg("'%s' does not name '%s' and '%s'", why.text, word, other);
}

struct met {
    bool good;
    bool resumed;
    int version;
    char alpn[16];
    char name[32]; /* of the certificate */
};

static void note(SSL *client, SSL *server, struct met *met)
{
    const unsigned char *alpn;
    unsigned size;
    char byte;
    met->good = SSL_is_init_finished(client) && SSL_is_init_finished(server);
    if (!met->good)
        return;
    (void)SSL_read(client, &byte, 1); /* takes the ticket of TLS 1.3 */
    met->resumed = SSL_session_reused(client);
    met->version = SSL_version(client);
    SSL_get0_alpn_selected(client, &alpn, &size);
    assert_true(size < sizeof met->alpn);
    if (size > 0)
        memcpy(met->alpn, alpn, size);
    X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(client)),
                              NID_commonName, met->name, sizeof met->name);
}

static void shake(SSL *client, SSL *server)
{
    BIO *one, *two;
    assert_int_equal(BIO_new_bio_pair(&one, 65536, &two, 65536), 1);
    SSL_set_bio(client, one, one);
    SSL_set_bio(server, two, two);
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    for (int i = 0; i < 6; i++) {
        (void)SSL_do_handshake(client);
        (void)SSL_do_handshake(server);
    }
}

/* `alpn` in wire format, or NULL; `session` is tried, where there is one. */
static struct met meet(int version, const char *alpn, SSL_SESSION *session)
{
    struct met met = {0};
    SSL *client = SSL_new(it.client);
    SSL *server = SSL_new(edge_tls_context(it.tls));
    SSL_set_min_proto_version(client, version);
    SSL_set_max_proto_version(client, version);
    if (version < TLS1_2_VERSION)
        SSL_set_cipher_list(client, "DEFAULT@SECLEVEL=0");
    if (alpn != NULL)
        SSL_set_alpn_protos(client, (const unsigned char *)alpn, (unsigned)strlen(alpn));
    if (session != NULL)
        SSL_set_session(client, session);
    shake(client, server);
    note(client, server, &met);
    SSL_shutdown(client); /* else the session would count as broken */
    SSL_free(client);
    SSL_free(server);
    return met;
}

static void speaks_1_2_and_1_3(void **state)
{
    (void)state;
    open_tls();
    assert_true(meet(TLS1_2_VERSION, NULL, NULL).good);
    assert_true(meet(TLS1_3_VERSION, NULL, NULL).good);
    assert_false(meet(TLS1_1_VERSION, NULL, NULL).good);
}

static void may_be_told_to_speak_1_3_alone(void **state)
{
    (void)state;
    it.settings.min_version = EDGE_TLS_1_3;
    open_tls();
    assert_false(meet(TLS1_2_VERSION, NULL, NULL).good);
    assert_true(meet(TLS1_3_VERSION, NULL, NULL).good);
}

static void chooses_http_1_1_and_nothing_else(void **state)
{
    (void)state;
    open_tls();
    assert_string_equal(meet(TLS1_3_VERSION, "\x02h2\x08http/1.1", NULL).alpn, "http/1.1");
    assert_string_equal(meet(TLS1_2_VERSION, "\x08http/1.1", NULL).alpn, "http/1.1");
    assert_false(meet(TLS1_3_VERSION, "\x02h2", NULL).good);
    assert_false(meet(TLS1_2_VERSION, "\x02h2", NULL).good);
    assert_string_equal(meet(TLS1_3_VERSION, NULL, NULL).alpn, "");
}

static void a_ticket_resumes_also_after_a_reload(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    open_tls();
    for (size_t i = 0; i < 2; i++) {
        assert_false(meet(versions[i], NULL, NULL).resumed);
        assert_non_null(it.session);
        SSL_SESSION *session = it.session;
        it.session = NULL;
        edge_tls_reload(it.tls);
        assert_true(meet(versions[i], NULL, session).resumed);
        SSL_SESSION_free(session);
    }
}

static void a_ticket_ends_with_its_key(void **state)
{
    (void)state;
    open_tls();
    int64_t lifetime_ms = it.settings.ticket_lifetime_ms;
    assert_false(meet(TLS1_2_VERSION, NULL, NULL).resumed);
    SSL_SESSION *session = it.session;
    it.session = NULL;
    edge_tls_tick(it.tls, lifetime_ms);
    assert_true(meet(TLS1_2_VERSION, NULL, session).resumed);
    edge_tls_tick(it.tls, 2 * lifetime_ms);
    struct met met = meet(TLS1_2_VERSION, NULL, session);
    assert_true(met.good && !met.resumed); /* a whole handshake takes its place */
    SSL_SESSION_free(session);
}

static void gives_no_tickets_where_none_are_wanted(void **state)
{
    (void)state;
    it.settings.ticket_lifetime_ms = 0;
    open_tls();
    assert_true(meet(TLS1_3_VERSION, NULL, NULL).good);
    assert_null(it.session);
}

static void a_reload_shows_the_new_certificate_to_new_ones(void **state)
{
    (void)state;
    open_tls();
    assert_string_equal(meet(TLS1_3_VERSION, NULL, NULL).name, "one");
    tls_lab_write_files("two", it.settings.certificate, it.settings.key);
    edge_tls_reload(it.tls);
    assert_string_equal(meet(TLS1_3_VERSION, NULL, NULL).name, "two");
}

static void a_reload_of_bad_files_changes_nothing(void **state)
{
    (void)state;
    char other[96];
    snprintf(other, sizeof other, "%s/other.pem", it.folder);
    open_tls();
    tls_lab_write_files("two", other, it.settings.key); /* a key of another certificate */
    edge_tls_reload(it.tls);
    assert_string_equal(meet(TLS1_3_VERSION, NULL, NULL).name, "one");
    assert_int_equal(rename(other, it.settings.certificate), 0);
    edge_tls_reload(it.tls);
    assert_string_equal(meet(TLS1_3_VERSION, NULL, NULL).name, "two");
    assert_int_equal(truncate(it.settings.certificate, 100), 0);
    edge_tls_reload(it.tls);
    assert_string_equal(meet(TLS1_3_VERSION, NULL, NULL).name, "two");
}

static void refuses_a_key_for_everybody(void **state)
{
    (void)state;
    struct error_text why;
    assert_int_equal(chmod(it.settings.key, 0604), 0);
    assert_null(edge_tls_new(&it.settings, 0, &why));
    assert_non_null(strstr(why.text, "can be read by everybody"));
    assert_int_equal(chmod(it.settings.key, 0600), 0);
}

static void refuses_a_key_with_a_passphrase(void **state)
{
    (void)state;
    X509 *certificate;
    EVP_PKEY *key;
    tls_lab_certificate("one", &certificate, &key);
    FILE *file = fopen(it.settings.key, "w");
    assert_non_null(file);
    assert_int_equal(
        PEM_write_PKCS8PrivateKey(file, key, EVP_aes_256_cbc(), "secret", 6, NULL, NULL), 1);
    fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
    assert_refused("tls.key", "passphrase");
}

static void refuses_a_key_of_another_certificate(void **state)
{
    (void)state;
    char other[96];
    snprintf(other, sizeof other, "%s/other.pem", it.folder);
    tls_lab_write_files("two", other, it.settings.key);
    unlink(other);
    assert_refused("tls.key", "mismatch");
}

static void names_the_file_that_is_bad(void **state)
{
    (void)state;
    struct edge_tls_settings good = it.settings;
    strcpy(it.settings.certificate, "/nowhere.pem");
    assert_refused("tls.certificate", "No such file");
    it.settings = good;
    strcpy(it.settings.key, "/nowhere.key");
    assert_refused("tls.key", "No such file");
    it.settings = good;
    strcpy(it.settings.key, good.certificate); /* no key in it */
    assert_refused("tls.key", good.certificate);
    it.settings = good;
    strcpy(it.settings.ciphers, "NO-SUCH");
    assert_refused("tls.ciphers", "NO-SUCH");
    it.settings = good;
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        ROW(speaks_1_2_and_1_3),
        ROW(may_be_told_to_speak_1_3_alone),
        ROW(chooses_http_1_1_and_nothing_else),
        ROW(a_ticket_resumes_also_after_a_reload),
        ROW(a_ticket_ends_with_its_key),
        ROW(gives_no_tickets_where_none_are_wanted),
        ROW(a_reload_shows_the_new_certificate_to_new_ones),
        ROW(a_reload_of_bad_files_changes_nothing),
        ROW(refuses_a_key_for_everybody),
        ROW(refuses_a_key_with_a_passphrase),
        ROW(refuses_a_key_of_another_certificate),
        ROW(names_the_file_that_is_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
