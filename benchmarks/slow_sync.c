/* LD_PRELOAD: every fsync and fdatasync takes at least SLOW_SYNC_US microseconds, as on a disk that has no faster way to
 * make a write durable. The real one is called first, so nothing is less safe than without. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

static int slowly(const char *name, int fd)
{
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    if (!real) {
        errno = ENOSYS;
        return -1;
    }
    int result = real(fd), reason = errno;
    const char *text = getenv("SLOW_SYNC_US");
    due.tv_nsec += 1000 * (text ? atol(text) : 0);
    due.tv_sec += due.tv_nsec / 1000000000;
    due.tv_nsec %= 1000000000;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR) {
    }
    errno = reason;
    return result;
}

int fsync(int fd)
{
    return slowly("fsync", fd);
}

int fdatasync(int fd)
{
    return slowly("fdatasync", fd);
}
