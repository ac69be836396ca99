#include "region-hub/hub_archive_reader.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/thread.h"
#include "log/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    WAIT_MAX_MS = 2000,  /* for a connection, a statement, and all statements of a job */
    RETRY_MS = 1000,     /* after a failed connection all fail at once for so long */
    STATEMENT_ROWS = 32, /* a statement's rows are in memory as a whole */
};

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_POSTED };

struct hub_archive_job {
    struct loop_message message;
    struct list link; /* while it is queued */
    struct hub_archive_reader *reader;
    struct hub_archive_question question; /* the user is in `user` */
    char user[TEXT_USER_MAX];
    enum job_state state; /* under the lock, as `canceled` is */
    bool canceled;
    /* The thread's until it is posted. */
    int error;
    bool more;
    struct archive_cursor last;
    size_t bytes;
    struct archive_batch rows;
};

struct hub_archive_reader {
    struct archive *archive;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct list queue; /* under the lock, as what follows */
    size_t jobs;
    bool stopping;
    int failed_error; /* of the last connection; only the thread's, as what follows */
    int64_t failed_ms;
    struct log_limit trouble_limit;
};

static void free_job(struct hub_archive_job *job)
{
    archive_batch_free(&job->rows);
    free(job);
}

/* --- reading, on the thread --- */

static bool is_full(const struct hub_archive_job *job, size_t size)
{
    return job->rows.count == job->question.range.rows_max ||
           (job->rows.count > 0 && job->bytes + size > job->question.bytes_max);
}

static void on_row(void *context, const struct archive_row *row)
{
    struct hub_archive_job *job = context;
    job->last = (struct archive_cursor){row->epoch, row->seq};
    if (job->more || job->error != 0)
        return;
    if (is_full(job, row->body.size)) {
        job->more = true;
        return;
    }
    job->error = archive_batch_add(&job->rows, row);
    job->bytes += row->body.size;
}

/* One statement. `ret_all`: there is nothing behind it. */
static int read_some(struct hub_archive_reader *reader, struct hub_archive_job *job, bool *ret_all,
                     struct error_text *why)
{
    struct archive_range range = job->question.range;
    const size_t wanted = range.rows_max - job->rows.count + 1; /* one more tells whether it is */
    const bool rises = range.after.epoch != 0;
    if (job->last.epoch != 0 && rises)
        range.after = job->last;
    else if (job->last.epoch != 0)
        range.before = job->last;
    range.rows_max = wanted < STATEMENT_ROWS ? (uint32_t)wanted : STATEMENT_ROWS;
    const size_t before = job->rows.count;
    int err = archive_history(reader->archive, job->question.user, &range, on_row, job, why);
    *ret_all = job->rows.count - before < range.rows_max;
    return err == 0 ? job->error : err;
}

static int read_all(struct hub_archive_reader *reader, struct hub_archive_job *job,
                    struct error_text *why)
{
    const int64_t due_ms = clock_monotonic_ms() + WAIT_MAX_MS;
    bool all = false;
    int err = 0;
    while (err == 0 && !all && !job->more) {
        err = read_some(reader, job, &all, why);
        if (err == 0 && !all && clock_monotonic_ms() >= due_ms)
            job->more = true; /* who asked goes on where this ends */
    }
    return err;
}

static void forget_rows(struct hub_archive_job *job)
{
    archive_batch_clear(&job->rows);
    job->last = (struct archive_cursor){0};
    job->bytes = 0;
    job->more = false;
    job->error = 0;
}

static int connect(struct hub_archive_reader *reader, struct error_text *why)
{
    int err = archive_connect(reader->archive, why);
    reader->failed_error = err;
    reader->failed_ms = clock_monotonic_ms();
    return err;
}

static int do_job(struct hub_archive_reader *reader, struct hub_archive_job *job,
                  struct error_text *why)
{
    if (reader->failed_error != 0 && clock_monotonic_ms() - reader->failed_ms < RETRY_MS)
        return reader->failed_error;
    int err = connect(reader, why);
    if (err == 0)
        err = read_all(reader, job, why);
    if (err == -ENOTCONN && reader->failed_error == 0) { /* it was cut while nobody asked */
        forget_rows(job);
        err = connect(reader, why);
        if (err == 0)
            err = read_all(reader, job, why);
    }
    if (err != 0 && err != -ECANCELED)
        log_limited(&reader->trouble_limit, LOG_LEVEL_WARNING, "the archive cannot be read",
                    LOG_STRING("archive", archive_place(reader->archive)), LOG_ERRNO(err),
                    LOG_STRING("why", why->text));
    return err;
}

/* --- the thread --- */

/* Waits for one. NULL: it is to stop. */
static struct hub_archive_job *take(struct hub_archive_reader *reader)
{
    struct hub_archive_job *job = NULL;
    pthread_mutex_lock(&reader->lock);
    while (!reader->stopping && list_empty(&reader->queue))
        pthread_cond_wait(&reader->changed, &reader->lock);
    if (!reader->stopping) {
        job = container_of(list_pop(&reader->queue), struct hub_archive_job, link);
        job->state = JOB_RUNNING;
    }
    pthread_mutex_unlock(&reader->lock);
    return job;
}

