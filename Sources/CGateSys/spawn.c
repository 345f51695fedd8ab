#define _GNU_SOURCE
#include "CGateSys.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// What the child needs, laid out before vfork: it shares our memory and may allocate nothing.
struct plan {
    const char *path;
    char *const *argv;
    char *const *envp;
    const struct gate_spawn_options *options;
    // Sorted by child descriptor; `parent` is -1 for /dev/null.
    struct gate_descriptor *map;
    size_t count;
    pid_t parent;
    volatile int error;
};

static int by_child(const void *a, const void *b) {
    const struct gate_descriptor *x = a, *y = b;
    return (x->child > y->child) - (x->child < y->child);
}

static void close_between(unsigned first, unsigned last) {
    if (first > last) return;
#ifdef SYS_close_range
    if (syscall(SYS_close_range, first, last, 0u) == 0) return;
#endif
    // Before Linux 5.9.
    struct rlimit limit;
    unsigned end = 65536;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < (1u << 20)) end = (unsigned)limit.rlim_cur;
    if (last < end) end = last + 1;
    for (unsigned fd = first; fd < end; fd++) close((int)fd);
}

// Copies all sources out of the way first, so that a map such as {0: 1, 1: 0} cannot overwrite one it still needs.
static int lay_descriptors(struct plan *plan) {
    int top = plan->map[plan->count - 1].child;
    for (size_t i = 0; i < plan->count; i++) {
        int source = plan->map[i].parent;
        int owned = source < 0;
        if (owned && (source = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0) return -1;
        int copy = fcntl(source, F_DUPFD_CLOEXEC, top + 1);
        if (copy < 0) return -1;
        if (owned) close(source);
        plan->map[i].parent = copy;
    }
    for (size_t i = 0; i < plan->count; i++)
        if (dup2(plan->map[i].parent, plan->map[i].child) < 0) return -1;
    unsigned next = 0;
    for (size_t i = 0; i < plan->count; i++) {
        unsigned child = (unsigned)plan->map[i].child;
        if (child > next) close_between(next, child - 1);
        next = child + 1;
    }
    close_between(next, ~0u);
    return 0;
}

// The libc wrappers of the set*id family signal all threads of the process, and here those are the parent's: raw calls.
static int change_user(const struct gate_spawn_options *options) {
    if (syscall(SYS_setgroups, 0, NULL) != 0) return -1;
    if (syscall(SYS_setresgid, options->gid, options->gid, options->gid) != 0) return -1;
    if (syscall(SYS_setresuid, options->uid, options->uid, options->uid) != 0) return -1;
    return 0;
}

static int prepare(struct plan *plan) {
    const struct gate_spawn_options *options = plan->options;
    if (options->new_session) {
        if (setsid() < 0) return -1;
    } else if (options->new_group && setpgid(0, 0) < 0) {
        return -1;
    }
    if (!options->allow_core) {
        struct rlimit none = {0, 0};
        if (setrlimit(RLIMIT_CORE, &none) != 0) return -1;
    }
    if (options->directory && chdir(options->directory) != 0) return -1;
    if (lay_descriptors(plan) != 0) return -1;
    if (options->change_user && change_user(options) != 0) return -1;
    if (options->parent_death_signal) {
        // After the change of user, which clears it (prctl(2)).
        if (prctl(PR_SET_PDEATHSIG, options->parent_death_signal) != 0) return -1;
        // The parent may have ended before the line above.
        if (getppid() != plan->parent) {
            errno = ESRCH;
            return -1;
        }
    }
    // Ours would run in the parent's memory; handlers are replaced while every signal is still blocked.
    // The kernel's own call, because libc keeps 32 and 33 to itself and an ignored one would be inherited for ever; all
    // zero is SIG_DFL with no flags, on every architecture.
    const unsigned long standard[8] = {0};
    for (int number = 1; number < NSIG; number++)
        if (number != SIGKILL && number != SIGSTOP) (void)syscall(SYS_rt_sigaction, number, standard, NULL, 8ul);
    sigset_t none;
    sigemptyset(&none);
    return sigprocmask(SIG_SETMASK, &none, NULL);
}

__attribute__((noinline, noreturn)) static void run_child(struct plan *plan) {
    if (prepare(plan) == 0) execve(plan->path, plan->argv, plan->envp);
    // The parent sleeps until we are gone and then reads this: vfork shares memory, so no pipe is needed.
    plan->error = errno ? errno : EIO;
    _exit(127);
}

__attribute__((noinline)) static pid_t start(struct plan *plan) {
    pid_t pid = vfork();
    if (pid == 0) run_child(plan);
    return pid;
}

int gate_spawn(const char *path, char *const argv[], char *const envp[], const struct gate_spawn_options *options,
               pid_t *out) {
    struct plan plan = {.path = path, .argv = argv, .envp = envp, .options = options, .parent = getpid()};
    plan.map = calloc(options->descriptor_count + 3, sizeof *plan.map);
    if (!plan.map) return ENOMEM;
    int standard[3] = {0, 0, 0};
    int result = 0;
    for (size_t i = 0; i < options->descriptor_count && result == 0; i++) {
        plan.map[plan.count] = options->descriptors[i];
        if (plan.map[plan.count].child < 0 || plan.map[plan.count].parent < 0) result = EBADF;
        else if (plan.map[plan.count].child < 3) standard[plan.map[plan.count].child] = 1;
        plan.count++;
    }
    for (int fd = 0; fd < 3; fd++)
        if (!standard[fd]) plan.map[plan.count++] = (struct gate_descriptor){.parent = -1, .child = fd};
    qsort(plan.map, plan.count, sizeof *plan.map, by_child);
    for (size_t i = 1; i < plan.count && result == 0; i++)
        if (plan.map[i].child == plan.map[i - 1].child) result = EINVAL;

    if (result == 0) {
        sigset_t all, before;
        sigfillset(&all);
        int cancel;
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        pid_t pid = start(&plan);
        int failure = pid < 0 ? errno : plan.error;
        if (pid > 0 && failure != 0) {
            siginfo_t info;
            // Not a child for anybody else: it never ran.
            while (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0 && errno == EINTR) {}
        }
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_setcancelstate(cancel, NULL);
        result = failure;
        if (failure == 0) *out = pid;
    }
    free(plan.map);
    return result;
}

int gate_pidfd_open(pid_t pid) {
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, pid, 0u);
#else
    (void)pid;
    errno = ENOSYS;
    return -1;
#endif
}

int gate_pipe(int ends[2]) {
    return pipe2(ends, O_CLOEXEC);
}

int gate_memory_file(const void *bytes, size_t length) {
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0) return -1;
    size_t done = 0;
    while (done < length) {
        ssize_t count = write(fd, (const char *)bytes + done, length - done);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        done += (size_t)count;
    }
    if (done < length || lseek(fd, 0, SEEK_SET) < 0) {
        int reason = errno;
        close(fd);
        errno = reason ? reason : EIO;
        return -1;
    }
    return fd;
}
