#include "auth/settings.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct daemon {
    struct auth_settings auth;
};

static const struct setting table[] = {
    AUTH_SETTINGS_ROWS(struct daemon, auth),
    SETTINGS_END,
};

#define KEYS "\n  keys:\n    - file: k\n"

static void the_rules_between_them_hold(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *why; /* NULL: good */
    } rows[] = {
        {"auth:\n  required: false\n", NULL},
        {"auth:\n  required: true\n", "'auth.keys' is empty"},
        {"auth:\n  required: true\n  issuer: i\n  audience: a" KEYS, NULL},
        {"auth:\n  audience: a" KEYS, "'auth.issuer' is empty"},
        {"auth:\n  issuer: i" KEYS, "'auth.audience' is empty"},
        {"auth:\n  issuer: i\n  audience: a" KEYS "      format: jwks\n", NULL},
        {"auth:\n  issuer: i\n  audience: a" KEYS "      format: jwks\n      kid: x\n",
         "'auth.keys[0].kid' is 'x'"},
        {"auth:\n  leeway: 61s\n", "'auth.leeway' is 61s"},
        {"auth:\n  keys:\n    - kid: x\n", "'auth.keys[0].file' is missing"},
        {"auth:\n  keys:\n    - file: k\n      kid: a b\n", "must be"},
        {"auth:\n  keys:\n    - file: k\n      format: der\n", "must be"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct daemon daemon;
        struct error_text why = {0};
        settings_defaults(table, &daemon);
        int err = settings_load_text(table, &daemon, text_of(rows[i].yaml), "file", &why);
        if (err == 0)
            err = auth_settings_fit(&daemon.auth, &why);
        if ((err == 0) != (rows[i].why == NULL) ||
            (err != 0 && strstr(why.text, rows[i].why) == NULL))
            fail_msg("row %zu: %s", i, why.text);
        settings_free(table, &daemon);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rules_between_them_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
