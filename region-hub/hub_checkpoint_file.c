#include "region-hub/hub_checkpoint_file.h"

#include "log/log.h"
#include "mailbox/mailbox_segments.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PATH_SIZE = 1024,
    DONE_SIZE_MAX = 256 * 1024, /* with as many segments as there may be */
};

/* What the thread works on. It is freed when its message has come back, which may be after the file
 * has gone. */
struct job {
    struct loop_message message;
    struct hub_checkpoint_file *file; /* NULL: it has gone */
    char path[PATH_SIZE];
    bool writes; /* else: checks what is there */
    struct hub_checkpoint_bytes what;
    int err;
    uint64_t position;
};

struct hub_checkpoint_file {
    struct hub_checkpoint_file_settings settings;
    pthread_t thread;
    struct job *running; /* NULL: none */
    struct job *next;    /* waits for it */
    uint64_t position;
};

static void free_job(struct job *job)
{
    if (job == NULL)
        return;
    buffer_free(&job->what.bytes);
    free(job);
}

/* --- in the thread --- */

static int write_all(int fd, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? -errno : -EIO;
        bytes += written;
        size -= (size_t)written;
    }
    return 0;
}

/* A rename is on the disk when its folder is. */
static int sync_folder(const char *path)
{
    char folder[PATH_SIZE];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL)
        snprintf(folder, sizeof folder, ".");
    else
        slash[slash == folder ? 1 : 0] = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int err = fsync(fd) == 0 ? 0 : -errno;
    close(fd);
    return err;
}

static int write_file(const char *path, const struct buffer *head, const struct buffer *bytes)
{
    char beside[PATH_SIZE + 8];
    snprintf(beside, sizeof beside, "%s.new", path);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int err = write_all(fd, head->data, head->size);
    if (err == 0)
        err = write_all(fd, bytes->data, bytes->size);
    if (err == 0 && fsync(fd) != 0)
        err = -errno;
    close(fd);
    if (err == 0 && rename(beside, path) != 0)
        err = -errno;
    if (err != 0)
        (void)unlink(beside);
    return err == 0 ? sync_folder(path) : err;
}

struct segments {
    struct wire_segment *items;
    size_t count;
    bool failed;
};

static void on_segment(void *context, const struct mailbox_segment *segment)
{
    struct segments *segments = context;
    struct wire_segment *items = NULL;
    if (!segments->failed && segments->count < WIRE_SEGMENTS_MAX)
        items = realloc(segments->items, (segments->count + 1) * sizeof *items);
    if (items == NULL) {
        segments->failed = true;
        return;
    }
    segments->items = items;
    items[segments->count++] =
        (struct wire_segment){.id = segment->id, .count = segment->count, .sum = segment->sum};
}

static int write_head(struct buffer *head, const struct hub_checkpoint_bytes *what)
{
    struct wire_stored stored = {.position = what->position, .size = what->bytes.size};
    struct segments segments = {0};
    memcpy(stored.incarnation, what->incarnation, sizeof stored.incarnation);
    stored.fingerprint = wire_stored_fingerprint(what->bytes.data, what->bytes.size);
    int err = mailbox_saved_segments(what->bytes.data, what->bytes.size, &segments, on_segment);
    if (err == 0 && segments.failed)
        err = -ENOMEM;
    wire_write_u32(head, 0);
    if (err == 0)
        err = wire_stored_write(head, &stored, segments.items, segments.count);
    if (err == 0)
        wire_patch_u32(head, 0, (uint32_t)(head->size - 4));
    free(segments.items);
    return err;
}

static int write_checkpoint(struct job *job)
{
    struct buffer head = {0};
    int err = write_head(&head, &job->what);
    if (err == 0)
        err = write_file(job->path, &head, &job->what.bytes);
    buffer_free(&head);
    job->position = job->what.position;
    return err;
}

static int read_all(int fd, uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t got = read(fd, bytes, size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -EIO : -EBADMSG;
        bytes += got;
        size -= (size_t)got;
    }
    return 0;
}

static int read_head(int fd, struct buffer *done, off_t *ret_offset)
{
    uint8_t size[4];
    int err = read_all(fd, size, sizeof size);
    if (err != 0)
        return err;
    struct wire_cursor in = wire_cursor_of(size, sizeof size);
    uint32_t done_size = wire_read_u32(&in);
    if (done_size == 0 || done_size > DONE_SIZE_MAX)
        return -EBADMSG;
    uint8_t *room = buffer_reserve(done, done_size);
    if (room == NULL)
        return -ENOMEM;
    err = read_all(fd, room, done_size);
    if (err != 0)
        return err;
    done->size += done_size;
    *ret_offset = (off_t)(sizeof size + done_size);
    return 0;
}

