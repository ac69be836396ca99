#include "settings/settings.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum mood { MOOD_CALM, MOOD_BUSY, MOOD_LOUD };
static const char *const mood_names[] = {"calm", "busy", "loud", NULL};

struct tyre {
    uint32_t size;
    uint32_t line;
};

struct car {
    char name[9];
    double latitude;
    struct tyre *tyres;
    size_t tyre_count;
    uint32_t line;
};

struct sample {
    char name[9];
    char color[9];
    uint32_t sessions_max;
    uint64_t big;
    double share;
    bool plain;
    enum mood mood;
    int64_t idle_ms;
    uint64_t room_bytes;
    struct car *cars;
    size_t car_count;
};

static bool is_green(struct text value)
{
    return text_equal(value, TEXT("green"));
}

static const struct setting tyre_table[] = {
    SETTING_U32(struct tyre, size, "size", 15, 1, 30, "Its size."),
    SETTINGS_END,
};

static const struct setting car_table[] = {
    SETTING_TEXT(struct car, name, "name", "", 1, "Its name.", SETTING_REQUIRED),
    SETTING_F64(struct car, latitude, "at.latitude", 0, -90, 90, "Where it is."),
    SETTING_LIST(struct car, tyres, tyre_count, "tyres", struct tyre, line, tyre_table, 4,
                 "What it rolls on."),
    SETTINGS_END,
};

static const struct setting table[] = {
    SETTING_TEXT(struct sample, name, "name", "", 1, "Who it is."),
    SETTING_TEXT_VALID(struct sample, color, "color", "", 0, is_green, "green", "How it looks."),
    SETTING_U32(struct sample, sessions_max, "limits.sessions_max", 50000, 1, 1000000, "Sessions."),
    SETTING_U64(struct sample, big, "limits.big", 7, 0, UINT64_MAX, "A big number."),
    SETTING_DURATION(struct sample, idle_ms, "limits.deep.idle", 60000, 1000, 3600000, "Silence."),
    SETTING_BYTES(struct sample, room_bytes, "limits.deep.room", 65536, 0, 1 << 30, "Room."),
    SETTING_F64(struct sample, share, "share", 0.5, 0, 1, "A part."),
    SETTING_BOOL(struct sample, plain, "plain", true, "Whether it is plain."),
    SETTING_ENUM(struct sample, mood, "mood", MOOD_BUSY, mood_names, "How it feels."),
    SETTING_LIST(struct sample, cars, car_count, "cars", struct car, line, car_table, 3, "Cars."),
    SETTINGS_END,
};

static struct error_text why;

/* Loads over the defaults; the caller frees. */
static int load(struct sample *sample, struct text yaml)
{
    settings_defaults(table, sample);
    snprintf(why.text, sizeof why.text, "(none)");
    return settings_load_text(table, sample, yaml, "a.yaml", &why);
}

static void defaults_come_from_the_table(void **state)
{
    (void)state;
    struct sample sample;
    memset(&sample, 0xA5, sizeof sample);
    settings_defaults(table, &sample);
    assert_string_equal(sample.name, "");
    assert_int_equal(sample.sessions_max, 50000);
    assert_int_equal(sample.big, 7);
    assert_int_equal(sample.idle_ms, 60000);
    assert_int_equal(sample.room_bytes, 65536);
    assert_true(sample.share == 0.5);
    assert_true(sample.plain);
    assert_int_equal(sample.mood, MOOD_BUSY);
    assert_null(sample.cars);
    assert_int_equal(sample.car_count, 0);
}

