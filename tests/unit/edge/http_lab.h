/* An edge's HTTP on a free loopback port, and its clients, all on the test's thread. */
#pragma once

#include "edge/edge_http.h"
#include "loop/loop.h"

struct http_lab {
    struct loop *loop;
    struct edge_http *http;
    char address[32];
};

void lab_choose_address(struct http_lab *lab);
/* Turns without sleeping. */
void lab_turns(struct http_lab *lab, int count);

int client_connect(struct http_lab *lab);
void client_say(int fd, const char *text);
/* What has come after some turns, good until the next call; empty when nothing has. */
const char *client_hear(struct http_lab *lab, int fd);
/* Fails the test unless what is heard has both parts. */
void client_expect(struct http_lab *lab, int fd, const char *first, const char *second);
