#include "cli/arguments.h"
#include "cli/commands.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct cli_command commands[] = {
    {.name = "dev up",
     .operands = "",
     .summary = "Brings it up.",
     .options = {{"data", "DIR", "Where."}, {"foreground", NULL, "Stays."}}},
    {.name = "send",
     .operands = "BODY",
     .summary = "Sends.",
     .help = "More of it.",
     .operands_min = 1,
     .operands_max = 1,
     .options = {{"to", "USER", "To whom."}}},
    {.name = NULL},
};

static struct error_text why;
static struct cli_arguments got;

/* Only for what is refused: nothing is borrowed afterwards. */
static int parse(const struct cli_command *command, int argc, const char *const *words)
{
    char *argv[8] = {0};
    for (int i = 0; i < argc; i++)
        argv[i] = strdup(words[i]);
    why.text[0] = '\0';
    int result = cli_arguments_parse(command, argc, argv, &got, &why);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    return result;
}
#define PARSE(command, ...)                                                                        \
    parse((command), (int)COUNT_OF(((const char *[]){__VA_ARGS__})), (const char *[]){__VA_ARGS__})

static void finds_commands_of_one_word_and_of_two(void **state)
{
    (void)state;
    char dev[] = "dev", up[] = "up", send[] = "send", other[] = "sen";
    int words = 0;
    assert_ptr_equal(cli_command_find(commands, 2, (char *[]){dev, up}, &words), &commands[0]);
    assert_int_equal(words, 2);
    assert_ptr_equal(cli_command_find(commands, 2, (char *[]){send, up}, &words), &commands[1]);
    assert_int_equal(words, 1);
    assert_null(cli_command_find(commands, 1, (char *[]){dev}, &words));
    assert_null(cli_command_find(commands, 1, (char *[]){other}, &words));
}

static void takes_options_and_operands_in_any_order(void **state)
{
    (void)state;
    char to[] = "--to", bob[] = "bob", hello[] = "hello", both[] = "--to=bob";
    assert_int_equal(cli_arguments_parse(&commands[1], 3, (char *[]){hello, to, bob}, &got, &why),
                     0);
    assert_string_equal(cli_value(&got, "to"), "bob");
    assert_string_equal(got.operands[0], "hello");
    assert_int_equal(cli_arguments_parse(&commands[1], 2, (char *[]){both, hello}, &got, &why), 0);
    assert_string_equal(cli_value(&got, "to"), "bob");
    assert_int_equal(cli_arguments_parse(&commands[1], 1, (char *[]){hello}, &got, &why), 0);
    assert_null(cli_value(&got, "to"));
    assert_string_equal(cli_value_or(&got, "to", "all"), "all");
}

static void two_dashes_end_the_options(void **state)
{
    (void)state;
    char dashes[] = "--", help[] = "--help", minus[] = "-1";
    assert_int_equal(cli_arguments_parse(&commands[1], 2, (char *[]){dashes, help}, &got, &why), 0);
    assert_false(got.help);
    assert_string_equal(got.operands[0], "--help");
    assert_int_equal(cli_arguments_parse(&commands[1], 2, (char *[]){dashes, minus}, &got, &why),
                     0);
    assert_string_equal(got.operands[0], "-1");
}

static void names_what_is_wrong(void **state)
{
    (void)state;
    assert_int_equal(PARSE(&commands[1], "--too", "x"), -EINVAL);
    assert_string_equal(why.text, "unknown option '--too'");
    assert_int_equal(PARSE(&commands[1], "-x"), -EINVAL);
    assert_string_equal(why.text, "unknown option '-x'");
    assert_int_equal(PARSE(&commands[1], "x", "--to"), -EINVAL);
    assert_string_equal(why.text, "'--to' needs a value (USER)");
    assert_int_equal(PARSE(&commands[1], "x", "--to=a", "--to=b"), -EINVAL);
    assert_string_equal(why.text, "'--to' is given twice");
    assert_int_equal(PARSE(&commands[1], "x", "y"), -EINVAL);
    assert_string_equal(why.text, "'y' is one argument too many");
    assert_int_equal(PARSE(&commands[1], "--to=a"), -EINVAL);
    assert_string_equal(why.text, "something is missing: meridian send BODY");
    assert_int_equal(PARSE(&commands[0], "--foreground=yes"), -EINVAL);
    assert_string_equal(why.text, "'--foreground' takes no value");
}

static void asking_for_help_is_never_wrong(void **state)
{
    (void)state;
    char wrong[] = "--wrong", help[] = "--help";
    assert_int_equal(cli_arguments_parse(&commands[1], 2, (char *[]){wrong, help}, &got, &why), 0);
    assert_true(got.help);
}

static void the_help_comes_from_the_row(void **state)
{
    (void)state;
    struct buffer out = {0};
    cli_command_help(&commands[1], &out);
    buffer_append(&out, "", 1);
    assert_string_equal((const char *)out.data, "usage: meridian send [options] BODY\n\n"
                                                "Sends.\n\nMore of it.\n\nOptions:\n"
                                                "  --to USER            To whom.\n");
    buffer_free(&out);
}

static void every_command_can_be_found_and_explained(void **state)
{
    (void)state;
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++) {
        struct buffer help = {0};
        cli_command_help(command, &help);
        assert_false(help.failed);
        assert_non_null(command->run);
        assert_true(command->operands_min <= command->operands_max);
        assert_true(command->operands_max <= CLI_OPERANDS_MAX);
        buffer_free(&help);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_commands_of_one_word_and_of_two),
        cmocka_unit_test(takes_options_and_operands_in_any_order),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(names_what_is_wrong),
        cmocka_unit_test(asking_for_help_is_never_wrong),
        cmocka_unit_test(the_help_comes_from_the_row),
        cmocka_unit_test(every_command_can_be_found_and_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
