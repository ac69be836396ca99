/* Any bytes in a log line: it stays one line, fits, and holds no control character. */
#include "log/log.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char line[LOG_LINE_MAX];
    struct text text = {(const char *)data, size};
    size_t room = size == 0 ? 0 : (size_t)LOG_LINE_MAX >> (data[0] & 7);
    size_t written = log_format(line, room, 1769851800125, LOG_LEVEL_INFO, "event",
                                LOG_FIELDS(LOG_TEXT("value", text), LOG_U64("size", size)));
    assert(written <= room);
    assert(written == 0 || line[written - 1] == '\n');
    for (size_t i = 0; i + 1 < written; i++)
        assert((uint8_t)line[i] >= 0x20 && line[i] != 0x7F);
    return 0;
}
