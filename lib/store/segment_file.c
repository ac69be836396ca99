/* Segment files as a whole: written, copied, removed. A file appears under its name only when all
 * of it is on the disk. */
#include "store/segment_internal.h"
#include "wire/cursor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum {
    PATH_MAX_BYTES = 4096,
    PAGES_A_WRITE = 64,
    FILE_SIZE_MAX = 1 << 30, /* more than SEGMENT_ENTRIES_MAX take */
};

static const char unfinished[] = ".new";

static int path_of(char *to, const char *folder, uint64_t id, const char *suffix)
{
    const int size = snprintf(to, PATH_MAX_BYTES, "%s/%" PRIu64 "%s", folder, id, suffix);
    return size < PATH_MAX_BYTES ? 0 : -ENAMETOOLONG;
}

int segment_open(const char *folder, uint64_t id, struct segment **ret_segment,
                 struct error_text *reterr_why)
{
    char path[PATH_MAX_BYTES];
    int err = path_of(path, folder, id, "");
    const int fd = err == 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return error_text_set(reterr_why, err != 0 ? err : -errno, "segment %" PRIu64 ": %m", id);
    return segment_open_fd(fd, ret_segment, reterr_why);
}

/* --- writing --- */

static int write_all(int fd, const void *bytes, size_t size)
{
    const uint8_t *next = bytes;
    while (size > 0) {
        const ssize_t put = write(fd, next, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -errno;
        next += put;
        size -= (size_t)put;
    }
    return 0;
}

static int sync_folder(const char *folder)
{
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int err = fsync(fd) == 0 ? 0 : -errno;
    close(fd);
    return err;
}

static int make_folder(const char *folder)
{
    if (mkdir(folder, 0700) != 0)
        return errno == EEXIST ? 0 : -errno;
    char parent[PATH_MAX_BYTES];
    const int size = snprintf(parent, sizeof parent, "%s/..", folder);
    return size < PATH_MAX_BYTES ? sync_folder(parent) : -ENAMETOOLONG;
}

/* Opens <id>.new for writing and reading. */
static int begin(const char *folder, uint64_t id, int *ret_fd)
{
    char path[PATH_MAX_BYTES];
    int err = make_folder(folder);
    if (err == 0)
        err = path_of(path, folder, id, unfinished);
    if (err != 0)
        return err;
    *ret_fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return *ret_fd < 0 ? -errno : 0;
}

/* Gives it its name, or after an error removes it. */
static int finish(const char *folder, uint64_t id, int fd, int err)
{
    char from[PATH_MAX_BYTES];
    char to[PATH_MAX_BYTES];
    if (err == 0 && fsync(fd) != 0)
        err = -errno;
    close(fd);
    if (path_of(from, folder, id, unfinished) != 0 || path_of(to, folder, id, "") != 0)
        return -ENAMETOOLONG; /* begin() has seen to it */
    if (err == 0 && rename(from, to) != 0)
        err = -errno;
    if (err == 0)
        return sync_folder(folder);
    (void)unlink(from);
    return err;
}

static bool are_sorted(const uint8_t *entries, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++, entries += SEGMENT_ENTRY_SIZE) {
        if (memcmp(entries, entries + SEGMENT_ENTRY_SIZE, sizeof(struct fingerprint)) >= 0)
            return false;
    }
    return true;
}

static void put_page(uint8_t *page, const uint8_t *entries, uint32_t count)
{
    const size_t size = (size_t)count * SEGMENT_ENTRY_SIZE;
    memcpy(page, entries, size);
    memset(page + size, 0, SEGMENT_PAGE - size);
    const uint32_t crc = (uint32_t)crc32_z(0, page, SEGMENT_PAGE_CRC_AT);
    for (size_t i = 0; i < sizeof crc; i++)
        page[SEGMENT_PAGE_CRC_AT + i] = (uint8_t)(crc >> (8 * i));
}

static int write_pages(int fd, const uint8_t *entries, uint32_t count)
{
    const uint32_t pages = segment_layout(count).pages;
    uint8_t *run = malloc((size_t)PAGES_A_WRITE * SEGMENT_PAGE);
    int err = run == NULL ? -ENOMEM : 0;
    for (uint32_t page = 0; page < pages && err == 0; page += PAGES_A_WRITE) {
        uint32_t n = 0;
        for (; n < PAGES_A_WRITE && page + n < pages; n++)
            put_page(run + (size_t)n * SEGMENT_PAGE,
                     entries + (size_t)(page + n) * SEGMENT_PAGE_ENTRIES * SEGMENT_ENTRY_SIZE,
                     segment_page_count(count, page + n));
        err = write_all(fd, run, (size_t)n * SEGMENT_PAGE);
    }
    free(run);
    return err;
}

static uint8_t *make_tail(const uint8_t *entries, uint32_t count)
{
    const struct segment_layout layout = segment_layout(count);
    uint8_t *tail = calloc(1, layout.tail_size);
    if (tail == NULL)
        return NULL;
    uint8_t *next_first = tail + (size_t)SEGMENT_LINE * layout.lines;
    for (uint32_t i = 0; i < count; i++, entries += SEGMENT_ENTRY_SIZE) {
        uint8_t *line = tail + (size_t)SEGMENT_LINE * segment_line_of(entries, layout.lines);
        const uint64_t first = segment_first_of(entries);
        for (size_t probe = 0; probe < SEGMENT_LINE_PROBES; probe++) {
            const uint32_t bit = segment_bit_of(first, probe);
            line[bit / 8] |= (uint8_t)(1u << (bit % 8));
        }
        if (i % SEGMENT_PAGE_ENTRIES != 0)
            continue;
        memcpy(next_first, entries, SEGMENT_FIRST_SIZE);
        next_first += SEGMENT_FIRST_SIZE;
    }
    return tail;
}

