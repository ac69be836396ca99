#include "region-hub/hub_seen_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct queue {
    struct hub_seen_job *first;
    struct hub_seen_job **end;
};

struct hub_seen_worker {
    struct loop *loop;
    const char *folder;
    const char *log_path;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct queue jobs;
    struct queue verifying;
    bool stopping;
    bool all;
};

void hub_seen_job_free(struct hub_seen_job *job)
{
    mailbox_held_release(job->held);
    segment_close(job->segment);
    free(job->ids);
    free(job);
}

/* --- the jobs --- */

static int write_segment(const char *folder, struct hub_seen_job *job)
{
    struct buffer entries = {0};
    int err = mailbox_held_export(job->held, &entries);
    if (err == 0)
        err = segment_write(folder, &job->info, entries.data, entries.size);
    buffer_free(&entries);
    return err == 0 ? segment_open(folder, job->info.id, &job->segment, NULL) : err;
}

/* SQLite syncs its log only now and then, so a state that was saved may not be on the disk. */
static int sync_log(const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    int err = fsync(fd) == 0 ? 0 : -errno;
    close(fd);
    return err;
}

static int remove_segments(const struct hub_seen_worker *worker, const struct hub_seen_job *job)
{
    int err = sync_log(worker->log_path);
    for (size_t i = 0; i < job->id_count && err == 0; i++)
        err = segment_remove(worker->folder, job->ids[i]);
    return err;
}

static int verify_segment(const char *folder, const struct hub_seen_job *job)
{
    struct segment *segment = NULL;
    int err = segment_open(folder, job->info.id, &segment, NULL);
    if (err == 0 && !segment_is(segment, &job->info))
        err = -EILSEQ;
    if (err == 0)
        err = segment_verify(segment);
    segment_close(segment);
    return err;
}

static int do_job(const struct hub_seen_worker *worker, struct hub_seen_job *job)
{
    switch (job->task) {
    case HUB_SEEN_WRITE:
        return write_segment(worker->folder, job);
    case HUB_SEEN_REMOVE:
        return remove_segments(worker, job);
    default:
        return verify_segment(worker->folder, job);
    }
}

/* --- the thread --- */

static struct hub_seen_job *pop(struct queue *queue)
{
    struct hub_seen_job *job = queue->first;
    if (job == NULL)
        return NULL;
    queue->first = job->next;
    if (queue->first == NULL)
        queue->end = &queue->first;
    job->next = NULL;
    return job;
}

/* Waits for one. NULL: it is to stop. */
static struct hub_seen_job *take(struct hub_seen_worker *worker)
{
    struct hub_seen_job *job = NULL;
    pthread_mutex_lock(&worker->lock);
    while (!worker->stopping && worker->jobs.first == NULL && worker->verifying.first == NULL)
        pthread_cond_wait(&worker->changed, &worker->lock);
    if (!worker->stopping || worker->all)
        job = pop(&worker->jobs);
    if (!worker->stopping && job == NULL)
        job = pop(&worker->verifying);
    pthread_mutex_unlock(&worker->lock);
    return job;
}

static void *run(void *context)
{
    struct hub_seen_worker *worker = context;
    for (struct hub_seen_job *job; (job = take(worker)) != NULL;) {
        job->error = do_job(worker, job);
        loop_post(worker->loop, &job->message);
    }
    return NULL;
}

int hub_seen_worker_start(struct loop *loop, const char *folder, const char *log_path,
                          struct hub_seen_worker **ret_worker)
{
    struct hub_seen_worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL)
        return -ENOMEM;
    worker->loop = loop;
    worker->folder = folder;
    worker->log_path = log_path;
    worker->jobs.end = &worker->jobs.first;
    worker->verifying.end = &worker->verifying.first;
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->changed, NULL);
    int err = -pthread_create(&worker->thread, NULL, run, worker);
    if (err != 0) {
        pthread_cond_destroy(&worker->changed);
        pthread_mutex_destroy(&worker->lock);
        free(worker);
        return err;
    }
    *ret_worker = worker;
    return 0;
}

void hub_seen_worker_give(struct hub_seen_worker *worker, struct hub_seen_job *job)
{
    pthread_mutex_lock(&worker->lock);
    struct queue *queue = job->task == HUB_SEEN_VERIFY ? &worker->verifying : &worker->jobs;
    job->next = NULL;
    *queue->end = job;
    queue->end = &job->next;
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
}

struct hub_seen_job *hub_seen_worker_stop(struct hub_seen_worker *worker, bool all)
{
    if (worker == NULL)
        return NULL;
    pthread_mutex_lock(&worker->lock);
    worker->stopping = true;
    worker->all = all;
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
    *worker->jobs.end = worker->verifying.first;
    struct hub_seen_job *left = worker->jobs.first;
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
    return left;
}
