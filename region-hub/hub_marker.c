#include "region-hub/hub_marker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ENDS_MAX = 2 };

struct marks {
    uint64_t inside;   /* the position that is being applied; 0: none */
    uint64_t ended_at; /* where the process has ended */
    uint64_t ends;     /* how often, one after another */
};

struct hub_marker {
    volatile struct marks *marks; /* each store must reach the file's pages */
};

int hub_marker_open(const char *path, struct hub_marker **ret_marker)
{
    struct hub_marker *marker = calloc(1, sizeof *marker);
    if (marker == NULL)
        return -ENOMEM;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void *mapped = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, sizeof(struct marks)) == 0)
        mapped = mmap(NULL, sizeof(struct marks), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int err = errno;
    if (fd >= 0)
        close(fd);
    if (mapped == MAP_FAILED) {
        free(marker);
        return -err;
    }
    marker->marks = mapped;
    if (marker->marks->inside != 0) {
        bool again = marker->marks->inside == marker->marks->ended_at;
        marker->marks->ends = again ? marker->marks->ends + 1 : 1;
        marker->marks->ended_at = marker->marks->inside;
        marker->marks->inside = 0;
    }
    *ret_marker = marker;
    return 0;
}

void hub_marker_close(struct hub_marker *marker)
{
    if (marker == NULL)
        return;
    munmap((void *)(uintptr_t)marker->marks, sizeof(struct marks));
    free(marker);
}

bool hub_marker_enter(struct hub_marker *marker, uint64_t position)
{
    if (marker->marks->ended_at == position && marker->marks->ends >= ENDS_MAX)
        return false;
    marker->marks->inside = position;
    return true;
}

void hub_marker_leave(struct hub_marker *marker, uint64_t position)
{
    marker->marks->inside = 0;
    if (marker->marks->ended_at == position)
        marker->marks->ended_at = marker->marks->ends = 0;
}