/* Posted under the lock: who cancels then knows where it is. */
static void give_back(struct hub_archive_reader *reader, struct hub_archive_job *job)
{
    pthread_mutex_lock(&reader->lock);
    reader->jobs--;
    const bool canceled = job->canceled;
    job->state = JOB_POSTED;
    if (!canceled)
        loop_post(job->question.loop, &job->message);
    pthread_mutex_unlock(&reader->lock);
    if (canceled)
        free_job(job);
}

static void *run(void *argument)
{
    struct hub_archive_reader *reader = argument;
    for (struct hub_archive_job *job; (job = take(reader)) != NULL;) {
        struct error_text why = {0};
        int err = do_job(reader, job, &why);
        if (err != 0)
            forget_rows(job);
        job->error = err;
        give_back(reader, job);
    }
    archive_disconnect(reader->archive);
    return NULL;
}

/* --- the loop's side --- */

static void on_message(struct loop_message *message)
{
    struct hub_archive_job *job = container_of(message, struct hub_archive_job, message);
    const struct hub_archive_question *question = &job->question;
    if (!job->canceled)
        question->on_answer(question->context, &(struct hub_archive_answer){.error = job->error,
                                                                            .rows = &job->rows,
                                                                            .more = job->more});
    free_job(job);
}

static void cap_seq(struct archive_cursor *cursor)
{
    if (cursor->seq > INT64_MAX)
        cursor->seq = INT64_MAX;
}

static struct hub_archive_job *new_job(struct hub_archive_reader *reader,
                                       const struct hub_archive_question *question)
{
    struct hub_archive_job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return NULL;
    job->message.on_message = on_message;
    job->reader = reader;
    job->question = *question;
    memcpy(job->user, question->user.data, question->user.size);
    job->question.user.data = job->user;
    cap_seq(&job->question.range.after);
    cap_seq(&job->question.range.before);
    return job;
}

int hub_archive_reader_ask(struct hub_archive_reader *reader,
                           const struct hub_archive_question *question,
                           struct hub_archive_job **ret_job)
{
    struct hub_archive_job *job = new_job(reader, question);
    if (job == NULL)
        return -ENOMEM;
    pthread_mutex_lock(&reader->lock);
    const bool taken = !reader->stopping && reader->jobs < HUB_ARCHIVE_JOBS_MAX;
    if (taken) {
        reader->jobs++;
        list_push(&reader->queue, &job->link);
        pthread_cond_signal(&reader->changed);
    }
    pthread_mutex_unlock(&reader->lock);
    if (!taken) {
        free_job(job);
        return -ENOBUFS;
    }
    *ret_job = job;
    return 0;
}

void hub_archive_job_cancel(struct hub_archive_job *job)
{
    if (job == NULL)
        return;
    struct hub_archive_reader *reader = job->reader;
    pthread_mutex_lock(&reader->lock);
    job->canceled = true; /* running: the thread frees it; posted: on_message() does */
    const bool queued = job->state == JOB_QUEUED;
    if (queued) {
        list_remove(&job->link);
        reader->jobs--;
    }
    pthread_mutex_unlock(&reader->lock);
    if (queued)
        free_job(job);
}

/* --- making and freeing --- */

static void free_reader(struct hub_archive_reader *reader)
{
    archive_free(reader->archive);
    pthread_cond_destroy(&reader->changed);
    pthread_mutex_destroy(&reader->lock);
    free(reader);
}

static int64_t within(int64_t timeout_ms)
{
    return timeout_ms < WAIT_MAX_MS ? timeout_ms : WAIT_MAX_MS;
}

struct hub_archive_reader *hub_archive_reader_start(const struct hub_settings *settings,
                                                    struct error_text *reterr_why)
{
    struct hub_archive_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        error_text_set(reterr_why, -ENOMEM, "memory is short");
        return NULL;
    }
    list_init(&reader->queue);
    pthread_mutex_init(&reader->lock, NULL);
    pthread_cond_init(&reader->changed, NULL);
    reader->archive = archive_new(
        &(struct archive_settings){
            .url = settings->archive_url,
            .program = settings->name,
            .connect_timeout_ms = within(settings->archive_connect_timeout_ms),
            .statement_timeout_ms = within(settings->archive_statement_timeout_ms)},
        reterr_why);
    int err =
        reader->archive == NULL ? -EINVAL : -pthread_create(&reader->thread, NULL, run, reader);
    if (err == 0)
        return reader;
    if (err != -EINVAL)
        error_text_set(reterr_why, err, "cannot start the archive's reader: %s", strerror(-err));
    free_reader(reader);
    return NULL;
}

void hub_archive_reader_stop(struct hub_archive_reader *reader)
{
    if (reader == NULL)
        return;
    pthread_mutex_lock(&reader->lock);
    reader->stopping = true;
    pthread_cond_signal(&reader->changed);
    pthread_mutex_unlock(&reader->lock);
    archive_cancel(reader->archive);
}

int hub_archive_reader_join(struct hub_archive_reader *reader, int64_t due_ms)
{
    if (reader == NULL)
        return 0;
    if (thread_join_until(reader->thread, due_ms) != 0)
        return -ETIMEDOUT;
    free_reader(reader);
    return 0;
}
