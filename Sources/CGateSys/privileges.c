#define _GNU_SOURCE
#include "CGateSys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int gate_harden_process(void) {
    struct rlimit none = {0, 0};
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return -1;
    return setrlimit(RLIMIT_CORE, &none);
}

static int has_one_thread(void) {
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks) return 0;
    int count = 0;
    for (struct dirent *entry; (entry = readdir(tasks));)
        if (entry->d_name[0] != '.') count++;
    closedir(tasks);
    return count == 1;
}

static int set_capabilities(uint32_t mask) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[2];
    memset(data, 0, sizeof data);
    data[0].effective = data[0].permitted = mask;
    return (int)syscall(SYS_capset, &header, data);
}

int gate_drop_privileges(uid_t uid, gid_t gid, const gid_t *groups, size_t group_count, int keep_kill) {
    if (keep_kill && !has_one_thread()) {
        errno = EBUSY;
        return -1;
    }
    if (setgroups(group_count, groups) != 0) return -1;
    if (setresgid(gid, gid, gid) != 0) return -1;
    if (keep_kill && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return -1;
    if (setresuid(uid, uid, uid) != 0) return -1;
    if (keep_kill) {
        if (set_capabilities(1u << CAP_KILL) != 0) return -1;
        if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0) return -1;
    }
    if (uid != 0 && (setresuid(0, 0, 0) == 0 || (gid != 0 && setresgid(0, 0, 0) == 0))) {
        errno = EPERM;
        return -1;
    }
    return 0;
}

int gate_lock_file(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
    if (fd < 0) return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int reason = errno;
        close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}
