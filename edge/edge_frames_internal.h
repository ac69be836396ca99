/* What the files of frames share: each frame, and what answers it. */
#pragma once

#include "edge/edge_exchange_internal.h"
#include "edge/edge_v1_internal.h"

enum edge_slot_state {
    EDGE_SLOT_OVER,
    EDGE_SLOT_SENT,  /* outcomes are to come */
    EDGE_SLOT_HOME,  /* the home is not known yet */
    EDGE_SLOT_SHOWN, /* the owner is asked */
    EDGE_SLOT_PAGE,  /* so it is, for history */
};

struct edge_slot { /* a frame */
    struct edge_frames *frames;
    struct text text; /* of the body */
    struct buffer json;
    enum edge_slot_state state;
    size_t left; /* outcomes */
    struct edge_show show;
    char id[TEXT_MESSAGE_ID_MAX + 1]; /* of a send or of history */
    char of[TEXT_USER_MAX];
};

struct edge_frames {
    struct edge_exchange *exchange;
    struct homes_lookup lookup;
    size_t region;
    int64_t due_ms;
    int64_t find_ms; /* when the directory is to be asked again; 0: not */
    size_t count;
    size_t at; /* the slot that is written to; `count`: none */
    struct edge_slot slots[];
};

static inline struct edge_session *edge_frames_session(const struct edge_frames *frames)
{
    return frames->exchange->session;
}

/* edge_frames.c */
/* The directory is asked, again, after this time. */
void edge_frames_find_in(struct edge_frames *frames, int64_t delay_ms);
