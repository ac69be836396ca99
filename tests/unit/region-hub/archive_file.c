#include "archive_file.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void remove_files(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        char name[400];
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

static struct archive *connect_to(const struct archive_file *file)
{
    struct error_text why = {0};
    struct archive *archive =
        archive_new(&(struct archive_settings){.url = file->settings.archive_url,
                                               .program = "test",
                                               .connect_timeout_ms = 5000,
                                               .statement_timeout_ms = 5000},
                    &why);
    assert_non_null(archive);
    assert_int_equal(archive_connect(archive, &why), 0);
    return archive;
}

void archive_file_init(struct archive_file *file, const char *name)
{
    *file = (struct archive_file){
        .settings = {.archive_connect_timeout_ms = 5000, .archive_statement_timeout_ms = 5000}};
    snprintf(file->path, sizeof file->path, "%s/%s-%d.db", MERIDIAN_BINARY_DIR, name,
             (int)getpid());
    snprintf(file->settings.archive_url, sizeof file->settings.archive_url, "sqlite:%s",
             file->path);
    snprintf(file->settings.name, sizeof file->settings.name, "test");
    remove_files(file->path);
    archive_free(connect_to(file));
}

void archive_file_done(struct archive_file *file)
{
    remove_files(file->path);
}

void archive_file_add(struct archive_file *file, uint32_t epoch, uint64_t first, uint64_t last)
{
    struct archive_log log = {.region = "sin", .incarnation = "sixteen bytes on"};
    struct archive_outcome outcome = {0};
    struct archive_batch batch = {0};
    struct error_text why = {0};
    struct archive *archive = connect_to(file);
    assert_int_equal(archive_locate(archive, &log, &why), 0);
    for (uint64_t seq = first; seq <= last; seq++) {
        char body[64];
        snprintf(body, sizeof body, "%" PRIu32 ".%" PRIu64, epoch, seq);
        const struct archive_row row = {.row = log.last_row + 1 + seq - first,
                                        .position = log.position + 1 + seq - first,
                                        .recipient = TEXT("bob"),
                                        .epoch = epoch,
                                        .seq = seq,
                                        .at_ms = 1700000000000,
                                        .created_ms = 1700000000000,
                                        .ttl_s = file->ttl_s,
                                        .sender = TEXT("alice"),
                                        .device = TEXT(""),
                                        .id = TEXT("m1"),
                                        .body = text_of(body)};
        assert_int_equal(archive_batch_add(&batch, &row), 0);
    }
    assert_int_equal(archive_append(archive, &log, &batch, &outcome, &why), 0);
    assert_int_equal(outcome.stored, last - first + 1);
    archive_batch_free(&batch);
    archive_free(archive);
}
