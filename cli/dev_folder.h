/* The data folder of a cluster on this machine, and what is written down in it:
 *
 *     lock             held by the supervisor as long as it lives
 *     catalogue.yaml   what it was started with
 *     processes        one line a process: kind region name pid address path
 *     nats/NAME.conf, nats/NAME/, hub/NAME/, log/NAME.log */
#pragma once

#include "base/buffer.h"
#include "base/error_text.h"
#include "base/macros.h"
#include "base/text.h"
#include "cli/supervisor.h"

#include <limits.h>
#include <sys/types.h>

struct cli_path {
    char text[PATH_MAX];
};

/* `chosen`, or when that is NULL where the state of this user's programs belongs (XDG_STATE_HOME).
 * Absolute; it need not be there. */
MUST_USE int cli_dev_folder(const char *chosen, struct cli_path *ret_folder,
                            struct error_text *reterr_why);
/* folder/what, where `what` is made like printf's. Cut when it is too long. */
struct cli_path cli_path_of(const char *folder, const char *what, ...) PRINTF_LIKE(2, 3);
/* Makes the folder and those above. -errno. */
MUST_USE int cli_make_folders(const char *path);
/* Writes a file aside and puts it in place. -errno. */
MUST_USE int cli_write_file(const char *path, struct text content);
/* Appends the file's content. -errno. */
MUST_USE int cli_read_file(const char *path, struct buffer *out);

/* Takes the lock for this process, until it ends. -EBUSY: another one holds it. -errno. */
MUST_USE int cli_dev_lock(const char *folder);
/* The process that holds it; 0: none. */
pid_t cli_dev_lock_holder(const char *folder);

MUST_USE int cli_dev_write_processes(const char *folder, const struct cli_child *children,
                                     size_t count);
struct cli_dev_process {
    char kind[8];
    char region[TEXT_REGION_MAX + 1];
    char name[TEXT_PROCESS_MAX + 1];
    long pid;
    char address[300];
    char path[16];
};
/* Reads the next line of `rest`; false at the end, or at a line it cannot read. */
bool cli_dev_next_process(struct text *rest, struct cli_dev_process *ret_process);