static void loads_every_type(void **state)
{
    (void)state;
    struct sample sample;
    int err = load(&sample, TEXT("# a comment\n"
                                 "name: bob\n"
                                 "color: \"green\"\n"
                                 "limits:\n"
                                 "  sessions_max: 12\n"
                                 "  big: 18446744073709551615\n"
                                 "  deep: {idle: 5m, room: 1MiB}\n"
                                 "share: 0.25\n"
                                 "plain: false\n"
                                 "mood: loud\n"
                                 "cars:\n"
                                 "  - name: red\n"
                                 "    at: {latitude: -89.5}\n"
                                 "    tyres: [{size: 1}, {}, {size: 30}]\n"
                                 "  - name: blue\n"));
    assert_string_equal(why.text, "(none)");
    assert_int_equal(err, 0);
    assert_string_equal(sample.name, "bob");
    assert_string_equal(sample.color, "green");
    assert_int_equal(sample.sessions_max, 12);
    assert_true(sample.big == UINT64_MAX);
    assert_int_equal(sample.idle_ms, 300000);
    assert_int_equal(sample.room_bytes, 1 << 20);
    assert_true(sample.share == 0.25);
    assert_false(sample.plain);
    assert_int_equal(sample.mood, MOOD_LOUD);
    assert_int_equal(sample.car_count, 2);
    assert_string_equal(sample.cars[0].name, "red");
    assert_true(sample.cars[0].latitude == -89.5);
    assert_int_equal(sample.cars[0].line, 12);
    assert_int_equal(sample.cars[0].tyre_count, 3);
    assert_int_equal(sample.cars[0].tyres[1].size, 15);
    assert_int_equal(sample.cars[0].tyres[2].size, 30);
    assert_int_equal(sample.cars[0].tyres[2].line, 14);
    assert_int_equal(sample.cars[1].line, 15);
    assert_int_equal(sample.cars[1].tyre_count, 0);
    assert_int_equal(settings_check(table, &sample, &why), 0);
    settings_free(table, &sample);
    assert_null(sample.cars);
}

static void an_empty_file_changes_nothing(void **state)
{
    (void)state;
    static const char *const rows[] = {"", "\n", "# nothing\n", "{}\n", "---\n{}\n...\n"};
    struct sample sample;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(load(&sample, text_of(rows[i])), 0);
        assert_int_equal(sample.sessions_max, 50000);
    }
}

