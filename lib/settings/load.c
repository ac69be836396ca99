/* YAML into structs by table, from libyaml's events. A scope is one struct and its table; mappings
 * without a row of their own are groups and only lengthen the key. */
#include "settings/value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct loader {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    bool has_event;
    size_t depth;
    struct text yaml;
    const char *path;
    struct error_text *reterr_why;
    bool part; /* keys at the top that the table does not know are somebody else's */
};

struct scope {
    const struct setting *table;
    void *owner;
    char name[SETTING_NAME_SIZE]; /* of the struct, for errors: "" or "regions[0]." */
    bool seen[SETTINGS_ROWS_MAX];
};

static struct setting_place place_of(const struct loader *loader)
{
    return (struct setting_place){loader->path, loader->event.start_mark.line + 1};
}

#define COMPLAIN(loader, ...) setting_complain(place_of(loader), (loader)->reterr_why, __VA_ARGS__)

/* Of an error in the bytes themselves the library knows the offset only. */
static size_t line_at(const struct loader *loader, size_t offset)
{
    size_t line = 1;
    for (size_t i = 0; i < offset && i < loader->yaml.size; i++)
        line += loader->yaml.data[i] == '\n';
    return line;
}

static int parser_failed(struct loader *loader)
{
    const yaml_parser_t *parser = &loader->parser;
    if (parser->error == YAML_MEMORY_ERROR)
        return error_text_set(loader->reterr_why, -ENOMEM, "%s: out of memory", loader->path);
    size_t line = parser->error == YAML_READER_ERROR ? line_at(loader, parser->problem_offset)
                                                     : parser->problem_mark.line + 1;
    struct setting_place place = {loader->path, line};
    return setting_complain(place, loader->reterr_why, "is not YAML: %s",
                            parser->problem == NULL ? "syntax error" : parser->problem);
}

/* What our settings have no use for, and what makes YAML mean more than it shows. */
static int refuse_extras(struct loader *loader, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor != NULL)
        return COMPLAIN(loader, "anchors ('&%s') are not allowed",
                        setting_show(text_of((const char *)anchor)).text);
    if (tag != NULL)
        return COMPLAIN(loader, "tags ('%s') are not allowed",
                        setting_show(text_of((const char *)tag)).text);
    return 0;
}

static int enter(struct loader *loader)
{
    if (loader->depth == SETTINGS_DEPTH_MAX)
        return COMPLAIN(loader, "is nested too deep, must be at most %d levels",
                        SETTINGS_DEPTH_MAX);
    loader->depth++;
    return 0;
}

static int check_event(struct loader *loader)
{
    const yaml_event_t *event = &loader->event;
    int err = 0;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return COMPLAIN(loader, "aliases ('*%s') are not allowed",
                        setting_show(text_of((const char *)event->data.alias.anchor)).text);
    case YAML_SCALAR_EVENT:
        return refuse_extras(loader, event->data.scalar.anchor, event->data.scalar.tag);
    case YAML_SEQUENCE_START_EVENT:
        err = refuse_extras(loader, event->data.sequence_start.anchor,
                            event->data.sequence_start.tag);
        return err < 0 ? err : enter(loader);
    case YAML_MAPPING_START_EVENT:
        err =
            refuse_extras(loader, event->data.mapping_start.anchor, event->data.mapping_start.tag);
        return err < 0 ? err : enter(loader);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        loader->depth--;
        return 0;
    default:
        return 0;
    }
}

static void drop_event(struct loader *loader)
{
    if (loader->has_event)
        yaml_event_delete(&loader->event);
    loader->has_event = false;
}

static int next_event(struct loader *loader)
{
    drop_event(loader);
    if (!yaml_parser_parse(&loader->parser, &loader->event))
        return parser_failed(loader);
    loader->has_event = true;
    return check_event(loader);
}

static struct text scalar_text(const struct loader *loader)
{
    const yaml_event_t *event = &loader->event;
    return (struct text){(const char *)event->data.scalar.value, event->data.scalar.length};
}

/* Whether some row's key starts with "<key>.", and with `seen` whether one of these was seen. */
static bool is_group(const struct setting *table, const char *key, const bool *seen)
{
    size_t size = strlen(key);
    for (size_t i = 0; table[i].key != NULL; i++)
        if (strncmp(table[i].key, key, size) == 0 && table[i].key[size] == '.' &&
            (seen == NULL || seen[i]))
            return true;
    return false;
}

static int mark_seen(struct loader *loader, struct scope *scope, const struct setting *row)
{
    bool *seen = &scope->seen[row - scope->table];
    if (*seen)
        return COMPLAIN(loader, "'%s%s' stands there twice", scope->name, row->key);
    *seen = true;
    return 0;
}

