#include "wan/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int attach(void)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    strcpy(request.ifr_name, WAN_DEVICE);
    int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (tun < 0)
        return -errno;
    if (ioctl(tun, TUNSETIFF, &request) == 0)
        return tun;
    int err = -errno;
    close(tun);
    return err;
}

/* With the namespace open as `there` and the way back as `here`. */
static int attach_there(int there, int here)
{
    if (setns(there, CLONE_NEWNET) != 0)
        return -errno;
    int tun = attach();
    if (setns(here, CLONE_NEWNET) == 0)
        return tun;
    int err = -errno;
    if (tun >= 0)
        close(tun);
    return err;
}

int wan_tun_open(const char *namespace_path, struct error_text *reterr_why)
{
    int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int there = here < 0 ? -1 : open(namespace_path, O_RDONLY | O_CLOEXEC);
    int tun = there < 0 ? -errno : attach_there(there, here);
    if (there >= 0)
        close(there);
    if (here >= 0)
        close(here);
    if (tun < 0)
        return error_text_set(reterr_why, tun, "cannot attach to " WAN_DEVICE " in %s: %s",
                              namespace_path, strerror(-tun));
    return tun;
}
