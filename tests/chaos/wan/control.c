#include "wan/control.h"

#include "base/list.h"
#include "wan/command.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct wan_control {
    struct loop *loop;
    struct sockaddr_un address;
    bool bound; /* the path is ours */
    struct loop_io io;
    struct list peers;
    size_t peer_count;
    wan_control_answer *answer;
    void *context;
};

struct peer {
    struct wan_control *control;
    struct list link;
    struct loop_io io;
    bool closing; /* when it has read its answer */
    struct buffer out;
    size_t in_size;
    char in[WAN_COMMAND_MAX_BYTES + 1]; /* with the line end */
};

static void peer_free(struct peer *peer)
{
    loop_io_remove(peer->control->loop, &peer->io);
    close(peer->io.fd);
    list_remove(&peer->link);
    peer->control->peer_count--;
    buffer_free(&peer->out);
    free(peer);
}

/* False when the peer is gone. */
static bool flush(struct peer *peer)
{
    while (peer->out.size > 0) {
        ssize_t sent = send(peer->io.fd, peer->out.data, peer->out.size, MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR;
        buffer_consume(&peer->out, (size_t)sent);
    }
    return true;
}

/* Answers the first whole line it has sent, if there is one and the last answer is read. */
static bool answer_one(struct peer *peer)
{
    const char *end = memchr(peer->in, '\n', peer->in_size);
    bool is_long = end == NULL && peer->in_size == sizeof peer->in;
    if ((end == NULL && !is_long) || peer->out.size > 0 || peer->closing)
        return false;
    size_t size = is_long ? peer->in_size : (size_t)(end - peer->in);
    peer->control->answer(peer->control->context, (struct text){.data = peer->in, .size = size},
                          &peer->out);
    peer->closing = is_long || peer->out.failed;
    size_t taken = is_long ? size : size + 1;
    peer->in_size -= taken;
    memmove(peer->in, peer->in + taken, peer->in_size);
    return true;
}

/* False when the peer is gone. */
static bool receive(struct peer *peer)
{
    ssize_t size = recv(peer->io.fd, peer->in + peer->in_size, sizeof peer->in - peer->in_size, 0);
    if (size <= 0)
        return size < 0 && (errno == EAGAIN || errno == EINTR);
    peer->in_size += (size_t)size;
    return true;
}

static void on_peer(struct loop_io *io, uint32_t events)
{
    struct peer *peer = container_of(io, struct peer, io);
    bool here = (events & EPOLLIN) == 0 || receive(peer);
    do
        here = here && flush(peer);
    while (here && answer_one(peer));
    if (!here || (events & EPOLLERR) != 0 || (peer->closing && peer->out.size == 0)) {
        peer_free(peer);
        return;
    }
    loop_io_change(peer->control->loop, io, peer->out.size > 0 ? EPOLLOUT : EPOLLIN);
}

static struct peer *peer_new(struct wan_control *control, int fd)
{
    struct peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL)
        return NULL;
    peer->control = control;
    peer->io = (struct loop_io){.fd = fd, .events = EPOLLIN, .on_event = on_peer};
    if (loop_io_add(control->loop, &peer->io) != 0) {
        free(peer);
        return NULL;
    }
    list_push(&control->peers, &peer->link);
    control->peer_count++;
    return peer;
}

static void on_listening(struct loop_io *io, uint32_t events)
{
    (void)events;
    struct wan_control *control = container_of(io, struct wan_control, io);
    int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0 && (control->peer_count == WAN_CONTROL_PEERS_MAX || peer_new(control, fd) == NULL))
        close(fd);
}

/* A socket that a killed process left, and nothing else. */
static void remove_stale(const struct sockaddr_un *address)
{
    struct stat status;
    if (lstat(address->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe >= 0 && connect(probe, (const struct sockaddr *)address, sizeof *address) != 0 &&
        errno == ECONNREFUSED)
        unlink(address->sun_path);
    if (probe >= 0)
        close(probe);
}

static int listen_at(struct wan_control *control)
{
    remove_stale(&control->address);
    control->io.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (control->io.fd < 0)
        return -errno;
    mode_t mask = umask(S_IRWXG | S_IRWXO);
    control->bound = bind(control->io.fd, (const struct sockaddr *)&control->address,
                          sizeof control->address) == 0;
    int err = control->bound ? 0 : -errno;
    umask(mask);
    if (err == 0 && listen(control->io.fd, WAN_CONTROL_PEERS_MAX) != 0)
        err = -errno;
    return err != 0 ? err : loop_io_add(control->loop, &control->io);
}

struct wan_control *wan_control_new(struct loop *loop, const char *path, wan_control_answer *answer,
                                    void *context, struct error_text *reterr_why)
{
    struct wan_control *control = calloc(1, sizeof *control);
    if (control == NULL)
        return NULL;
    *control = (struct wan_control){
        .loop = loop,
        .address = {.sun_family = AF_UNIX},
        .io = {.fd = -1, .events = EPOLLIN, .on_event = on_listening},
        .answer = answer,
        .context = context,
    };
    list_init(&control->peers);
    int err = text_put(control->address.sun_path, sizeof control->address.sun_path, text_of(path));
    if (err == 0)
        err = listen_at(control);
    if (err == 0)
        return control;
    error_text_set(reterr_why, err, "cannot listen at '%s': %s", path, strerror(-err));
    wan_control_free(control);
    return NULL;
}

void wan_control_free(struct wan_control *control)
{
    if (control == NULL)
        return;
    list_each(node, &control->peers) peer_free(container_of(node, struct peer, link));
    if (control->io.fd >= 0) {
        loop_io_remove(control->loop, &control->io);
        close(control->io.fd);
    }
    if (control->bound)
        unlink(control->address.sun_path);
    free(control);
}