static int load_scalar(struct loader *loader, struct scope *scope, const struct setting *row)
{
    char name[SETTING_NAME_SIZE];
    char rule[SETTING_RULE_SIZE];
    setting_full_name(name, scope->name, row->key);
    setting_rule(row, rule);
    struct text text = scalar_text(loader);
    bool plain = loader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    bool is_text = row->type == SETTING_TYPE_TEXT || row->type == SETTING_TYPE_ENUM;
    if (plain && text.size == 0)
        return COMPLAIN(loader, "'%s' has no value, %s", name, rule);
    if (!plain && !is_text)
        return COMPLAIN(loader, "'%s' is \"%s\", %s, without quotes", name, setting_show(text).text,
                        rule);
    struct setting_value value = {0};
    if (setting_parse(row, text, &value) < 0)
        return setting_refuse(row, place_of(loader), name, text, loader->reterr_why);
    setting_write(row, scope->owner, &value);
    return 0;
}

static int load_mapping(struct loader *loader, struct scope *scope, const char *group);

/* Makes room for one more, filled with its defaults; the row's owner holds it already. */
static void *append_item(const struct setting *row, void *owner)
{
    size_t count = 0;
    char *items = setting_items(row, owner, &count);
    bool is_full = (count & (count - 1)) == 0; /* capacities are 0, 1, 2, 4, 8... */
    if (is_full) {
        items = reallocarray(items, count == 0 ? 1 : count * 2, row->size);
        if (items == NULL)
            return NULL;
    }
    void *item = items + count * row->size;
    memset(item, 0, row->size);
    setting_fill(row->items, item);
    setting_set_items(row, owner, items, count + 1);
    return item;
}

static int check_required(const struct loader *loader, const struct scope *scope, size_t line)
{
    struct setting_place place = {loader->path, line};
    for (size_t i = 0; scope->table[i].key != NULL; i++)
        if (scope->table[i].required && !scope->seen[i])
            return setting_complain(place, loader->reterr_why, "'%s%s' is missing", scope->name,
                                    scope->table[i].key);
    return 0;
}

static int load_item(struct loader *loader, const struct scope *outer, const struct setting *row)
{
    size_t index = 0;
    setting_items(row, outer->owner, &index);
    if (index == row->max)
        return COMPLAIN(loader, "'%s%s' has too many entries, must be at most %zu", outer->name,
                        row->key, (size_t)row->max);
    size_t line = loader->event.start_mark.line + 1;
    struct scope scope = {.table = row->items, .owner = append_item(row, outer->owner)};
    if (scope.owner == NULL)
        return error_text_set(loader->reterr_why, -ENOMEM, "%s: out of memory", loader->path);
    if (row->has_line)
        *(uint32_t *)(void *)((char *)scope.owner + row->line_offset) = (uint32_t)line;
    char name[SETTING_NAME_SIZE];
    setting_full_name(name, outer->name, row->key);
    setting_item_name(scope.name, name, index);
    int err = load_mapping(loader, &scope, "");
    return err < 0 ? err : check_required(loader, &scope, line);
}

/* A list replaces what was there, as every other value does. */
static void empty_list(const struct setting *row, void *owner)
{
    const struct setting only[] = {*row, SETTINGS_END};
    settings_free(only, owner);
}

static int load_list(struct loader *loader, struct scope *scope, const struct setting *row)
{
    empty_list(row, scope->owner);
    for (;;) {
        int err = next_event(loader);
        if (err < 0)
            return err;
        if (loader->event.type == YAML_SEQUENCE_END_EVENT)
            return 0;
        if (loader->event.type != YAML_MAPPING_START_EVENT)
            return COMPLAIN(loader, "an entry of '%s%s' must be a mapping", scope->name, row->key);
        err = load_item(loader, scope, row);
        if (err < 0)
            return err;
    }
}

static int load_group(struct loader *loader, struct scope *scope, const char *key)
{
    if (is_group(scope->table, key, scope->seen))
        return COMPLAIN(loader, "'%s%s' stands there twice", scope->name, key);
    return load_mapping(loader, scope, key);
}

/* From the current event, a value of whatever kind, to its end. */
static int pass_over(struct loader *loader)
{
    yaml_event_type_t type = loader->event.type;
    if (type != YAML_MAPPING_START_EVENT && type != YAML_SEQUENCE_START_EVENT)
        return 0;
    int err = 0;
    for (size_t depth = loader->depth; err == 0 && loader->depth >= depth;)
        err = next_event(loader);
    return err;
}

