/* One value of one row: from text, to text, within its bounds. Only for this folder. */
#pragma once

#include "settings/settings.h"

/* Long enough for any rule and for the name of any key in a list of a list. */
enum { SETTING_RULE_SIZE = 256, SETTING_NAME_SIZE = 384 };

/* A value between its text and its place in a struct. TEXT borrows. */
struct setting_value {
    uint64_t number; /* all but F64 and TEXT */
    double real;
    struct text text;
};

/* Where a value stands, for the start of an error. */
struct setting_place {
    const char *path; /* NULL: not in a file */
    size_t line;
};

/* NULL when no row has this key. */
const struct setting *setting_find(const struct setting *table, struct text key);
/* -EINVAL when it is not of the row's type, -ERANGE when outside its bounds. */
MUST_USE int setting_parse(const struct setting *row, struct text from,
                           struct setting_value *ret_value);
bool setting_allows(const struct setting *row, const struct setting_value *value);
void setting_write(const struct setting *row, void *owner, const struct setting_value *value);
/* Borrows a text from `owner`. */
struct setting_value setting_read(const struct setting *row, const void *owner);
struct setting_value setting_initial(const struct setting *row);
/* As it stands in a file: text in quotes, sizes and durations with the largest exact unit. */
void setting_format(const struct setting *row, const struct setting_value *value,
                    struct buffer *out);
/* A secret as it may be shown. */
void setting_mask(const struct setting *row, struct text from, struct buffer *out);
/* "must be 1 to 1000000" */
void setting_rule(const struct setting *row, char rule[SETTING_RULE_SIZE]);

/* Sets the error and returns -EINVAL: "path:line: 'name' is value, must be ..." */
int setting_refuse(const struct setting *row, struct setting_place place, const char *name,
                   struct text value, struct error_text *reterr_why);
/* The same with words of the caller: "path:line: " and the format. */
int setting_complain(struct setting_place place, struct error_text *reterr_why, const char *format,
                     ...) PRINTF_LIKE(3, 4);

/* Of text that anybody wrote, what an error may show: cut, and without what is not printable. */
struct setting_shown {
    char text[68];
};
struct setting_shown setting_show(struct text from);

/* "regions[0]." and "name" make "regions[0].name"; "regions" and 0 make "regions[0]." */
void setting_full_name(char name[SETTING_NAME_SIZE], const char *prefix, const char *key);
void setting_item_name(char name[SETTING_NAME_SIZE], const char *list, size_t index);

/* settings_load_text(), and with `part` as settings_load_part() has it. */
MUST_USE int setting_load(const struct setting *table, void *into, struct text yaml,
                          const char *path, bool part, struct error_text *reterr_why);
/* Defaults without the assertions of settings_defaults(). */
void setting_fill(const struct setting *table, void *into);

/* The array of a LIST row and its length. */
void *setting_items(const struct setting *row, const void *owner, size_t *ret_count);
void setting_set_items(const struct setting *row, void *owner, void *items, size_t count);
