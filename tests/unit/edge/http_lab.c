#include "http_lab.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    at.sin_port = htons(port);
    return at;
}

void lab_choose_address(struct http_lab *lab)
{
    struct sockaddr_in at = loopback(0);
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    close(fd);
    snprintf(lab->address, sizeof lab->address, "127.0.0.1:%d", ntohs(at.sin_port));
}

static void on_nothing(struct loop_later *later)
{
    (void)later;
}

void lab_turns(struct http_lab *lab, int count)
{
    static struct loop_later nothing = {.on_later = on_nothing};
    for (int i = 0; i < count; i++) {
        loop_later(lab->loop, &nothing); /* work is due: the turn does not sleep */
        edge_http_turn(lab->http);
    }
}

int client_connect(struct http_lab *lab)
{
    struct sockaddr_in at = loopback((uint16_t)atoi(strchr(lab->address, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

void client_say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

const char *client_hear(struct http_lab *lab, int fd)
{
    static char text[8192];
    size_t all = 0;
    for (int i = 0; i < 200 && all == 0; i++) {
        lab_turns(lab, 5);
        ssize_t size = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
        all = size > 0 ? (size_t)size : 0;
    }
    text[all] = '\0';
    return text;
}

void client_expect(struct http_lab *lab, int fd, const char *first, const char *second)
{
    const char *heard = client_hear(lab, fd);
    if (strstr(heard, first) == NULL || strstr(heard, second) == NULL)
        fail_msg("expected %s and %s in: %s", first, second, heard);
}
