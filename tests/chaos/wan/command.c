#include "wan/command.h"

#include <errno.h>

/* What is left of the line, and what was made of it. */
struct reading {
    const struct wan_sites *sites;
    struct text rest;
    struct wan_command command;
    struct error_text *why;
};

/* The next word, empty at the end. */
static struct text next_word(struct reading *reading)
{
    struct text *rest = &reading->rest;
    while (rest->size > 0 && rest->data[0] == ' ')
        rest->data++, rest->size--;
    struct text word = {.data = rest->data, .size = 0};
    while (word.size < rest->size && rest->data[word.size] != ' ')
        word.size++;
    rest->data += word.size;
    rest->size -= word.size;
    return word;
}

static bool at_end(const struct reading *reading)
{
    struct reading ahead = *reading;
    return next_word(&ahead).size == 0;
}

/* A name, or * for all sites. */
static int read_sites(struct reading *reading, uint32_t *ret_sites)
{
    struct text word = next_word(reading);
    int site = wan_sites_find(reading->sites, word);
    if (text_equal(word, TEXT("*")))
        *ret_sites = wan_sites_all(reading->sites);
    else if (site >= 0)
        *ret_sites = (uint32_t)1 << site;
    else
        return error_text_set(reading->why, -EINVAL, "'%.*s' is no site", TEXT_ARGS(word));
    return 0;
}

static int read_pair(struct reading *reading)
{
    int err = read_sites(reading, &reading->command.from);
    return err != 0 ? err : read_sites(reading, &reading->command.to);
}

/* True at "one-way", which must be the last word. */
static bool is_one_way(struct reading *reading, struct text word)
{
    reading->command.one_way = text_equal(word, TEXT("one-way")) && at_end(reading);
    return reading->command.one_way;
}

static int read_maybe_one_way(struct reading *reading)
{
    if (at_end(reading))
        return 0;
    struct text word = next_word(reading);
    if (is_one_way(reading, word))
        return 0;
    return error_text_set(reading->why, -EINVAL, "'%.*s' is too much", TEXT_ARGS(word));
}

static int refuse_value(struct reading *reading, struct text name, struct text value, int err)
{
    return error_text_set(reading->why, -EINVAL, "%.*s '%.*s' is %s", TEXT_ARGS(name),
                          TEXT_ARGS(value),
                          err == -ERANGE ? "out of its bounds" : "no value of its unit");
}

static int read_knob(struct reading *reading, struct text name)
{
    enum wan_knob knob;
    if (wan_knob_find(name, &knob) != 0)
        return error_text_set(reading->why, -EINVAL, "'%.*s' is no knob", TEXT_ARGS(name));
    struct text value = next_word(reading);
    int err = wan_knob_parse(knob, value, &reading->command.knobs.value[knob]);
    if (err != 0)
        return refuse_value(reading, name, value, err);
    reading->command.given |= (uint32_t)1 << knob;
    return 0;
}

static int read_set(struct reading *reading)
{
    int err = read_pair(reading);
    do {
        if (err != 0)
            return err;
        struct text word = next_word(reading);
        if (reading->command.given != 0 && is_one_way(reading, word))
            return 0;
        err = read_knob(reading, word);
    } while (!at_end(reading));
    return err;
}

static int read_cut(struct reading *reading)
{
    int err = read_pair(reading);
    return err != 0 ? err : read_maybe_one_way(reading);
}

static int read_span(struct reading *reading, struct text name, uint64_t *ret_ns)
{
    const struct wan_knob_row *bounds = &wan_knob_rows[WAN_DELAY]; /* as long as any delay */
    struct text word = next_word(reading);
    if (!text_equal(word, name))
        return error_text_set(reading->why, -EINVAL, "'%.*s' must be %.*s", TEXT_ARGS(word),
                              TEXT_ARGS(name));
    struct text value = next_word(reading);
    int err = wan_unit_parse(WAN_NS, value, ret_ns);
    if (err == 0 && (*ret_ns == 0 || *ret_ns > bounds->max))
        err = -ERANGE;
    return err == 0 ? 0 : refuse_value(reading, name, value, err);
}

static int read_flap(struct reading *reading)
{
    int err = read_pair(reading);
    if (err == 0)
        err = read_span(reading, TEXT("down"), &reading->command.down_ns);
    if (err == 0)
        err = read_span(reading, TEXT("up"), &reading->command.up_ns);
    return err != 0 ? err : read_maybe_one_way(reading);
}

static int read_isolate(struct reading *reading)
{
    do {
        uint32_t site = 0;
        int err = read_sites(reading, &site);
        if (err != 0)
            return err;
        reading->command.from |= site;
    } while (!at_end(reading));
    reading->command.to = wan_sites_all(reading->sites) & ~reading->command.from;
    return 0;
}

/* Of one pair, or of all when none is named. */
static int read_maybe_pair(struct reading *reading)
{
    if (!at_end(reading))
        return read_cut(reading);
    reading->command.from = reading->command.to = wan_sites_all(reading->sites);
    return 0;
}

static int read_seed(struct reading *reading)
{
    struct text word = next_word(reading);
    if (text_to_u64(word, UINT64_MAX, &reading->command.seed) != 0)
        return error_text_set(reading->why, -EINVAL, "'%.*s' is no seed", TEXT_ARGS(word));
    return at_end(reading) ? 0 : read_maybe_one_way(reading);
}

static const struct {
    const char *name;
    int (*read)(struct reading *reading);
} verbs[WAN_VERBS] = {
    [WAN_SET] = {"set", read_set},          [WAN_CUT] = {"cut", read_cut},
    [WAN_FLAP] = {"flap", read_flap},       [WAN_ISOLATE] = {"isolate", read_isolate},
    [WAN_HEAL] = {"heal", read_maybe_pair}, [WAN_SEED] = {"seed", read_seed},
    [WAN_SHOW] = {"show", read_maybe_pair},
};

int wan_command_parse(const struct wan_sites *sites, struct text line,
                      struct wan_command *ret_command, struct error_text *reterr_why)
{
    struct reading reading = {.sites = sites, .rest = line, .why = reterr_why};
    if (line.size > WAN_COMMAND_MAX_BYTES)
        return error_text_set(reterr_why, -EMSGSIZE, "a command has at most %d bytes",
                              WAN_COMMAND_MAX_BYTES);
    struct text word = next_word(&reading);
    for (size_t i = 0; i < WAN_VERBS; i++) {
        if (!text_equal(word, text_of(verbs[i].name)))
            continue;
        reading.command.verb = (enum wan_verb)i;
        int err = verbs[i].read(&reading);
        if (err == 0)
            *ret_command = reading.command;
        return err;
    }
    return error_text_set(reterr_why, -EINVAL, "'%.*s' is no command", TEXT_ARGS(word));
}

static bool joins(const struct wan_command *command, size_t from, size_t to)
{
    return (command->from >> from & 1) != 0 && (command->to >> to & 1) != 0;
}

bool wan_command_concerns(const struct wan_command *command, size_t from, size_t to)
{
    return from != to &&
           (joins(command, from, to) || (!command->one_way && joins(command, to, from)));
}
