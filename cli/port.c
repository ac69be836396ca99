#include "cli/port.h"

#include "settings/address.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OWNER_MAX = 96, LISTENING = 0x0A /* TCP_LISTEN in /proc/net/tcp */ };

static int resolve(const char *address, struct addrinfo **ret_found)
{
    struct settings_address parsed;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    char port[8];

    if (settings_address_parse(text_of(address), &parsed) < 0)
        return -EINVAL;
    snprintf(port, sizeof port, "%u", parsed.port);
    return getaddrinfo(parsed.host, port, &hints, ret_found) == 0 ? 0 : -EADDRNOTAVAIL;
}

static int try_bind(const struct addrinfo *at)
{
    int on = 1, err = 0;
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    /* As servers do: connections that are closing do not count, listeners do. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, 1) < 0)
        err = -errno;
    close(fd);
    return err;
}

/* The inode of the socket that listens on the port, at this IPv4 address or at all; 0: none. */
static unsigned long listening_inode(uint32_t address, unsigned port)
{
    FILE *file = fopen("/proc/net/tcp", "re");
    unsigned long found = 0;
    char line[256];

    while (file != NULL && found == 0 && fgets(line, sizeof line, file) != NULL) {
        unsigned local, local_port, state;
        unsigned long inode;
        if (sscanf(line, " %*u: %8X:%4X %*8X:%*4X %2X %*s %*s %*s %*u %*u %lu", &local, &local_port,
                   &state, &inode) != 4)
            continue;
        if (state == LISTENING && local_port == port && (local == address || local == 0))
            found = inode;
    }
    if (file != NULL)
        fclose(file);
    return found;
}

static bool holds_socket(const char *pid, unsigned long inode)
{
    char path[300], link[64], wanted[64];
    bool found = false;

    snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
    snprintf(path, sizeof path, "/proc/%s/fd", pid);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder != NULL && !found && (entry = readdir(folder)) != NULL;) {
        snprintf(path, sizeof path, "/proc/%s/fd/%.32s", pid, entry->d_name);
        ssize_t size = readlink(path, link, sizeof link - 1);
        if (size > 0) {
            link[size] = '\0';
            found = strcmp(link, wanted) == 0;
        }
    }
    if (folder != NULL)
        closedir(folder);
    return found;
}

static void name_process(const char *pid, char ret_owner[OWNER_MAX])
{
    char path[300], name[64] = "";
    snprintf(path, sizeof path, "/proc/%s/comm", pid);
    FILE *file = fopen(path, "re");

    if (file != NULL && fgets(name, sizeof name, file) != NULL)
        name[strcspn(name, "\n")] = '\0';
    if (file != NULL)
        fclose(file);
    snprintf(ret_owner, OWNER_MAX, "%s (process %.16s)", name, pid);
}

static void find_owner(const struct addrinfo *at, char ret_owner[OWNER_MAX])
{
    snprintf(ret_owner, OWNER_MAX, "another process");
    if (at->ai_family != AF_INET)
        return;
    struct sockaddr_in address;
    memcpy(&address, at->ai_addr, sizeof address);
    unsigned long inode = listening_inode(address.sin_addr.s_addr, ntohs(address.sin_port));
    DIR *processes = inode == 0 ? NULL : opendir("/proc");
    for (struct dirent *entry; processes != NULL && (entry = readdir(processes)) != NULL;) {
        if (isdigit((unsigned char)entry->d_name[0]) && holds_socket(entry->d_name, inode)) {
            name_process(entry->d_name, ret_owner);
            break;
        }
    }
    if (processes != NULL)
        closedir(processes);
}

int cli_port_check(const char *address, struct error_text *reterr_why)
{
    struct addrinfo *at;
    char owner[OWNER_MAX];
    int err = resolve(address, &at);

    if (err < 0)
        return error_text_set(reterr_why, err, "%s is not an address to listen at", address);
    err = try_bind(at);
    if (err == -EADDRINUSE) {
        find_owner(at, owner);
        error_text_set(reterr_why, err, "%s is taken by %s", address, owner);
    } else if (err < 0) {
        error_text_set(reterr_why, err, "cannot listen at %s: %s", address, strerror(-err));
    }
    freeaddrinfo(at);
    return err;
}