static int write_header(int fd, const struct segment_info *info, uint32_t tail_crc)
{
    static const uint8_t zeros[SEGMENT_PAGE - SEGMENT_HEADER_SIZE];
    struct buffer page = {0};
    wire_write_u32(&page, SEGMENT_MAGIC);
    wire_write_u32(&page, SEGMENT_VERSION);
    wire_write_u64(&page, info->id);
    wire_write_i64(&page, info->start_ms);
    wire_write_i64(&page, info->end_ms);
    wire_write_u32(&page, info->count);
    buffer_append(&page, info->sum.bytes, sizeof info->sum.bytes);
    wire_write_u32(&page, tail_crc);
    if (!page.failed)
        wire_write_u32(&page, (uint32_t)crc32_z(0, page.data, page.size));
    buffer_append(&page, zeros, sizeof zeros);
    int err = page.failed ? -ENOMEM : write_all(fd, page.data, page.size);
    buffer_free(&page);
    return err;
}

static int write_parts(int fd, const struct segment_info *info, const uint8_t *entries)
{
    const size_t tail_size = segment_layout(info->count).tail_size;
    uint8_t *tail = make_tail(entries, info->count);
    if (tail == NULL)
        return -ENOMEM;
    int err = write_header(fd, info, (uint32_t)crc32_z(0, tail, tail_size));
    if (err == 0)
        err = write_pages(fd, entries, info->count);
    if (err == 0)
        err = write_all(fd, tail, tail_size);
    free(tail);
    return err;
}

int segment_write(const char *folder, const struct segment_info *info, const void *entries,
                  size_t size)
{
    int fd;
    if (info->count == 0 || info->count > SEGMENT_ENTRIES_MAX ||
        size != (size_t)info->count * SEGMENT_ENTRY_SIZE || !are_sorted(entries, info->count))
        return -EINVAL;
    int err = begin(folder, info->id, &fd);
    return err != 0 ? err : finish(folder, info->id, fd, write_parts(fd, info, entries));
}

/* --- copying --- */

int segment_read_all(const char *folder, uint64_t id, struct buffer *out)
{
    char path[PATH_MAX_BYTES];
    struct stat status;
    int err = path_of(path, folder, id, "");
    if (err != 0)
        return err;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    err = fstat(fd, &status) != 0 ? -errno : status.st_size > FILE_SIZE_MAX ? -EILSEQ : 0;
    size_t left = err == 0 ? (size_t)status.st_size : 0;
    uint8_t *to = err == 0 ? buffer_reserve(out, left) : NULL;
    if (err == 0 && to == NULL)
        err = -ENOMEM;
    while (err == 0 && left > 0) {
        const ssize_t got = read(fd, to, left);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            err = got == 0 ? -EILSEQ : -errno;
            break;
        }
        to += got;
        left -= (size_t)got;
    }
    close(fd);
    if (err == 0)
        out->size += (size_t)status.st_size;
    return err;
}

static int check_written(int fd, const struct segment_info *expected)
{
    struct segment *segment = NULL;
    struct error_text why;
    const int own = dup(fd);
    if (own < 0)
        return -errno;
    int err = segment_open_fd(own, &segment, &why);
    if (err == 0 && !segment_is(segment, expected))
        err = -EILSEQ;
    if (err == 0)
        err = segment_verify(segment);
    segment_close(segment);
    return err;
}

int segment_install(const char *folder, const struct segment_info *expected, const void *bytes,
                    size_t size)
{
    int fd;
    int err = begin(folder, expected->id, &fd);
    if (err != 0)
        return err;
    err = write_all(fd, bytes, size);
    if (err == 0)
        err = check_written(fd, expected);
    return finish(folder, expected->id, fd, err);
}

/* --- removing --- */

int segment_remove(const char *folder, uint64_t id)
{
    char path[PATH_MAX_BYTES];
    int err = path_of(path, folder, id, "");
    if (err != 0)
        return err;
    return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
}

/* False: the name is neither a segment's nor that of one that was not finished. */
static bool read_name(const char *name, uint64_t *ret_id, bool *ret_finished)
{
    const size_t digits = strspn(name, "0123456789");
    *ret_finished = name[digits] == '\0';
    if (digits == 0 || (!*ret_finished && strcmp(name + digits, unfinished) != 0))
        return false;
    return text_to_u64((struct text){name, digits}, UINT64_MAX, ret_id) == 0;
}

int segment_clean(const char *folder, void *context, bool (*is_needed)(void *context, uint64_t id))
{
    DIR *entries = opendir(folder);
    if (entries == NULL)
        return errno == ENOENT ? 0 : -errno;
    int err = 0;
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        uint64_t id;
        bool finished;
        if (!read_name(entry->d_name, &id, &finished) ||
            (finished && is_needed != NULL && is_needed(context, id)))
            continue;
        if (unlinkat(dirfd(entries), entry->d_name, 0) != 0 && errno != ENOENT)
            err = -errno;
    }
    closedir(entries);
    return err;
}
