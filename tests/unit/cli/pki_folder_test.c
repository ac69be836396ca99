#include "cli/pki_folder.h"

#include "auth/certificate.h"
#include "cli/dev_folder.h"

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

enum { NOW_S = 1790000000, DAY_S = 86400 };

static char folder[] = "/tmp/pki-test-XXXXXX";
static const struct cli_pki_holder edge = {"sin-1", "edge", NULL};
static const struct cli_pki_holder node = {"sin-n1", "node", "DNS:nats.example"};

static int open_folder(void **state)
{
    (void)state;
    strcpy(strstr(folder, "test-") + 5, "XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

static int make(int64_t now_s, enum cli_pki_when authority, enum cli_pki_when holder,
                const struct cli_pki_holder *who)
{
    const struct cli_pki pki = {.folder = folder, .now_s = now_s, .days = 90};
    struct error_text why = {0};
    for (unsigned which = CLI_PKI_NODES; which <= CLI_PKI_CLIENTS; which++)
        assert_true(cli_pki_authority(&pki, which, authority, &why) >= 0);
    int err = cli_pki_holder(&pki, who, holder, &why);
    assert_string_equal(why.text, "");
    return err;
}

static size_t count_of(const char *file, struct auth_certificate_span *ret_first)
{
    struct buffer content = {0};
    struct text pem;
    size_t count = 0;
    assert_int_equal(cli_read_file(cli_path_of(folder, "%s", file).text, &content), 0);
    assert_int_equal(auth_certificate_span(buffer_text(&content), ret_first), 0);
    for (struct text bundle = buffer_text(&content); auth_certificate_next(&bundle, &pem);)
        count++;
    buffer_free(&content);
    return count;
}

static void what_is_due_has_less_than_a_third_left(void **state)
{
    (void)state;
    assert_false(cli_pki_is_due(0, 90, 60));
    assert_true(cli_pki_is_due(0, 90, 61));
    assert_true(cli_pki_is_due(0, 90, 100));
}

static void a_second_time_nothing_is_made_until_it_is_due(void **state)
{
    (void)state;
    struct auth_certificate_span span;
    assert_int_equal(make(NOW_S, CLI_PKI_DUE, CLI_PKI_DUE, &edge), 1);
    assert_int_equal(make(NOW_S + DAY_S, CLI_PKI_DUE, CLI_PKI_DUE, &edge), 0);
    assert_int_equal(make(NOW_S + 61 * DAY_S, CLI_PKI_DUE, CLI_PKI_DUE, &edge), 1);
    count_of("sin-1/certificate.pem", &span);
    assert_int_equal(span.to_s, NOW_S + (61 + 90) * DAY_S);
    assert_int_equal(make(NOW_S + 61 * DAY_S, CLI_PKI_DUE, CLI_PKI_ALWAYS, &edge), 1);
}

static void keys_are_for_their_owner_alone(void **state)
{
    (void)state;
    static const char *const keys[] = {"sin-1/key.pem", "authority/nodes.key",
                                       "authority/clients.key"};
    assert_int_equal(make(NOW_S, CLI_PKI_DUE, CLI_PKI_DUE, &edge), 1);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct stat found;
        assert_int_equal(stat(cli_path_of(folder, "%s", keys[i]).text, &found), 0);
        assert_int_equal(found.st_mode & 0777, 0600);
    }
}

static void a_new_authority_stands_before_the_old_until_that_ends(void **state)
{
    (void)state;
    struct auth_certificate_span span;
    const int64_t later_s = NOW_S + 3649 * (int64_t)DAY_S, ended_s = later_s + 2 * DAY_S;
    assert_int_equal(make(NOW_S, CLI_PKI_DUE, CLI_PKI_DUE, &node), 1);
    assert_int_equal(count_of("sin-n1/ca.pem", &span), 1);
    assert_int_equal(make(later_s, CLI_PKI_ALWAYS, CLI_PKI_DUE, &node), 1);
    assert_int_equal(count_of("sin-n1/ca.pem", &span), 2);
    assert_true(span.to_s > ended_s);
    assert_int_equal(count_of("sin-n1/clients.pem", &span), 2);
    assert_int_equal(make(ended_s, CLI_PKI_DUE, CLI_PKI_DUE, &node), 1);
    assert_int_equal(count_of("sin-n1/ca.pem", &span), 1);
}

static void what_is_no_certificate_is_left_alone(void **state)
{
    (void)state;
    const struct cli_pki pki = {.folder = folder, .now_s = NOW_S, .days = 90};
    struct error_text why = {0};
    assert_int_equal(make(NOW_S, CLI_PKI_DUE, CLI_PKI_DUE, &edge), 1);
    struct cli_path path = cli_path_of(folder, "sin-1/certificate.pem");
    assert_int_equal(cli_write_file(path.text, TEXT("mine\n")), 0);
    assert_true(cli_pki_holder(&pki, &edge, CLI_PKI_ALWAYS, &why) < 0);
    assert_non_null(strstr(why.text, "sin-1/certificate.pem holds no certificate"));
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, open_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_due_has_less_than_a_third_left),
        WITH_FOLDER(a_second_time_nothing_is_made_until_it_is_due),
        WITH_FOLDER(keys_are_for_their_owner_alone),
        WITH_FOLDER(a_new_authority_stands_before_the_old_until_that_ends),
        WITH_FOLDER(what_is_no_certificate_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
