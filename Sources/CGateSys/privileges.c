#define _GNU_SOURCE
#include "CGateSys.h"

#include <malloc.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int gate_unmap_large_blocks(void) {
    return mallopt(M_MMAP_THRESHOLD, 1 << 20) == 1 && mallopt(M_TRIM_THRESHOLD, 1 << 20) == 1 ? 0 : -1;
}

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

int gate_open_entry(int folder, const char *name) {
    return openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

int gate_change_owner(int entry, uid_t uid, gid_t gid) {
    return fchownat(entry, "", uid, gid, AT_EMPTY_PATH);
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

// Closes everything but 0, 1, 2 and what is named at the exec that follows.
static int keep_descriptors(const int *kept, size_t count) {
#ifdef SYS_close_range
    // Linux before 5.11 lacks it: there each descriptor's own close-on-exec has to do.
    (void)syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */);
#endif
    for (size_t i = 0; i < count; i++)
        if (fcntl(kept[i], F_SETFD, 0) != 0) return -1;
    return 0;
}

int gate_exec_self_as(uid_t uid, gid_t gid, const gid_t *groups, size_t group_count, const int *kept,
                      size_t kept_count, char *const argv[], char *const envp[]) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[2];
    memset(data, 0, sizeof data);
    if (keep_descriptors(kept, kept_count) != 0) return -1;
    if (syscall(SYS_capget, &header, data) != 0) return -1;
    // A container may withhold even this one; then ports below 1024 are not to be had, and bind(2) says so.
    uint32_t wanted = data[0].permitted & (1u << CAP_NET_BIND_SERVICE);
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return -1;
    // Raw calls change this thread alone; the others still are root's, and are gone at the exec.
    if (syscall(SYS_setgroups, group_count, groups) != 0) return -1;
    if (syscall(SYS_setresgid, gid, gid, gid) != 0) return -1;
    if (syscall(SYS_setresuid, uid, uid, uid) != 0) return -1;
    memset(data, 0, sizeof data);
    data[0].effective = data[0].permitted = data[0].inheritable = wanted;
    if (syscall(SYS_capset, &header, data) != 0) return -1;
    if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0) return -1;
    if (wanted && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0) != 0) return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
    if (syscall(SYS_setresuid, 0, 0, 0) == 0 || syscall(SYS_setresgid, 0, 0, 0) == 0) {
        errno = EPERM;
        return -1;
    }
    // The calling thread's mask survives the exec, and pool threads block nearly everything.
    sigset_t none;
    sigemptyset(&none);
    if (pthread_sigmask(SIG_SETMASK, &none, NULL) != 0) return -1;
    execve("/proc/self/exe", argv, envp);
    return -1;
}
