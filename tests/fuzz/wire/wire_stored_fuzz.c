/* What says that a checkpoint is stored, and the subjects of its parts: what is decoded is encoded
 * again and must give the same bytes. */
#include "wire/checkpoint.h"
#include "wire/names.h"

#include <stdlib.h>
#include <string.h>

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void try_stored(const uint8_t *data, size_t size)
{
    static struct wire_segment segments[WIRE_SEGMENTS_MAX];
    struct wire_stored stored;
    if (wire_stored_read(data, size, &stored) != 0)
        return;
    for (size_t i = 0; i < stored.segment_count; i++)
        require(wire_segment_next(&stored.segments, &segments[i]));
    require(wire_done(&stored.segments));
    struct buffer out = {0};
    require(wire_stored_write(&out, &stored, segments, stored.segment_count) == 0);
    require(out.size == size && memcmp(out.data, data, size) == 0);
    buffer_free(&out);
}

static void try_subject(struct text subject)
{
    struct wire_stored_subject found, again;
    if (wire_stored_subject_read(subject, &found) != 0)
        return;
    struct wire_name name = found.is_done
                                ? wire_stored_done("dub", 3, found.kind, found.number)
                                : wire_stored_part("dub", 3, found.kind, found.number, found.part);
    require(wire_stored_subject_read(text_of(name.text), &again) == 0);
    require(again.kind == found.kind && again.number == found.number &&
            again.is_done == found.is_done && again.part == found.part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_stored(data, size);
    try_subject((struct text){.data = (const char *)data, .size = size});
    return 0;
}
