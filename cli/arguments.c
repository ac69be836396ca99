#include "cli/arguments.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* How many words of `argv` the name stands for; 0 when it is another one. */
static int match_name(const char *name, int argc, char *const *argv)
{
    int words = 0;
    while (*name != '\0') {
        size_t size = strcspn(name, " ");
        if (words == argc || strlen(argv[words]) != size || memcmp(argv[words], name, size) != 0)
            return 0;
        words++;
        name += size;
        name += strspn(name, " ");
    }
    return words;
}

const struct cli_command *cli_command_find(const struct cli_command *commands, int argc,
                                           char *const *argv, int *ret_words)
{
    for (const struct cli_command *command = commands; command->name != NULL; command++) {
        int words = match_name(command->name, argc, argv);
        if (words > 0) {
            *ret_words = words;
            return command;
        }
    }
    return NULL;
}

static int find_option(const struct cli_command *command, const char *name, size_t size)
{
    for (int i = 0; i < CLI_OPTIONS_MAX && command->options[i].name != NULL; i++) {
        const char *known = command->options[i].name;
        if (strlen(known) == size && memcmp(known, name, size) == 0)
            return i;
    }
    return -ENOENT;
}

/* Takes the option at argv[*at], and its value, where it stands in the next word. */
static int take_option(struct cli_arguments *arguments, int argc, char *const *argv, int *at,
                       struct error_text *reterr_why)
{
    const char *name = argv[*at] + 2;
    size_t size = strcspn(name, "=");
    const char *value = name[size] == '=' ? name + size + 1 : NULL;
    int which = find_option(arguments->command, name, size);

    if (which < 0)
        return error_text_set(reterr_why, -EINVAL, "unknown option '--%.*s'", (int)size, name);
    if (arguments->values[which] != NULL)
        return error_text_set(reterr_why, -EINVAL, "'--%.*s' is given twice", (int)size, name);
    if (arguments->command->options[which].value == NULL) {
        if (value != NULL)
            return error_text_set(reterr_why, -EINVAL, "'--%.*s' takes no value", (int)size, name);
        value = "";
    } else if (value == NULL) {
        if (*at + 1 == argc)
            return error_text_set(reterr_why, -EINVAL, "'--%s' needs a value (%s)", name,
                                  arguments->command->options[which].value);
        value = argv[++*at];
    }
    arguments->values[which] = value;
    return 0;
}

static int take_operand(struct cli_arguments *arguments, const char *word,
                        struct error_text *reterr_why)
{
    if (arguments->operand_count == arguments->command->operands_max)
        return error_text_set(reterr_why, -EINVAL, "'%s' is one argument too many", word);
    arguments->operands[arguments->operand_count++] = word;
    return 0;
}

static bool wants_help(int argc, char *const *argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

int cli_arguments_parse(const struct cli_command *command, int argc, char *const *argv,
                        struct cli_arguments *ret_arguments, struct error_text *reterr_why)
{
    struct cli_arguments arguments = {.command = command, .help = wants_help(argc, argv)};
    bool options = true;

    for (int i = 0; i < argc && !arguments.help; i++) {
        const char *word = argv[i];
        int err;
        if (options && strcmp(word, "--") == 0) {
            options = false;
            continue;
        }
        if (options && strncmp(word, "--", 2) == 0)
            err = take_option(&arguments, argc, argv, &i, reterr_why);
        else if (options && word[0] == '-' && word[1] != '\0')
            err = error_text_set(reterr_why, -EINVAL, "unknown option '%s'", word);
        else
            err = take_operand(&arguments, word, reterr_why);
        if (err < 0)
            return err;
    }
    if (!arguments.help && arguments.operand_count < command->operands_min)
        return error_text_set(reterr_why, -EINVAL, "something is missing: meridian %s %s",
                              command->name, command->operands);
    *ret_arguments = arguments;
    return 0;
}

const char *cli_value(const struct cli_arguments *arguments, const char *name)
{
    int which = find_option(arguments->command, name, strlen(name));
    assert(which >= 0);
    return arguments->values[which];
}

const char *cli_value_or(const struct cli_arguments *arguments, const char *name,
                         const char *otherwise)
{
    const char *value = cli_value(arguments, name);
    return value == NULL ? otherwise : value;
}

bool cli_flag(const struct cli_arguments *arguments, const char *name)
{
    return cli_value(arguments, name) != NULL;
}

void cli_command_help(const struct cli_command *command, struct buffer *out)
{
    bool has_options = command->options[0].name != NULL;

    buffer_printf(out, "usage: meridian %s%s%s%s\n\n%s\n", command->name,
                  has_options ? " [options]" : "", command->operands[0] == '\0' ? "" : " ",
                  command->operands, command->summary);
    if (command->help != NULL)
        buffer_printf(out, "\n%s\n", command->help);
    if (!has_options)
        return;
    buffer_printf(out, "\nOptions:\n");
    for (const struct cli_option *option = command->options; option->name != NULL; option++) {
        char name[64];
        const char *value = option->value == NULL ? "" : option->value;
        snprintf(name, sizeof name, "--%s %s", option->name, value);
        buffer_printf(out, "  %-20s %s\n", name, option->doc);
    }
}
