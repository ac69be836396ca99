#include "tests/support/nats_server.h"

#include "base/hash.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_TRIES = 500, STREAM_TRIES = 100, PORT_MIN = 18000, PORT_MAX = 32000 };

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "test server: %s failed\n", what);
    exit(1);
}

const char *server_binary(void)
{
    static const char unpacked[] = MERIDIAN_SOURCE_DIR "/build/nats/usr/sbin/nats-server";
    const char *named = getenv("NATS_SERVER");
    if (named != NULL && named[0] != '\0')
        return named;
    return access(unpacked, X_OK) == 0 ? unpacked : NULL;
}

/* Below the range that the kernel takes for outgoing connections: there, one that is tried while
 * the server is down could take the port, and even be connected to itself. */
static int free_port(void)
{
    for (int tries = 0; tries < 100; tries++) {
        uint16_t random;
        hash_random(&random, sizeof random);
        int port = PORT_MIN + random % (PORT_MAX - PORT_MIN);
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                      .sin_port = htons((uint16_t)port)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool is_free = bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
        close(fd);
        if (is_free)
            return port;
    }
    must(false, "finding a port");
    return 0;
}

void server_init(struct server *server)
{
    *server = (struct server){.port = free_port()};
    snprintf(server->url, sizeof server->url, "nats://127.0.0.1:%d", server->port);
    snprintf(server->folder, sizeof server->folder, "/tmp/meridian-bus-XXXXXX");
    must(mkdtemp(server->folder) != NULL, "making a folder");
}

static void write_configuration(const struct server *server, const char *path)
{
    FILE *file = fopen(path, "w");
    must(file != NULL, "writing the configuration");
    fprintf(file,
            "listen: \"127.0.0.1:%d\"\n"
            "jetstream { store_dir: \"%s/store\", sync_interval: always }\n%s\n",
            server->port, server->folder, server->users == NULL ? "" : server->users);
    must(fclose(file) == 0, "writing the configuration");
}

static bool answers(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char byte;
    bool good = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
                recv(fd, &byte, 1, 0) == 1;
    close(fd);
    return good;
}

static void become_server(const struct server *server, const char *path)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    char log_path[128];
    snprintf(log_path, sizeof log_path, "%s/log", server->folder);
    int fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (fd >= 0) {
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
    }
    execl(server_binary(), "nats-server", "-c", path, (char *)NULL);
    _exit(127);
}

void server_start(struct server *server)
{
    char path[128];
    snprintf(path, sizeof path, "%s/nats.conf", server->folder);
    write_configuration(server, path);
    server->pid = fork();
    must(server->pid >= 0, "fork");
    if (server->pid == 0)
        become_server(server, path);
    int tries = 0;
    while (!answers(server->port) && tries++ < START_TRIES)
        usleep(20 * 1000);
    must(tries < START_TRIES, "starting");
}

void server_kill(struct server *server)
{
    if (server->pid == 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat;
    (void)type;
    (void)ftw;
    return remove(path);
}

void server_done(struct server *server)
{
    server_kill(server);
    nftw(server->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct creation {
    struct bus_request request;
    bool ended;
    bool created;
};

static bool on_created(struct bus_request *request, enum bus_outcome outcome,
                       const struct bus_message *message)
{
    struct creation *creation = container_of(request, struct creation, request);
    creation->ended = true;
    creation->created =
        outcome == BUS_ANSWER && memmem(message->data, message->size, "did_create", 10) != NULL;
    return false;
}

void server_create_stream(struct loop *loop, struct bus *bus, const char *name, const char *json)
{
    char subject[128];
    snprintf(subject, sizeof subject, "$JS.API.STREAM.CREATE.%s", name);
    struct creation creation = {.request.on_answer = on_created};
    for (int tries = 0; !creation.created && tries < STREAM_TRIES; tries++) {
        creation.ended = false;
        int error = bus_request(bus, &creation.request, subject, json, strlen(json), 2000);
        while (error == 0 && !creation.ended)
            must(loop_turn(loop, 10) == 0, "turning");
        if (!creation.created)
            must(loop_turn(loop, 50) == 0, "turning");
    }
    must(creation.created, "creating a stream");
}