static void errors_name_file_line_key_and_rule(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        const char *why;
    } rows[] = {
        {"limits:\n  sessions_max: 0\n",
         "a.yaml:2: 'limits.sessions_max' is 0, must be 1 to 1000000"},
        {"limits: {sessions_max: 1000001}",
         "a.yaml:1: 'limits.sessions_max' is 1000001, must be 1 to 1000000"},
        {"limits: {sessions_max: -1}",
         "a.yaml:1: 'limits.sessions_max' is -1, must be 1 to 1000000"},
        {"limits: {sessions_max: 0x10}",
         "a.yaml:1: 'limits.sessions_max' is 0x10, must be 1 to 1000000"},
        {"limits: {sessions_max: many}",
         "a.yaml:1: 'limits.sessions_max' is many, must be 1 to 1000000"},
        {"limits: {sessions_max: '5'}",
         "a.yaml:1: 'limits.sessions_max' is \"5\", must be 1 to 1000000, without quotes"},
        {"limits: {sessions_max: }",
         "a.yaml:1: 'limits.sessions_max' has no value, must be 1 to 1000000"},
        {"limits: {sessions_max: []}", "a.yaml:1: 'limits.sessions_max' must be 1 to 1000000"},
        {"limits: {sessions_max: {a: 1}}", "a.yaml:1: 'limits.sessions_max' must be 1 to 1000000"},
        {"limits: {big: 18446744073709551616}",
         "a.yaml:1: 'limits.big' is 18446744073709551616, must be 0 to 18446744073709551615"},
        {"limits: {deep: {idle: 999}}", "a.yaml:1: 'limits.deep.idle' is 999, must be 1s to 1h"},
        {"limits: {deep: {idle: 2h}}", "a.yaml:1: 'limits.deep.idle' is 2h, must be 1s to 1h"},
        {"limits: {deep: {idle: 5 m}}", "a.yaml:1: 'limits.deep.idle' is 5 m, must be 1s to 1h"},
        {"limits: {deep: {idle: m}}", "a.yaml:1: 'limits.deep.idle' is m, must be 1s to 1h"},
        {"limits: {deep: {idle: 99999999999999999d}}",
         "a.yaml:1: 'limits.deep.idle' is 99999999999999999d, must be 1s to 1h"},
        {"limits: {deep: {room: 1GB}}", "a.yaml:1: 'limits.deep.room' is 1GB, must be 0 to 1GiB"},
        {"limits: {deep: {room: 1025MiB}}",
         "a.yaml:1: 'limits.deep.room' is 1025MiB, must be 0 to 1GiB"},
        {"share: 1.0001", "a.yaml:1: 'share' is 1.0001, must be 0 to 1"},
        {"share: -0.1", "a.yaml:1: 'share' is -0.1, must be 0 to 1"},
        {"share: nan", "a.yaml:1: 'share' is nan, must be 0 to 1"},
        {"share: 1e0", "a.yaml:1: 'share' is 1e0, must be 0 to 1"},
        {"share: 0.", "a.yaml:1: 'share' is 0., must be 0 to 1"},
        {"share: 0.1.2", "a.yaml:1: 'share' is 0.1.2, must be 0 to 1"},
        {"share: 0.00000000000000000000001",
         "a.yaml:1: 'share' is 0.00000000000000000000001, must be 0 to 1"},
        {"plain: yes", "a.yaml:1: 'plain' is yes, must be true or false"},
        {"mood: sad", "a.yaml:1: 'mood' is sad, must be calm, busy or loud"},
        {"name: ", "a.yaml:1: 'name' has no value, must be 1 to 8 bytes without control "
                   "characters"},
        {"name: \"\"", "a.yaml:1: 'name' is empty, must be 1 to 8 bytes without control "
                       "characters"},
        {"name: 123456789", "a.yaml:1: 'name' is 123456789, must be 1 to 8 bytes without control "
                            "characters"},
        {"name: \"a\\nb\"", "a.yaml:1: 'name' is a?b, must be 1 to 8 bytes without control "
                            "characters"},
        {"name: \"a\\0b\"", "a.yaml:1: 'name' is a?b, must be 1 to 8 bytes without control "
                            "characters"},
        {"color: red", "a.yaml:1: 'color' is red, must be green, 0 to 8 bytes without control "
                       "characters"},
        {"colour: red", "a.yaml:1: unknown key 'colour'"},
        {"limits:\n  session_max: 3", "a.yaml:2: unknown key 'limits.session_max'"},
        {"limits:\n  sessions_max:\n    a: 3",
         "a.yaml:2: 'limits.sessions_max' must be 1 to 1000000"},
        {"limits.sessions_max: 3", "a.yaml:1: unknown key 'limits.sessions_max'"},
        {"limit: {}", "a.yaml:1: unknown key 'limit'"},
        {"limits: 3", "a.yaml:1: 'limits' is a group of settings, must be a mapping"},
        {"limits:", "a.yaml:1: 'limits' is a group of settings, must be a mapping"},
        {"limits: [a]", "a.yaml:1: 'limits' is a group of settings, must be a mapping"},
        {"\"\": 3", "a.yaml:1: unknown key ''"},
        {"\"name\\0x\": 3", "a.yaml:1: unknown key 'name?x'"},
        {"[a]: 3", "a.yaml:1: a key must be a word"},
        {"name: a\nname: b", "a.yaml:2: 'name' stands there twice"},
        {"limits: {big: 1}\nplain: true\nlimits: {sessions_max: 1}",
         "a.yaml:3: 'limits' stands there twice"},
        {"cars: []\ncars: []", "a.yaml:2: 'cars' stands there twice"},
        {"cars: 5", "a.yaml:1: 'cars' must be a list of at most 3 entries"},
        {"cars: {name: a}", "a.yaml:1: 'cars' must be a list of at most 3 entries"},
        {"cars: [a]", "a.yaml:1: an entry of 'cars' must be a mapping"},
        {"cars: [[]]", "a.yaml:1: an entry of 'cars' must be a mapping"},
        {"cars:\n- at: {latitude: 1}\n", "a.yaml:2: 'cars[0].name' is missing"},
        {"cars:\n- name: a\n- name: b\n  at:\n    latitude: 91\n",
         "a.yaml:5: 'cars[1].at.latitude' is 91, must be -90 to 90"},
        {"cars:\n- name: a\n  tyres:\n  - size: 0\n",
         "a.yaml:4: 'cars[0].tyres[0].size' is 0, must be 1 to 30"},
        {"cars:\n- name: a\n  name: b\n", "a.yaml:3: 'cars[0].name' stands there twice"},
        {"cars:\n- name: a\n  wheels: []\n", "a.yaml:3: unknown key 'cars[0].wheels'"},
        {"cars: [{name: a}, {name: b}, {name: c}, {name: d}]",
         "a.yaml:1: 'cars' has too many entries, must be at most 3"},
        {"name: &x a", "a.yaml:1: anchors ('&x') are not allowed"},
        {"cars: &x []", "a.yaml:1: anchors ('&x') are not allowed"},
        {"limits: &x {}", "a.yaml:1: anchors ('&x') are not allowed"},
        {"name: *x", "a.yaml:1: aliases ('*x') are not allowed"},
        {"limits:\n  <<: *x", "a.yaml:2: aliases ('*x') are not allowed"},
        {"name: !!str a", "a.yaml:1: tags ('tag:yaml.org,2002:str') are not allowed"},
        {"name: ! a", "a.yaml:1: tags ('!') are not allowed"},
        {"cars: !x []", "a.yaml:1: tags ('!x') are not allowed"},
        {"%TAG ! tag:x,1:\n---\nname: a", "a.yaml:1: tags are not allowed"},
        {"name: a\n---\nname: b", "a.yaml:2: a second document is not allowed"},
        {"just words", "a.yaml:1: must be a mapping of settings"},
        {"- name: a", "a.yaml:1: must be a mapping of settings"},
        {"---\n", "a.yaml:2: must be a mapping of settings"},
        {"name: a\n\tb: c", NULL},
        {"name: 'a", NULL},
        {"cars: [", NULL},
        {"name: a\nplain: \xFF", "a.yaml:2: is not YAML: invalid leading UTF-8 octet"},
        {"name: a\x01", "a.yaml:1: is not YAML: control characters are not allowed"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sample sample;
        assert_int_equal(load(&sample, text_of(rows[i].yaml)), -EINVAL);
        if (rows[i].why != NULL)
            assert_string_equal(why.text, rows[i].why);
        else
            assert_non_null(strstr(why.text, ": is not YAML: "));
        settings_free(table, &sample);
    }
}

