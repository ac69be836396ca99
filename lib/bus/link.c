#include "bus/link.h"

#include "base/hash.h"
#include "bus/link_options.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    RETRY_MS = 250,
    RETRY_JITTER_MS = 100,
    INFO_TIMEOUT_S = 1,
    LAST_WRITE_TRIES = 10,
    LAST_WRITE_WAIT_MS = 20,
};

struct bus_link {
    struct loop *loop;
    pthread_t loop_thread;
    struct bus_link_settings settings;
    char *urls; /* what the settings point to */
    char *name;
    char *user;
    char *password;
    char *credentials;

    /* Of the loop's thread. */
    natsConnection *connection; /* NULL: none, or not handed over yet */
    bool up;                    /* `io` is in the loop, and on_up was called */
    struct loop_io io;          /* a duplicate of the library's descriptor, see on_attach() */
    struct loop_later flush;
    struct loop_timer retry;
    pthread_t connector;
    bool connecting; /* the connector is to be joined */
    char version[32];
    struct error_text failure;

    /* Of all threads, under the lock. The library calls us with its own lock held, so none of its
     * functions is called with ours. */
    pthread_mutex_t lock;
    pthread_cond_t is_detached;
    struct loop_message news; /* "look at what follows" */
    bool news_posted;
    bool freed; /* who delivers the last news frees the link */
    bool attached;
    bool write_wanted;
    int fd;
    bool attempt_done;
    natsConnection *attempt_connection; /* NULL: it failed */
    char attempt_version[32];
    struct error_text attempt_failure;
};

int bus_status_to_errno(natsStatus status)
{
    switch (status) {
    case NATS_OK:
        return 0;
    case NATS_CONNECTION_CLOSED:
    case NATS_CONNECTION_DISCONNECTED:
    case NATS_NO_SERVER:
    case NATS_STALE_CONNECTION:
    case NATS_INSUFFICIENT_BUFFER: /* only while the library reconnects */
    case NATS_IO_ERROR:
        return -ENOTCONN;
    case NATS_MAX_PAYLOAD:
        return -EMSGSIZE;
    case NATS_NO_MEMORY:
        return -ENOMEM;
    case NATS_INVALID_ARG:
    case NATS_INVALID_SUBJECT:
        return -EINVAL;
    case NATS_NO_SERVER_SUPPORT:
        return -ENOTSUP;
    default:
        return -EIO;
    }
}

/* --- what the library's threads and ours tell the loop --- */

static void tell_loop_locked(struct bus_link *link)
{
    if (link->news_posted || link->freed)
        return;
    link->news_posted = true;
    loop_post(link->loop, &link->news);
}

