/* The last checkpoint of a shard on this hub's disk: <region>-<shard>.ckpt beside the view. It is
 * written and checked by a thread of its own, so that the shard's is not held up; written beside
 * and renamed, so it is whole or not there.
 *
 * The file: u32 size of what follows, the `done` that goes behind its parts (lib/wire), the
 * bytes. */
#pragma once

#include "base/buffer.h"
#include "base/macros.h"
#include "loop/loop.h"
#include "wire/checkpoint.h"

#include <stdbool.h>
#include <sys/types.h>

struct hub_checkpoint_file; /* opaque */

struct hub_checkpoint_file_settings {
    struct loop *loop;
    const char *path; /* borrowed for its life */
    void *context;
    /* A file that is whole is there; or (err) it is not, because of the disk. */
    void (*on_ready)(void *context, int err, uint64_t position);
};
/* Looks at once, in its thread, what is there. NULL when memory is short. */
MUST_USE struct hub_checkpoint_file *
hub_checkpoint_file_new(const struct hub_checkpoint_file_settings *settings);
/* Waits for its thread. NULL is fine. */
void hub_checkpoint_file_free(struct hub_checkpoint_file *file);

/* A checkpoint as it is to be kept. */
struct hub_checkpoint_bytes {
    struct buffer bytes;
    uint64_t position;
    uint8_t incarnation[16];
};
/* Takes `what`: its memory is the file's from here on. The `done` names the segments that the
 * bytes, a saved state of mailboxes, refer to. One that waits for its turn is dropped for
 * a later one. -ENOMEM: it is dropped. */
MUST_USE int hub_checkpoint_file_write(struct hub_checkpoint_file *file,
                                       struct hub_checkpoint_bytes *what);
/* The position of the checkpoint that is there whole, 0: none. */
uint64_t hub_checkpoint_file_position(const struct hub_checkpoint_file *file);
bool hub_checkpoint_file_is_busy(const struct hub_checkpoint_file *file);

/* Opens what is there: the bytes begin at `ret_offset`, `done` is filled. The caller closes it.
 * -ENOENT, -EBADMSG, -EIO. */
MUST_USE int hub_checkpoint_file_open(const char *path, struct buffer *done, int *ret_fd,
                                      off_t *ret_offset);