int hub_checkpoint_file_open(const char *path, struct buffer *done, int *ret_fd, off_t *ret_offset)
{
    struct wire_stored stored;
    struct stat status;
    off_t offset = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ENOENT : -EIO;
    buffer_clear(done);
    int err = read_head(fd, done, &offset);
    if (err == 0 && wire_stored_read(done->data, done->size, &stored) != 0)
        err = -EBADMSG;
    if (err == 0 && fstat(fd, &status) != 0)
        err = -EIO;
    if (err == 0 && (uint64_t)status.st_size != (uint64_t)offset + stored.size)
        err = -EBADMSG;
    if (err != 0) {
        close(fd);
        return err;
    }
    *ret_fd = fd;
    *ret_offset = offset;
    return 0;
}

static int check_bytes(int fd, off_t offset, const struct wire_stored *stored)
{
    size_t size = (size_t)offset + (size_t)stored->size;
    void *mapped = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapped == MAP_FAILED)
        return -EIO;
    struct fingerprint found =
        wire_stored_fingerprint((const uint8_t *)mapped + offset, (size_t)stored->size);
    munmap(mapped, size);
    bool same = memcmp(found.bytes, stored->fingerprint.bytes, sizeof found.bytes) == 0;
    return same ? 0 : -EBADMSG;
}

static int check_checkpoint(struct job *job)
{
    struct buffer done = {0};
    struct wire_stored stored;
    off_t offset = 0;
    int fd = -1;
    int err = hub_checkpoint_file_open(job->path, &done, &fd, &offset);
    if (err == 0)
        err = wire_stored_read(done.data, done.size, &stored);
    if (err == 0) {
        err = check_bytes(fd, offset, &stored);
        job->position = stored.position;
    }
    if (fd >= 0)
        close(fd);
    buffer_free(&done);
    return err;
}

static void *work(void *argument)
{
    struct job *job = argument;
    job->err = job->writes ? write_checkpoint(job) : check_checkpoint(job);
    loop_post(job->file->settings.loop, &job->message);
    return NULL;
}

/* --- on the loop --- */

static void start_next(struct hub_checkpoint_file *file);

static void on_worked(struct loop_message *message)
{
    struct job *job = container_of(message, struct job, message);
    struct hub_checkpoint_file *file = job->file;
    int err = job->err;
    uint64_t position = job->position;
    bool writes = job->writes;
    free_job(job);
    if (file == NULL)
        return;
    pthread_join(file->thread, NULL);
    file->running = NULL;
    if (err == 0)
        file->position = position;
    else if (writes)
        log_error("cannot write the checkpoint", LOG_STRING("file", file->settings.path),
                  LOG_U64("position", position), LOG_ERRNO(err));
    else if (err != -ENOENT)
        log_warning("the file of the last checkpoint is damaged: it is not used",
                    LOG_STRING("file", file->settings.path), LOG_ERRNO(err));
    start_next(file);
    if (err == 0 || writes)
        file->settings.on_ready(file->settings.context, err, position);
}

static struct job *make_job(struct hub_checkpoint_file *file, bool writes)
{
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return NULL;
    job->message.on_message = on_worked;
    job->file = file;
    job->writes = writes;
    snprintf(job->path, sizeof job->path, "%s", file->settings.path);
    return job;
}

static void start_next(struct hub_checkpoint_file *file)
{
    if (file->running != NULL || file->next == NULL)
        return;
    file->running = file->next;
    file->next = NULL;
    int err = pthread_create(&file->thread, NULL, work, file->running);
    if (err == 0)
        return;
    log_error("no thread for the checkpoint: it is dropped",
              LOG_STRING("file", file->settings.path), LOG_ERRNO(-err));
    free_job(file->running);
    file->running = NULL;
}

struct hub_checkpoint_file *
hub_checkpoint_file_new(const struct hub_checkpoint_file_settings *settings)
{
    struct hub_checkpoint_file *file = calloc(1, sizeof *file);
    if (file == NULL)
        return NULL;
    file->settings = *settings;
    file->next = make_job(file, false);
    if (file->next == NULL) {
        free(file);
        return NULL;
    }
    start_next(file);
    return file;
}

void hub_checkpoint_file_free(struct hub_checkpoint_file *file)
{
    if (file == NULL)
        return;
    if (file->running != NULL) {
        pthread_join(file->thread, NULL);
        file->running->file = NULL; /* its message frees it */
    }
    free_job(file->next);
    free(file);
}

int hub_checkpoint_file_write(struct hub_checkpoint_file *file, struct hub_checkpoint_bytes *what)
{
    struct job *job = make_job(file, true);
    if (job == NULL) {
        buffer_free(&what->bytes);
        *what = (struct hub_checkpoint_bytes){0};
        return -ENOMEM;
    }
    job->what = *what;
    *what = (struct hub_checkpoint_bytes){0};
    free_job(file->next);
    file->next = job;
    start_next(file);
    return 0;
}

uint64_t hub_checkpoint_file_position(const struct hub_checkpoint_file *file)
{
    return file->position;
}

bool hub_checkpoint_file_is_busy(const struct hub_checkpoint_file *file)
{
    return file->running != NULL;
}