static void bounds_are_inclusive(void **state)
{
    (void)state;
    static const char *const good[] = {
        "limits: {sessions_max: 1}",
        "limits: {sessions_max: 1000000}",
        "limits: {deep: {idle: 1s}}",
        "limits: {deep: {idle: 1h}}",
        "limits: {deep: {idle: 3600000ms}}",
        "limits: {deep: {idle: 3600000}}",
        "limits: {deep: {room: 0}}",
        "limits: {deep: {room: 1GiB}}",
        "limits: {deep: {room: 1048576KiB}}",
        "share: 0",
        "share: 1",
        "share: 1.0",
        "share: 0.0000000000000000000001",
        "name: 12345678",
        "color: ''",
        "cars: [{name: a, at: {latitude: 90}}, {name: b}, {name: c}]",
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct sample sample;
        assert_int_equal(load(&sample, text_of(good[i])), 0);
        settings_free(table, &sample);
    }
}

static const struct setting deepest_table[] = {
    SETTING_BOOL(struct sample, plain, "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a", true, "16 levels."),
    SETTINGS_END,
};
static const struct setting too_deep_table[] = {
    SETTING_BOOL(struct sample, plain, "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a", true, "17 levels."),
    SETTINGS_END,
};

static void depth_has_a_limit(void **state)
{
    (void)state;
    struct sample sample;
    struct buffer yaml = {0};
    for (int i = 0; i < SETTINGS_DEPTH_MAX; i++)
        buffer_printf(&yaml, "%*sa:%s\n", i, "", i + 1 == SETTINGS_DEPTH_MAX ? " false" : "");
    settings_defaults(deepest_table, &sample);
    struct text text = buffer_text(&yaml);
    assert_int_equal(settings_load_text(deepest_table, &sample, text, "a.yaml", &why), 0);
    assert_false(sample.plain);

    buffer_clear(&yaml);
    for (int i = 0; i <= SETTINGS_DEPTH_MAX; i++)
        buffer_printf(&yaml, "%*sa:%s\n", i, "", i == SETTINGS_DEPTH_MAX ? " false" : "");
    settings_defaults(too_deep_table, &sample);
    text = buffer_text(&yaml);
    assert_int_equal(settings_load_text(too_deep_table, &sample, text, "a.yaml", &why), -EINVAL);
    assert_string_equal(why.text, "a.yaml:17: is nested too deep, must be at most 16 levels");
    buffer_free(&yaml);
}

