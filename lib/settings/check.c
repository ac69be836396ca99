/* What the table alone decides: defaults, overrides, bounds. */
#include "settings/value.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How much of two keys is the same group: "a.b.c" and "a.b.d" share "a.b.". */
static size_t shared_group(const char *a, const char *b)
{
    size_t shared = 0;
    for (size_t i = 0; a[i] != '\0' && a[i] == b[i]; i++)
        if (a[i] == '.')
            shared = i + 1;
    return shared;
}

/* Keys differ, none is the group of another, and a group that was left is not entered again. */
static bool has_its_place(const struct setting *table, size_t index)
{
    const char *key = table[index].key;
    size_t with_previous = index == 0 ? 0 : shared_group(key, table[index - 1].key);
    for (size_t i = 0; i < index; i++) {
        const char *other = table[i].key;
        size_t shared = shared_group(key, other);
        bool is_group = strncmp(key, other, strlen(other)) == 0 && key[strlen(other)] == '.';
        bool is_inside = strncmp(key, other, strlen(key)) == 0 && other[strlen(key)] == '.';
        if (strcmp(key, other) == 0 || is_group || is_inside || shared > with_previous)
            return false;
    }
    return true;
}

static bool is_sound(const struct setting *row)
{
    size_t size = strlen(row->key);
    if (size == 0 || size > SETTINGS_KEY_MAX || row->doc == NULL)
        return false;
    if (row->type == SETTING_TYPE_LIST)
        return row->items != NULL && row->items->key != NULL && row->max > 0;
    if (row->type == SETTING_TYPE_TEXT && row->size == 0)
        return false;
    if (row->type == SETTING_TYPE_U32 && row->max > UINT32_MAX)
        return false;
    if (row->type == SETTING_TYPE_DURATION && row->max > INT64_MAX)
        return false;
    struct setting_value initial = setting_initial(row);
    bool empty = row->type == SETTING_TYPE_TEXT && initial.text.size == 0;
    return row->required || empty || setting_allows(row, &initial);
}

static void assert_sound(const struct setting *table)
{
    size_t rows = 0;
    for (; table[rows].key != NULL; rows++) {
        assert(rows < SETTINGS_ROWS_MAX);
        assert(is_sound(&table[rows]));
        assert(has_its_place(table, rows));
        if (table[rows].type == SETTING_TYPE_LIST)
            assert_sound(table[rows].items);
    }
}

void setting_fill(const struct setting *table, void *into)
{
    for (const struct setting *row = table; row->key != NULL; row++) {
        struct setting_value initial = setting_initial(row);
        if (row->type == SETTING_TYPE_LIST)
            setting_set_items(row, into, NULL, 0);
        else
            setting_write(row, into, &initial);
    }
}

void settings_defaults(const struct setting *table, void *into)
{
    assert_sound(table);
    setting_fill(table, into);
}

void settings_free(const struct setting *table, void *from)
{
    for (const struct setting *row = table; row->key != NULL; row++) {
        if (row->type != SETTING_TYPE_LIST)
            continue;
        size_t count = 0;
        char *items = setting_items(row, from, &count);
        for (size_t i = 0; i < count; i++)
            settings_free(row->items, items + i * row->size);
        free(items);
        setting_set_items(row, from, NULL, 0);
    }
}

int settings_set(const struct setting *table, void *into, const char *assignment,
                 struct error_text *reterr_why)
{
    struct setting_place nowhere = {0};
    const char *equals = strchr(assignment, '=');
    if (equals == NULL)
        return setting_complain(nowhere, reterr_why, "'%s' has no '=', must be KEY=VALUE",
                                setting_show(text_of(assignment)).text);
    struct text key = {assignment, (size_t)(equals - assignment)};
    struct text text = text_of(equals + 1);
    const struct setting *row = setting_find(table, key);
    if (row == NULL)
        return setting_complain(nowhere, reterr_why, "unknown key '%s'", setting_show(key).text);
    if (row->type == SETTING_TYPE_LIST)
        return setting_complain(nowhere, reterr_why, "'%s' is a list, it can only be set in a file",
                                row->key);
    struct setting_value value = {0};
    if (setting_parse(row, text, &value) < 0)
        return setting_refuse(row, nowhere, row->key, text, reterr_why);
    setting_write(row, into, &value);
    return 0;
}

static int check_table(const struct setting *table, const void *from, const char *prefix,
                       struct error_text *reterr_why);

static int check_list(const struct setting *row, const void *from, const char *name,
                      struct error_text *reterr_why)
{
    struct setting_place nowhere = {0};
    size_t count = 0;
    const char *items = setting_items(row, from, &count);
    if (count > row->max)
        return setting_complain(nowhere, reterr_why, "'%s' has %zu entries, must be at most %zu",
                                name, count, (size_t)row->max);
    for (size_t i = 0; i < count; i++) {
        char prefix[SETTING_NAME_SIZE];
        setting_item_name(prefix, name, i);
        int err = check_table(row->items, items + i * row->size, prefix, reterr_why);
        if (err < 0)
            return err;
    }
    return 0;
}

static int check_value(const struct setting *row, const void *from, const char *name,
                       struct error_text *reterr_why)
{
    struct setting_place nowhere = {0};
    struct setting_value value = setting_read(row, from);
    if (setting_allows(row, &value))
        return 0;
    if (row->type == SETTING_TYPE_TEXT && value.text.size == 0)
        return setting_complain(nowhere, reterr_why, "'%s' is missing", name);
    if (row->type == SETTING_TYPE_ENUM) /* has no name that could be shown */
        return setting_refuse(row, nowhere, name, TEXT("not one of its names"), reterr_why);
    struct buffer shown = {0};
    setting_format(row, &value, &shown);
    int err = setting_refuse(row, nowhere, name, buffer_text(&shown), reterr_why);
    buffer_free(&shown);
    return err;
}

static int check_table(const struct setting *table, const void *from, const char *prefix,
                       struct error_text *reterr_why)
{
    for (const struct setting *row = table; row->key != NULL; row++) {
        char name[SETTING_NAME_SIZE];
        setting_full_name(name, prefix, row->key);
        int err = row->type == SETTING_TYPE_LIST ? check_list(row, from, name, reterr_why)
                                                 : check_value(row, from, name, reterr_why);
        if (err < 0)
            return err;
    }
    return 0;
}

int settings_check(const struct setting *table, const void *from, struct error_text *reterr_why)
{
    return check_table(table, from, "", reterr_why);
}