/* The current event is the value of `key`. */
static int load_value(struct loader *loader, struct scope *scope, const char *key)
{
    const struct setting *row = setting_find(scope->table, text_of(key));
    yaml_event_type_t type = loader->event.type;
    bool known = row != NULL || is_group(scope->table, key, NULL);
    if (!known && loader->part && strchr(key, '.') == NULL && scope->name[0] == '\0')
        return pass_over(loader);
    if (!known)
        return COMPLAIN(loader, "unknown key '%s%s'", scope->name, setting_show(text_of(key)).text);
    if (row == NULL && type == YAML_MAPPING_START_EVENT)
        return load_group(loader, scope, key);
    if (row == NULL)
        return COMPLAIN(loader, "'%s%s' is a group of settings, must be a mapping", scope->name,
                        key);
    int err = mark_seen(loader, scope, row);
    if (err < 0)
        return err;
    if (row->type == SETTING_TYPE_LIST && type == YAML_SEQUENCE_START_EVENT)
        return load_list(loader, scope, row);
    if (row->type != SETTING_TYPE_LIST && type == YAML_SCALAR_EVENT)
        return load_scalar(loader, scope, row);
    char rule[SETTING_RULE_SIZE];
    setting_rule(row, rule);
    return COMPLAIN(loader, "'%s%s' %s", scope->name, row->key, rule);
}

/* Reads the current event, a scalar, as a key: its full name with dots. */
static int read_key(struct loader *loader, const struct scope *scope, const char *group,
                    char key[SETTINGS_KEY_MAX + 1])
{
    if (loader->event.type != YAML_SCALAR_EVENT)
        return COMPLAIN(loader, "a key must be a word");
    struct text word = scalar_text(loader);
    size_t size = strlen(group) + 1 + word.size;
    bool good = word.size > 0 && memchr(word.data, '\0', word.size) == NULL &&
                memchr(word.data, '.', word.size) == NULL && size <= SETTINGS_KEY_MAX;
    if (!good)
        return COMPLAIN(loader, "unknown key '%s%s%s%s'", scope->name, group,
                        group[0] == '\0' ? "" : ".", setting_show(word).text);
    snprintf(key, SETTINGS_KEY_MAX + 1, "%s%s%.*s", group, group[0] == '\0' ? "" : ".",
             TEXT_ARGS(word));
    return 0;
}

/* From behind the start of a mapping to its end. `group` is the key so far. */
static int load_mapping(struct loader *loader, struct scope *scope, const char *group)
{
    for (;;) {
        char key[SETTINGS_KEY_MAX + 1];
        int err = next_event(loader);
        if (err == 0 && loader->event.type == YAML_MAPPING_END_EVENT)
            return 0;
        if (err == 0)
            err = read_key(loader, scope, group, key);
        size_t line = loader->event.start_mark.line;
        if (err == 0)
            err = next_event(loader);
        if (err < 0)
            return err;
        /* An empty value, or a block under its key, is reported where its key stands. */
        loader->event.start_mark.line = line;
        err = load_value(loader, scope, key);
        if (err < 0)
            return err;
    }
}

static int load_document(struct loader *loader, struct scope *scope)
{
    const yaml_event_t *event = &loader->event;
    if (event->data.document_start.tag_directives.start !=
        event->data.document_start.tag_directives.end)
        return COMPLAIN(loader, "tags are not allowed");
    int err = next_event(loader);
    if (err < 0)
        return err;
    if (event->type != YAML_MAPPING_START_EVENT)
        return COMPLAIN(loader, "must be a mapping of settings");
    err = load_mapping(loader, scope, "");
    return err < 0 ? err : next_event(loader); /* the end of the document */
}

static int load_stream(struct loader *loader, struct scope *scope)
{
    int err = next_event(loader); /* the start of the stream */
    if (err == 0)
        err = next_event(loader);
    if (err == 0 && loader->event.type == YAML_DOCUMENT_START_EVENT) {
        err = load_document(loader, scope);
        if (err == 0)
            err = next_event(loader);
    }
    if (err < 0)
        return err;
    return loader->event.type == YAML_STREAM_END_EVENT
               ? 0
               : COMPLAIN(loader, "a second document is not allowed");
}

int setting_load(const struct setting *table, void *into, struct text yaml, const char *path,
                 bool part, struct error_text *reterr_why)
{
    if (yaml.size > SETTINGS_FILE_MAX_BYTES)
        return error_text_set(reterr_why, -EFBIG, "%s: is longer than %d bytes", path,
                              SETTINGS_FILE_MAX_BYTES);
    struct loader loader = {.yaml = yaml, .path = path, .reterr_why = reterr_why, .part = part};
    if (!yaml_parser_initialize(&loader.parser))
        return error_text_set(reterr_why, -ENOMEM, "%s: out of memory", path);
    yaml_parser_set_encoding(&loader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&loader.parser, (const unsigned char *)yaml.data, yaml.size);
    struct scope scope = {.table = table, .owner = into};
    int err = load_stream(&loader, &scope);
    drop_event(&loader);
    yaml_parser_delete(&loader.parser);
    return err;
}

int settings_load_text(const struct setting *table, void *into, struct text yaml, const char *path,
                       struct error_text *reterr_why)
{
    return setting_load(table, into, yaml, path, false, reterr_why);
}
