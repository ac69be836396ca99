/* The effective settings as YAML: the rows in their order, groups as nested mappings. */
#include "settings/value.h"

#include <string.h>

struct printer {
    struct buffer *out;
    size_t indent; /* spaces */
    bool dash;     /* the next key begins an item of a list */
    bool docs;
};

static void start_line(struct printer *printer, bool is_key)
{
    bool dash = printer->dash && is_key;
    buffer_printf(printer->out, "%*s%s", (int)printer->indent - (dash ? 2 : 0), "",
                  dash ? "- " : "");
    if (dash)
        printer->dash = false;
}

static void print_doc(struct printer *printer, const struct setting *row)
{
    if (!printer->docs)
        return;
    char rule[SETTING_RULE_SIZE];
    setting_rule(row, rule);
    start_line(printer, false);
    buffer_printf(printer->out, "# %s (", row->doc);
    if (row->required) {
        buffer_printf(printer->out, "required, ");
    } else if (row->type != SETTING_TYPE_LIST) {
        struct setting_value initial = setting_initial(row);
        buffer_printf(printer->out, "default ");
        setting_format(row, &initial, printer->out);
        buffer_printf(printer->out, ", ");
    }
    buffer_printf(printer->out, "%s)\n", rule);
}

static void print_table(struct printer *printer, const struct setting *table, const void *from);

static void print_list(struct printer *printer, const struct setting *row, const void *from)
{
    size_t count = 0;
    const char *items = setting_items(row, from, &count);
    buffer_printf(printer->out, count == 0 ? " []\n" : "\n");
    struct printer inner = {
        .out = printer->out, .indent = printer->indent + 4, .docs = printer->docs};
    for (size_t i = 0; i < count; i++) {
        inner.dash = true;
        print_table(&inner, row->items, items + i * row->size);
        inner.docs = false; /* once is enough */
    }
}

static void print_row(struct printer *printer, const struct setting *row, const char *key,
                      const void *from)
{
    print_doc(printer, row);
    start_line(printer, true);
    buffer_printf(printer->out, "%s:", key);
    if (row->type == SETTING_TYPE_LIST) {
        print_list(printer, row, from);
        return;
    }
    struct setting_value value = setting_read(row, from);
    struct buffer masked = {0};
    if (row->secret != SETTING_OPEN) {
        setting_mask(row, value.text, &masked);
        value.text = buffer_text(&masked);
    }
    buffer_printf(printer->out, " ");
    setting_format(row, &value, printer->out);
    buffer_free(&masked);
    buffer_printf(printer->out, "\n");
}

/* Bytes of `key` up to and with the dot of its `level`-th group; 0 when it has fewer. */
static size_t group_size(const char *key, size_t level)
{
    const char *at = key;
    for (size_t i = 0; i < level; i++) {
        at = strchr(at, '.');
        if (at == NULL)
            return 0;
        at++;
    }
    return (size_t)(at - key);
}

static void print_table(struct printer *printer, const struct setting *table, const void *from)
{
    const char *previous = "";
    size_t base = printer->indent;
    for (const struct setting *row = table; row->key != NULL; previous = row->key, row++) {
        bool is_open = true;
        size_t start = 0;
        size_t end = 0;
        printer->indent = base;
        for (size_t level = 1; (end = group_size(row->key, level)) > 0; level++, start = end) {
            is_open = is_open && strncmp(row->key, previous, end) == 0;
            if (!is_open) {
                start_line(printer, true);
                buffer_printf(printer->out, "%.*s:\n", (int)(end - start - 1), row->key + start);
            }
            printer->indent += 2;
        }
        print_row(printer, row, row->key + start, from);
    }
    printer->indent = base;
}

void settings_print(const struct setting *table, const void *from, struct buffer *out)
{
    struct printer printer = {.out = out, .docs = true};
    print_table(&printer, table, from);
}