#define KEY_64 "abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-abcdefghij"
#define KEY_62 "abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-abcdefgh"

static const struct setting longest_key_table[] = {
    SETTING_BOOL(struct sample, plain, KEY_64 "." KEY_62, true, "127 bytes."),
    SETTINGS_END,
};

static void keys_have_a_longest_name(void **state)
{
    (void)state;
    struct sample sample;
    settings_defaults(longest_key_table, &sample);
    struct text good = TEXT(KEY_64 ": {" KEY_62 ": false}");
    struct text bad = TEXT(KEY_64 ": {" KEY_64 ": false}");
    assert_int_equal(strlen(longest_key_table[0].key), SETTINGS_KEY_MAX);
    assert_int_equal(settings_load_text(longest_key_table, &sample, good, "a.yaml", &why), 0);
    assert_false(sample.plain);
    assert_int_equal(settings_load_text(longest_key_table, &sample, bad, "a.yaml", &why), -EINVAL);
    assert_non_null(strstr(why.text, "a.yaml:1: unknown key '" KEY_64 "."));
}

static void size_has_a_limit(void **state)
{
    (void)state;
    struct sample sample;
    char *yaml = malloc(SETTINGS_FILE_MAX_BYTES + 1);
    assert_non_null(yaml);
    memset(yaml, '\n', SETTINGS_FILE_MAX_BYTES + 1);
    assert_int_equal(load(&sample, (struct text){yaml, SETTINGS_FILE_MAX_BYTES}), 0);
    assert_int_equal(load(&sample, (struct text){yaml, SETTINGS_FILE_MAX_BYTES + 1}), -EFBIG);
    assert_string_equal(why.text, "a.yaml: is longer than 1048576 bytes");
    free(yaml);
}

static void loads_files_and_names_those_it_cannot(void **state)
{
    (void)state;
    char path[] = "/tmp/settings_test.XXXXXX";
    struct sample sample;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "name: bob\n", 10), 10);
    settings_defaults(table, &sample);
    assert_int_equal(settings_load_file(table, &sample, path, &why), 0);
    assert_string_equal(sample.name, "bob");
    assert_int_equal(ftruncate(fd, SETTINGS_FILE_MAX_BYTES + 1), 0);
    assert_int_equal(settings_load_file(table, &sample, path, &why), -EFBIG);
    close(fd);
    unlink(path);
    assert_int_equal(settings_load_file(table, &sample, path, &why), -ENOENT);
    assert_non_null(strstr(why.text, ": No such file or directory"));
    assert_int_equal(settings_load_file(table, &sample, "/tmp", &why), -EISDIR);
    assert_int_equal(settings_load_file(table, &sample, "/tmp", NULL), -EISDIR);
}

static void a_part_of_a_file_passes_over_the_rest(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        int expected;
    } rows[] = {
        {"name: bob\nelse: 1\nmore:\n  deep:\n    - {name: x}\n    - [y]\nlimits:\n  big: 3\n", 0},
        {"else: [1, {a: b}]\nname: bob\nlimits: {big: 3}\nelse: again\n", 0},
        {"name: bob\nlimits:\n  big: 3\n  unknown: 1\n", -EINVAL}, /* in a group of ours */
        {"name: bob\ncars:\n  - name: x\n    unknown: 1\n", -EINVAL},
        {"name: bob\nelse:\n  a: &x 1\n", -EINVAL},
        {"name: bob\nelse: {\n", -EINVAL},
        {"name: bob\nelse: \"unended\n", -EINVAL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char path[] = "/tmp/settings_part_XXXXXX";
        int fd = mkstemp(path);
        struct sample sample;
        settings_defaults(table, &sample);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, rows[i].yaml, strlen(rows[i].yaml)), strlen(rows[i].yaml));
        if (settings_load_part(table, &sample, path, &why) != rows[i].expected)
            fail_msg("row %zu: %s", i, why.text);
        if (rows[i].expected == 0) {
            assert_string_equal(sample.name, "bob");
            assert_true(sample.big == 3);
            assert_int_equal(settings_load_file(table, &sample, path, &why), -EINVAL);
        }
        settings_free(table, &sample);
        close(fd);
        unlink(path);
    }
}

