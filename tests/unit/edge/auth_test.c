#include "edge/edge_auth.h"

#include "base/clock.h"
#include "token_lab.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void a_token_is_found_where_it_stands(void **state)
{
    (void)state;
    static const struct {
        struct text (*find)(struct text header);
        const char *header, *token;
    } rows[] = {
        {edge_auth_of_authorization, "Bearer a.b.c", "a.b.c"},
        {edge_auth_of_authorization, " bEARER  a.b.c ", "a.b.c"},
        {edge_auth_of_authorization, "Bearer a b", "a b"},
        {edge_auth_of_authorization, "Bearer", ""},
        {edge_auth_of_authorization, "Bearer ", ""},
        {edge_auth_of_authorization, "Basic YTpi", ""},
        {edge_auth_of_authorization, "", ""},
        {edge_auth_of_protocols, "meridian.v1, bearer.a.b.c", "a.b.c"},
        {edge_auth_of_protocols, "bearer.a.b.c\t,meridian.v1", "a.b.c"},
        {edge_auth_of_protocols, "bearer.x,bearer.y", "x"},
        {edge_auth_of_protocols, "meridian.v1", ""},
        {edge_auth_of_protocols, "Bearer.a", ""},
        {edge_auth_of_protocols, "bearer., x", ""},
        {edge_auth_of_protocols, ",,", ""},
        {edge_auth_of_protocols, "", ""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct text found = rows[i].find(text_of(rows[i].header));
        if (!text_equal(found, text_of(rows[i].token)))
            fail_msg("'%s' has '%.*s'", rows[i].header, TEXT_ARGS(found));
    }
}

static int judge(const struct edge_auth *auth, const char *shown, bool *ret_named)
{
    struct edge_token *token;
    int err = edge_auth_judge(auth, text_of(shown), 0, &token);
    *ret_named = token != NULL;
    free(token);
    return err;
}

static void who_is_let_in(void **state)
{
    (void)state;
    bool named;
    for (int required = 0; required <= 1; required++) {
        struct token_lab lab;
        token_lab_begin(&lab, required == 1);
        assert_int_equal(edge_auth_requires(lab.auth), required);
        assert_int_equal(judge(lab.auth, token_of(&lab, "alice", "", 60), &named), 0);
        assert_true(named);
        assert_int_equal(judge(lab.auth, "", &named), required ? -EACCES : 0);
        assert_false(named);
        assert_int_equal(judge(lab.auth, "x", &named), -EACCES);
        assert_int_equal(judge(lab.auth, token_of(&lab, "alice", "", -1), &named), -EACCES);
        assert_int_equal(judge(lab.auth, token_of(&lab, "$meridian", "", 60), &named), -EACCES);
        assert_false(named);
        token_lab_end(&lab);
    }
    assert_int_equal(judge(NULL, "x", &named), 0); /* no keys: nobody looks */
    assert_false(named);
    struct auth_settings none = {0};
    struct edge_auth *auth = edge_auth_new(&none, NULL);
    assert_int_equal(judge(auth, "x", &named), 0);
    assert_false(edge_auth_has_keys(auth) || edge_auth_requires(auth));
    edge_auth_reload(auth);
    edge_auth_free(auth);
}

static void write_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
    assert_int_equal(chmod(path, 0600), 0);
}

static void keys_are_read_again_and_a_damaged_file_changes_nothing(void **state)
{
    (void)state;
    struct token_lab lab;
    bool named;
    char token[1024];
    token_lab_begin(&lab, true);
    snprintf(token, sizeof token, "%s", token_of(&lab, "alice", "", 60));
    write_file(lab.row.file, "too short");
    edge_auth_reload(lab.auth);
    assert_int_equal(judge(lab.auth, token, &named), 0);
    unlink(lab.row.file);
    edge_auth_reload(lab.auth);
    assert_int_equal(judge(lab.auth, token, &named), 0);
    write_file(lab.row.file, "another secret of the tests, 32 or more");
    edge_auth_reload(lab.auth);
    assert_int_equal(judge(lab.auth, token, &named), -EACCES);
    token_lab_end(&lab);
}

static void without_its_key_it_does_not_begin(void **state)
{
    (void)state;
    struct token_lab lab;
    struct error_text why = {0};
    token_lab_begin(&lab, true);
    unlink(lab.row.file);
    assert_null(edge_auth_new(&lab.settings, &why));
    assert_non_null(strstr(why.text, lab.row.file));
    token_lab_end(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_found_where_it_stands),
        cmocka_unit_test(who_is_let_in),
        cmocka_unit_test(keys_are_read_again_and_a_damaged_file_changes_nothing),
        cmocka_unit_test(without_its_key_it_does_not_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