static natsStatus on_attach(void **data, void *loop, natsConnection *connection, natsSock socket)
{
    (void)connection;
    struct bus_link *link = loop;
    /* The library may close its descriptor in another thread, and the number may be taken again,
     * before the loop hears of it. */
    int fd = fcntl(socket, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return NATS_SYS_ERROR;
    pthread_mutex_lock(&link->lock);
    if (link->fd >= 0) /* of an address that failed after it had attached */
        close(link->fd);
    link->fd = fd;
    link->attached = true;
    link->write_wanted = false;
    pthread_mutex_unlock(&link->lock);
    *data = link;
    return NATS_OK;
}

static natsStatus on_want_read(void *data, bool add)
{
    (void)data; /* reading starts when the connection is handed over, and ends with on_detach() */
    (void)add;
    return NATS_OK;
}

static void watch(struct bus_link *link, bool for_writing)
{
    if (link->up)
        loop_io_change(link->loop, &link->io, EPOLLIN | (for_writing ? EPOLLOUT : 0u));
}

/* On the loop's thread one write follows at the end of the turn, for all that is published in it;
 * the descriptor is watched for writing only when the socket does not take it all. */
static natsStatus on_want_write(void *data, bool add)
{
    struct bus_link *link = data;
    bool on_loop = pthread_equal(pthread_self(), link->loop_thread) != 0;
    pthread_mutex_lock(&link->lock);
    link->write_wanted = add;
    if (!on_loop && add)
        tell_loop_locked(link);
    pthread_mutex_unlock(&link->lock);
    if (on_loop && add)
        loop_later(link->loop, &link->flush);
    else if (on_loop)
        watch(link, false);
    return NATS_OK;
}

static natsStatus on_detach(void *data)
{
    struct bus_link *link = data;
    pthread_mutex_lock(&link->lock);
    link->attached = false;
    pthread_cond_broadcast(&link->is_detached);
    tell_loop_locked(link);
    pthread_mutex_unlock(&link->lock);
    return NATS_OK;
}

/* --- the thread that connects --- */

static natsStatus connect_to_any(struct bus_link *link, natsConnection **ret_connection)
{
    const struct bus_link_settings *settings = &link->settings;
    natsOptions *options = NULL;
    natsStatus status = bus_link_options(&options, settings);
    if (status == NATS_OK)
        status = natsOptions_SetEventLoop(options, link, on_attach, on_want_read, on_want_write,
                                          on_detach);
    if (status == NATS_OK)
        status = natsConnection_Connect(ret_connection, options);
    natsOptions_Destroy(options);
    return status;
}

static int connect_beside(int connected_fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    if (getpeername(connected_fd, (struct sockaddr *)&address, &size) != 0)
        return -1;
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    const struct timeval timeout = {.tv_sec = INFO_TIMEOUT_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    if (connect(fd, (const struct sockaddr *)&address, size) == 0)
        return fd;
    close(fd);
    return -1;
}

/* The library keeps the version to itself; the server tells it to everybody who connects, first of
 * all and in the clear. Stays as it is when the server does not say. */
static void ask_version(int connected_fd, char *version, size_t version_size)
{
    int fd = connect_beside(connected_fd);
    if (fd < 0)
        return;
    char info[8192];
    size_t size = 0;
    while (size < sizeof info - 1 && memchr(info, '\n', size) == NULL) {
        ssize_t count = recv(fd, info + size, sizeof info - 1 - size, 0);
        if (count <= 0)
            break;
        size += (size_t)count;
    }
    close(fd);
    info[size] = '\0';
    const char *key = "\"version\":\"";
    const char *value = strstr(info, key);
    if (value == NULL)
        return;
    value += strlen(key);
    size_t length = strcspn(value, "\"");
    if (value[length] == '"' && length < version_size) {
        memcpy(version, value, length);
        version[length] = '\0';
    }
}

static void *connect_once(void *argument)
{
    struct bus_link *link = argument;
    natsConnection *connection = NULL;
    struct error_text failure = {0};
    char version[sizeof link->attempt_version] = "";
    natsStatus status = connect_to_any(link, &connection);
    if (status == NATS_OK) {
        pthread_mutex_lock(&link->lock);
        int fd = link->fd; /* ours, and closed only after we are joined */
        pthread_mutex_unlock(&link->lock);
        ask_version(fd, version, sizeof version);
    } else {
        const char *detail = nats_GetLastError(NULL);
        error_text_set(&failure, 0, "%s%s%s", natsStatus_GetText(status),
                       detail != NULL && detail[0] != '\0' ? ": " : "",
                       detail != NULL ? detail : "");
        connection = NULL;
    }
    nats_ReleaseThreadMemory();
    pthread_mutex_lock(&link->lock);
    link->attempt_done = true;
    link->attempt_connection = connection;
    link->attempt_failure = failure;
    memcpy(link->attempt_version, version, sizeof version);
    tell_loop_locked(link);
    pthread_mutex_unlock(&link->lock);
    return NULL;
}

/* --- on the loop --- */

static void retry_later(struct bus_link *link)
{
    uint32_t jitter;
    hash_random(&jitter, sizeof jitter);
    loop_timer_set(link->loop, &link->retry, RETRY_MS + jitter % RETRY_JITTER_MS);
}

static void start_connecting(struct bus_link *link)
{
    assert(!link->connecting && link->connection == NULL);
    int error = pthread_create(&link->connector, NULL, connect_once, link);
    if (error != 0) {
        error_text_set(&link->failure, 0, "cannot start a thread: %s", strerror(error));
        retry_later(link);
        return;
    }
    link->connecting = true;
}

static void on_retry(struct loop_timer *timer)
{
    start_connecting(container_of(timer, struct bus_link, retry));
}

/* What the last attempt led to, taken once. */
static bool take_attempt(struct bus_link *link)
{
    pthread_mutex_lock(&link->lock);
    bool done = link->attempt_done;
    link->attempt_done = false;
    if (done) {
        link->connection = link->attempt_connection;
        link->attempt_connection = NULL;
        link->failure = link->attempt_failure;
        if (link->attempt_version[0] != '\0')
            memcpy(link->version, link->attempt_version, sizeof link->version);
    }
    pthread_mutex_unlock(&link->lock);
    if (done) {
        pthread_join(link->connector, NULL);
        link->connecting = false;
    }
    return done;
}

static void read_state(struct bus_link *link, bool *ret_attached, bool *ret_write_wanted)
{
    pthread_mutex_lock(&link->lock);
    *ret_attached = link->attached;
    *ret_write_wanted = link->write_wanted;
    pthread_mutex_unlock(&link->lock);
}

static void close_descriptor(struct bus_link *link)
{
    if (link->io.fd >= 0)
        loop_io_remove(link->loop, &link->io);
    link->io.fd = -1;
    pthread_mutex_lock(&link->lock);
    int fd = link->fd;
    link->fd = -1;
    pthread_mutex_unlock(&link->lock);
    if (fd >= 0)
        close(fd);
}

static void write_pending(struct bus_link *link)
{
    bool attached, write_wanted;
    read_state(link, &attached, &write_wanted);
    if (!link->up || !attached || !write_wanted)
        return; /* the library takes a write of nothing for the end of the connection */
    natsConnection_ProcessWriteEvent(link->connection);
    read_state(link, &attached, &write_wanted);
    if (attached && write_wanted)
        watch(link, true);
}

static void on_flush(struct loop_later *later)
{
    write_pending(container_of(later, struct bus_link, flush));
}

static void on_event(struct loop_io *io, uint32_t events)
{
    struct bus_link *link = container_of(io, struct bus_link, io);
    if ((events & EPOLLOUT) != 0)
        natsConnection_ProcessWriteEvent(link->connection);
    if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0)
        natsConnection_ProcessReadEvent(link->connection);
    link->settings.on_read(link->settings.context);
}

static void come_up(struct bus_link *link)
{
    link->io = (struct loop_io){.fd = link->fd, .events = EPOLLIN, .on_event = on_event};
    int error = loop_io_add(link->loop, &link->io);
    if (error != 0) {
        link->io.fd = -1;
        error_text_set(&link->failure, 0, "cannot watch the connection: %s", strerror(-error));
        natsConnection_Close(link->connection);
        return;
    }
    link->up = true;
    if (!link->settings.on_up(link->settings.context, link->connection)) {
        error_text_set(&link->failure, 0, "out of memory for subscriptions");
        natsConnection_Close(link->connection);
    }
}

static void go_down(struct bus_link *link)
{
    bool was_up = link->up;
    natsConnection *connection = link->connection;
    const char *detail = NULL;
    natsStatus status = natsConnection_GetLastError(connection, &detail);
    if (link->failure.text[0] == '\0')
        error_text_set(&link->failure, 0, "the connection ended: %s",
                       status == NATS_OK || detail == NULL ? "closed by the server" : detail);
    link->up = false;
    link->connection = NULL;
    loop_later_cancel(&link->flush);
    close_descriptor(link);
    if (was_up)
        link->settings.on_down(link->settings.context);
    natsConnection_Destroy(connection);
    retry_later(link);
}

static void on_news(struct loop_message *message)
{
    struct bus_link *link = container_of(message, struct bus_link, news);
    pthread_mutex_lock(&link->lock);
    link->news_posted = false;
    bool freed = link->freed;
    pthread_mutex_unlock(&link->lock);
    if (freed) {
        bus_link_free(link);
        return;
    }
    bool done = take_attempt(link);
    bool attached, write_wanted;
    read_state(link, &attached, &write_wanted);
    if (done && link->connection == NULL) {
        close_descriptor(link); /* an attempt that failed after it had attached */
        retry_later(link);
    } else if (done && attached) {
        come_up(link);
        read_state(link, &attached, &write_wanted);
    }
    if (link->connection != NULL && !attached)
        go_down(link);
    else if (link->up && write_wanted)
        loop_later(link->loop, &link->flush);
}

/* --- making and ending --- */

static char *copy_or_null(const char *string, bool *failed)
{
    char *copy = string == NULL ? NULL : strdup(string);
    *failed = *failed || (string != NULL && copy == NULL);
    return copy;
}

static void free_memory(struct bus_link *link)
{
    pthread_mutex_destroy(&link->lock);
    pthread_cond_destroy(&link->is_detached);
    free(link->urls);
    free(link->name);
    free(link->user);
    free(link->password);
    free(link->credentials);
    free(link);
}

struct bus_link *bus_link_new(struct loop *loop, const struct bus_link_settings *settings)
{
    struct bus_link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return NULL;
    link->loop = loop;
    link->loop_thread = pthread_self();
    link->settings = *settings;
    link->io.fd = link->fd = -1;
    link->flush.on_later = on_flush;
    link->retry.on_due = on_retry;
    link->news.on_message = on_news;
    pthread_mutex_init(&link->lock, NULL);
    pthread_cond_init(&link->is_detached, NULL);
    bool failed = false;
    link->settings.urls = link->urls = copy_or_null(settings->urls, &failed);
    link->settings.name = link->name = copy_or_null(settings->name, &failed);
    link->settings.user = link->user = copy_or_null(settings->user, &failed);
    link->settings.password = link->password = copy_or_null(settings->password, &failed);
    link->settings.credentials = link->credentials = copy_or_null(settings->credentials, &failed);
    if (failed) {
        free_memory(link);
        return NULL;
    }
    start_connecting(link);
    return link;
}

/* The library would wait for 500 ms when something is left unwritten. */
static void write_the_rest(struct bus_link *link)
{
    for (int i = 0; i < LAST_WRITE_TRIES && natsConnection_Buffered(link->connection) > 0; i++) {
        struct pollfd writable = {.fd = link->io.fd, .events = POLLOUT};
        if (poll(&writable, 1, LAST_WRITE_WAIT_MS) == 1)
            natsConnection_ProcessWriteEvent(link->connection);
    }
}

static void end_connection(struct bus_link *link)
{
    if (link->connection == NULL)
        return;
    if (link->up)
        write_the_rest(link);
    link->up = false;
    natsConnection_Close(link->connection);
    /* Its timer thread may have been closing it already. */
    pthread_mutex_lock(&link->lock);
    while (link->attached)
        pthread_cond_wait(&link->is_detached, &link->lock);
    pthread_mutex_unlock(&link->lock);
    natsConnection_Destroy(link->connection);
    link->connection = NULL;
}

void bus_link_free(struct bus_link *link)
{
    if (link == NULL)
        return;
    if (!link->freed) {
        loop_timer_stop(link->loop, &link->retry);
        if (link->connecting) {
            pthread_join(link->connector, NULL);
            link->connecting = false;
            link->connection = link->attempt_connection;
        }
        end_connection(link);
        loop_later_cancel(&link->flush);
        close_descriptor(link);
    }
    /* A message on its way cannot be called back. */
    pthread_mutex_lock(&link->lock);
    link->freed = true;
    bool later = link->news_posted;
    pthread_mutex_unlock(&link->lock);
    if (!later)
        free_memory(link);
}

natsConnection *bus_link_connection(const struct bus_link *link)
{
    return link->up ? link->connection : NULL;
}

const char *bus_link_server_version(const struct bus_link *link)
{
    return link->version;
}

const char *bus_link_last_failure(const struct bus_link *link)
{
    return link->failure.text;
}