static void a_second_file_replaces_what_it_names(void **state)
{
    (void)state;
    struct sample sample;
    assert_int_equal(load(&sample, TEXT("name: a\nshare: 1\ncars: [{name: a}, {name: b}]")), 0);
    struct text second = TEXT("name: b\ncars: [{name: c}]");
    assert_int_equal(settings_load_text(table, &sample, second, "b.yaml", &why), 0);
    assert_string_equal(sample.name, "b");
    assert_true(sample.share == 1);
    assert_int_equal(sample.car_count, 1);
    assert_string_equal(sample.cars[0].name, "c");
    settings_free(table, &sample);
}

static void overrides_are_single_values(void **state)
{
    (void)state;
    struct sample sample;
    settings_defaults(table, &sample);
    assert_int_equal(settings_set(table, &sample, "limits.sessions_max=5", &why), 0);
    assert_int_equal(sample.sessions_max, 5);
    assert_int_equal(settings_set(table, &sample, "name=a=b: c", &why), 0);
    assert_string_equal(sample.name, "a=b: c");
    assert_int_equal(settings_set(table, &sample, "color=", &why), 0);
    static const struct {
        const char *assignment;
        const char *why;
    } rows[] = {
        {"limits.sessions_max=0", "'limits.sessions_max' is 0, must be 1 to 1000000"},
        {"limits.sessions_max=", "'limits.sessions_max' is empty, must be 1 to 1000000"},
        {"limits=5", "unknown key 'limits'"},
        {"=5", "unknown key ''"},
        {"what=5", "unknown key 'what'"},
        {"name", "'name' has no '=', must be KEY=VALUE"},
        {"cars=[]", "'cars' is a list, it can only be set in a file"},
        {"name=\xFF", "'name' is ?, must be 1 to 8 bytes without control characters"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(settings_set(table, &sample, rows[i].assignment, &why), -EINVAL);
        assert_string_equal(why.text, rows[i].why);
    }
    assert_int_equal(sample.sessions_max, 5);
}

static void the_check_looks_at_what_is_there(void **state)
{
    (void)state;
    struct sample sample;
    settings_defaults(table, &sample);
    assert_int_equal(settings_check(table, &sample, &why), -EINVAL);
    assert_string_equal(why.text, "'name' is missing");
    assert_int_equal(load(&sample, TEXT("name: a\ncars: [{name: a, tyres: [{}]}]")), 0);
    assert_int_equal(settings_check(table, &sample, &why), 0);
    sample.sessions_max = 0;
    assert_int_equal(settings_check(table, &sample, &why), -EINVAL);
    assert_string_equal(why.text, "'limits.sessions_max' is 0, must be 1 to 1000000");
    sample.sessions_max = 1;
    sample.idle_ms = -1;
    assert_int_equal(settings_check(table, &sample, &why), -EINVAL);
    sample.idle_ms = 1000;
    sample.mood = (enum mood)3;
    assert_int_equal(settings_check(table, &sample, &why), -EINVAL);
    assert_string_equal(why.text, "'mood' is not one of its names, must be calm, busy or loud");
    sample.mood = MOOD_CALM;
    memset(sample.color, 'x', sizeof sample.color); /* not terminated */
    assert_int_equal(settings_check(table, &sample, &why), -EINVAL);
    sample.color[0] = '\0';
    sample.cars[0].tyres[0].size = 31;
    assert_int_equal(settings_check(table, &sample, &why), -EINVAL);
    assert_string_equal(why.text, "'cars[0].tyres[0].size' is 31, must be 1 to 30");
    settings_free(table, &sample);
}

static void prints_what_loads_again(void **state)
{
    (void)state;
    struct sample sample;
    struct sample again;
    struct buffer first = {0};
    struct buffer second = {0};
    assert_int_equal(load(&sample, TEXT("name: \"\\\"\\\\: #\"\n"
                                        "limits: {deep: {idle: 90s, room: 65537}}\n"
                                        "share: 0.1\nmood: calm\n"
                                        "cars: [{name: \"\\uFEFF\\u2028\", tyres: [{}, {size: 2}]},"
                                        "{name: no, at: {latitude: -1.25}}]")),
                     0);
    settings_print(table, &sample, &first);
    assert_int_equal(load(&again, buffer_text(&first)), 0);
    settings_print(table, &again, &second);
    assert_true(text_equal(buffer_text(&first), buffer_text(&second)));
    assert_string_equal(again.name, "\"\\: #");
    assert_string_equal(again.cars[0].name, "\xEF\xBB\xBF\xE2\x80\xA8");
    assert_true(again.cars[1].latitude == -1.25);
    settings_free(table, &sample);
    settings_free(table, &again);
    buffer_free(&first);
    buffer_free(&second);
}

static void printed_settings_carry_their_docs(void **state)
{
    (void)state;
    struct sample sample;
    struct buffer out = {0};
    assert_int_equal(load(&sample, TEXT("name: a\ncars: [{name: b, tyres: [{}]}, {name: c}]")), 0);
    settings_print(table, &sample, &out);
    buffer_append(&out, "", 1);
    assert_string_equal(
        (const char *)out.data,
        "# Who it is. (default \"\", must be 1 to 8 bytes without control characters)\n"
        "name: \"a\"\n"
        "# How it looks. (default \"\", must be green, 0 to 8 bytes without control characters)\n"
        "color: \"\"\n"
        "limits:\n"
        "  # Sessions. (default 50000, must be 1 to 1000000)\n"
        "  sessions_max: 50000\n"
        "  # A big number. (default 7, must be 0 to 18446744073709551615)\n"
        "  big: 7\n"
        "  deep:\n"
        "    # Silence. (default 1m, must be 1s to 1h)\n"
        "    idle: 1m\n"
        "    # Room. (default 64KiB, must be 0 to 1GiB)\n"
        "    room: 64KiB\n"
        "# A part. (default 0.5, must be 0 to 1)\n"
        "share: 0.5\n"
        "# Whether it is plain. (default true, must be true or false)\n"
        "plain: true\n"
        "# How it feels. (default busy, must be calm, busy or loud)\n"
        "mood: busy\n"
        "# Cars. (must be a list of at most 3 entries)\n"
        "cars:\n"
        "    # Its name. (required, must be 1 to 8 bytes without control characters)\n"
        "  - name: \"b\"\n"
        "    at:\n"
        "      # Where it is. (default 0, must be -90 to 90)\n"
        "      latitude: 0\n"
        "    # What it rolls on. (must be a list of at most 4 entries)\n"
        "    tyres:\n"
        "        # Its size. (default 15, must be 1 to 30)\n"
        "      - size: 15\n"
        "  - name: \"c\"\n"
        "    at:\n"
        "      latitude: 0\n"
        "    tyres: []\n");
    settings_free(table, &sample);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_come_from_the_table),
        cmocka_unit_test(loads_every_type),
        cmocka_unit_test(an_empty_file_changes_nothing),
        cmocka_unit_test(errors_name_file_line_key_and_rule),
        cmocka_unit_test(bounds_are_inclusive),
        cmocka_unit_test(depth_has_a_limit),
        cmocka_unit_test(keys_have_a_longest_name),
        cmocka_unit_test(size_has_a_limit),
        cmocka_unit_test(loads_files_and_names_those_it_cannot),
        cmocka_unit_test(a_second_file_replaces_what_it_names),
        cmocka_unit_test(a_part_of_a_file_passes_over_the_rest),
        cmocka_unit_test(overrides_are_single_values),
        cmocka_unit_test(the_check_looks_at_what_is_there),
        cmocka_unit_test(prints_what_loads_again),
        cmocka_unit_test(printed_settings_carry_their_docs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
