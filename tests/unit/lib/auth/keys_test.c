/* Key files on disk, and who is found by what kid. */
#include "auth/keys.h"

#include <errno.h>
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

static char folder[64];

static int begin(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/auth_keys_XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static struct auth_key_settings file_of(const char *name, unsigned format, const char *kid,
                                        struct text content)
{
    struct auth_key_settings settings = {.format = format};
    snprintf(settings.file, sizeof settings.file, "%s/%s", folder, name);
    snprintf(settings.kid, sizeof settings.kid, "%s", kid);
    FILE *file = fopen(settings.file, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(content.data, 1, content.size, file), content.size);
    fclose(file);
    assert_int_equal(chmod(settings.file, 0600), 0);
    return settings;
}

static const char secret[] = "0123456789abcdef0123456789abcdef";
static const char jwks[] =
    "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"j1\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLrA"
    "\"},"
    "{\"kty\":\"oct\",\"kid\":\"j2\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLrA\"}]}";

static struct auth_keys *load(struct auth_key_settings *rows, size_t count, const char *why_not)
{
    struct auth_settings settings = {.keys = rows, .key_count = count};
    struct error_text why = {0};
    struct auth_keys *keys = auth_keys_load(&settings, &why);
    if ((keys == NULL) != (why_not != NULL) ||
        (why_not != NULL && strstr(why.text, why_not) == NULL))
        fail_msg("expected '%s' in: %s", why_not == NULL ? "" : why_not, why.text);
    return keys;
}

static void several_files_make_one_set(void **state)
{
    (void)state;
    struct buffer ignored = {0}, pem = {0};
    assert_int_equal(auth_key_make(AUTH_ES256, &ignored, &pem), 0);
    struct auth_key_settings rows[] = {
        file_of("secret", AUTH_FORMAT_SECRET, "s", text_of(secret)),
        file_of("pem", AUTH_FORMAT_PEM, "p", buffer_text(&pem)),
        file_of("jwks", AUTH_FORMAT_JWKS, "", text_of(jwks)),
    };
    struct auth_keys *keys = load(rows, 3, NULL);
    assert_int_equal(keys->count, 4);
    assert_int_equal(auth_keys_find(keys, TEXT("s"))->alg, AUTH_HS256);
    assert_int_equal(auth_keys_find(keys, TEXT("p"))->alg, AUTH_ES256);
    assert_ptr_equal(auth_keys_find(keys, TEXT("j2")), &keys->keys[3]);
    assert_null(auth_keys_find(keys, TEXT("j3")));
    assert_null(auth_keys_find(keys, TEXT("")));
    auth_keys_free(keys);
    buffer_free(&ignored);
    buffer_free(&pem);
}

static void a_secret_is_not_for_everybody(void **state)
{
    (void)state;
    struct auth_key_settings row = file_of("secret", AUTH_FORMAT_SECRET, "s", text_of(secret));
    assert_int_equal(chmod(row.file, 0640), 0);
    auth_keys_free(load(&row, 1, NULL));
    assert_int_equal(chmod(row.file, 0604), 0);
    assert_null(load(&row, 1, "secret can be read by everybody: chmod 0600"));
}

static void the_only_key_needs_no_name(void **state)
{
    (void)state;
    struct auth_key_settings row = file_of("secret", AUTH_FORMAT_SECRET, "", text_of(secret));
    struct auth_keys *keys = load(&row, 1, NULL);
    assert_non_null(auth_keys_find(keys, TEXT("")));
    assert_non_null(auth_keys_find(keys, TEXT("any")));
    auth_keys_free(keys);
    strcpy(row.kid, "s");
    keys = load(&row, 1, NULL);
    assert_non_null(auth_keys_find(keys, TEXT("")));
    assert_non_null(auth_keys_find(keys, TEXT("s")));
    assert_null(auth_keys_find(keys, TEXT("any"))); /* another was meant */
    auth_keys_free(keys);
}

static void a_damaged_file_is_named(void **state)
{
    (void)state;
    struct auth_key_settings good = file_of("good", AUTH_FORMAT_SECRET, "s", text_of(secret));
    struct auth_key_settings gone = good;
    strcat(gone.file, "-gone");
    struct {
        struct auth_key_settings row;
        const char *why;
    } rows[] = {
        {gone, "good-gone: No such file"},
        {file_of("short", AUTH_FORMAT_SECRET, "x", TEXT("short")), "short: the secret has 5 bytes"},
        {file_of("empty", AUTH_FORMAT_PEM, "x", TEXT("")), "empty: no public key"},
        {file_of("half", AUTH_FORMAT_JWKS, "", (struct text){jwks, 40}), "half: it is no JWK Set"},
        {file_of("same", AUTH_FORMAT_SECRET, "s", text_of(secret)), "two keys have the kid 's'"},
        {file_of("nameless", AUTH_FORMAT_SECRET, "", text_of(secret)), "has no kid"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct auth_key_settings both[] = {good, rows[i].row};
        assert_null(load(both, 2, rows[i].why));
    }
    assert_null(load(NULL, 0, "no key that can be used"));
}

static void a_file_has_its_bound(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    struct buffer read = {0};
    memset(buffer_reserve(&bytes, AUTH_KEY_FILE_MAX + 1), ' ', AUTH_KEY_FILE_MAX + 1);
    for (bytes.size = AUTH_KEY_FILE_MAX; bytes.size <= AUTH_KEY_FILE_MAX + 1; bytes.size++) {
        struct auth_key_settings row = file_of("large", AUTH_FORMAT_JWKS, "", buffer_text(&bytes));
        int err = auth_file_read(row.file, &read, NULL);
        assert_int_equal(err, bytes.size == AUTH_KEY_FILE_MAX ? 0 : -EFBIG);
        buffer_clear(&read);
    }
    buffer_free(&bytes);
    buffer_free(&read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_files_make_one_set),
        cmocka_unit_test(a_secret_is_not_for_everybody),
        cmocka_unit_test(the_only_key_needs_no_name),
        cmocka_unit_test(a_damaged_file_is_named),
        cmocka_unit_test(a_file_has_its_bound),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
