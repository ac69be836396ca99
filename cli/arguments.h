/* The command line by table: a command is a row with its options, its operands and its help. */
#pragma once

#include "base/buffer.h"
#include "base/error_text.h"
#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>

enum { CLI_OPTIONS_MAX = 12, CLI_OPERANDS_MAX = 8 };

/* `name` NULL ends a table. A flag has no `value`: its value is "" when it is given. */
struct cli_option {
    const char *name;  /* without the dashes */
    const char *value; /* what the help calls its value; NULL: a flag */
    const char *doc;
};

struct cli_arguments;

/* `name` NULL ends a table. */
struct cli_command {
    const char *name;     /* one word, or two: "dev up" */
    const char *operands; /* as the help shows them: "USER [HOME]" */
    const char *summary;  /* one line */
    const char *help;     /* more lines, or NULL */
    size_t operands_min;
    size_t operands_max;
    struct cli_option options[CLI_OPTIONS_MAX];
    int (*run)(const struct cli_arguments *arguments); /* returns the exit code */
};

struct cli_arguments {
    const struct cli_command *command;
    const char
        *values[CLI_OPTIONS_MAX]; /* in the order of the command's options; NULL: not given */
    const char *operands[CLI_OPERANDS_MAX];
    size_t operand_count;
    bool help; /* --help was there: nothing else was checked */
};

/* What the exit codes say. */
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_UNKNOWN = 3 };
/* Who one is when no option says so. */
#define CLI_USER_DEFAULT "me"

/* The command that `argv` begins with, and how many words its name took; NULL: none. */
const struct cli_command *cli_command_find(const struct cli_command *commands, int argc,
                                           char *const *argv, int *ret_words);
/* Reads what follows the command's name. "--name value", "--name=value"; "--" ends the options.
 * Everything is borrowed from `argv`. -EINVAL with a sentence that names what is wrong. */
MUST_USE int cli_arguments_parse(const struct cli_command *command, int argc, char *const *argv,
                                 struct cli_arguments *ret_arguments,
                                 struct error_text *reterr_why);
/* The value of an option, which the command must have (asserted); NULL when it was not given. */
const char *cli_value(const struct cli_arguments *arguments, const char *name);
const char *cli_value_or(const struct cli_arguments *arguments, const char *name,
                         const char *otherwise);
bool cli_flag(const struct cli_arguments *arguments, const char *name);

/* "usage: ..." and the help of one command. */
void cli_command_help(const struct cli_command *command, struct buffer *out);
