/* Any bytes as a settings file, and as an override. What loads passes the check, and prints as a
 * file that loads to the same. */
#include "settings/address.h"
#include "settings/settings.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum mood { MOOD_CALM, MOOD_BUSY };
static const char *const mood_names[] = {"calm", "busy", NULL};

struct wheel {
    uint32_t size;
    uint32_t line;
};

struct car {
    char name[9];
    struct wheel *wheels;
    size_t wheel_count;
    uint32_t line;
};

struct sample {
    char name[33];
    char address[SETTINGS_ADDRESS_SIZE];
    char url[65];
    uint32_t count;
    uint64_t big;
    double share;
    bool flag;
    enum mood mood;
    int64_t idle_ms;
    uint64_t room_bytes;
    struct car *cars;
    size_t car_count;
};

static const struct setting wheel_table[] = {
    SETTING_U32(struct wheel, size, "size", 15, 1, 30, "Size."),
    SETTINGS_END,
};

static const struct setting car_table[] = {
    SETTING_TEXT(struct car, name, "a.name", "", 1, "Name.", SETTING_REQUIRED),
    SETTING_LIST(struct car, wheels, wheel_count, "wheels", struct wheel, line, wheel_table, 4,
                 "Wheels."),
    SETTINGS_END,
};

static const struct setting table[] = {
    SETTING_TEXT(struct sample, name, "name", "x", 0, "Name."),
    SETTING_TEXT_VALID(struct sample, address, "address", "", 0, settings_is_address,
                       SETTINGS_RULE_ADDRESS, "Address."),
    SETTING_TEXT_VALID(struct sample, url, "url", "", 0, settings_is_url, SETTINGS_RULE_URL,
                       "Address for clients."),
    SETTING_U32(struct sample, count, "a.count", 5, 1, 1000000, "Count."),
    SETTING_U64(struct sample, big, "a.big", 7, 0, UINT64_MAX, "Big."),
    SETTING_DURATION(struct sample, idle_ms, "a.b.idle", 60000, 0, INT64_MAX, "Time."),
    SETTING_BYTES(struct sample, room_bytes, "a.b.room", 65536, 0, UINT64_MAX, "Room."),
    SETTING_F64(struct sample, share, "share", 0.5, -1e9, 1e9, "Share."),
    SETTING_BOOL(struct sample, flag, "flag", true, "Flag."),
    SETTING_ENUM(struct sample, mood, "mood", MOOD_BUSY, mood_names, "Mood."),
    SETTING_LIST(struct sample, cars, car_count, "cars", struct car, line, car_table, 3, "Cars."),
    SETTINGS_END,
};

static void check_print(const struct sample *sample)
{
    struct sample again;
    struct error_text why;
    struct buffer first = {0};
    struct buffer second = {0};
    assert(settings_check(table, sample, &why) == 0);
    settings_print(table, sample, &first);
    settings_defaults(table, &again);
    int err = settings_load_text(table, &again, buffer_text(&first), "printed", &why);
    assert(err == 0);
    settings_print(table, &again, &second);
    assert(text_equal(buffer_text(&first), buffer_text(&second)));
    settings_free(table, &again);
    buffer_free(&first);
    buffer_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text text = {(const char *)data, size};
    struct sample sample;
    struct error_text why;
    settings_defaults(table, &sample);
    if (settings_load_text(table, &sample, text, "file", &why) == 0)
        check_print(&sample);
    settings_free(table, &sample);

    char *assignment = text_copy(text);
    assert(assignment != NULL);
    if (settings_set(table, &sample, assignment, &why) == 0)
        check_print(&sample);
    free(assignment);
    return 0;
}
