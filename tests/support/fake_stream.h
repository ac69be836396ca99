/* Answers direct gets on the stream FAKE in the place of JetStream, and does not answer all of
 * them: what a real server loses only in a bad network. It speaks the protocol of NATS by itself.
 */
#pragma once

#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct fake_stream {
    struct loop *loop;
    struct loop_io io;
    char input[16384];
    size_t input_size;
    uint64_t last;      /* it holds positions 1 to last */
    uint64_t lose[8];   /* answers that get lost, each once; 0: none */
    bool lose_end;      /* the end of the next batch gets lost */
    const char *status; /* answered instead of the next batch, once: "503 Busy" */
    int behind;         /* so many requests are answered as if nothing were there */
    int requests;       /* counted */
};

void fake_stream_open(struct fake_stream *fake, struct loop *loop, int port);
void fake_stream_close(struct fake_stream *fake);
