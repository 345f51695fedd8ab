// System calls which Swift cannot make safely: what runs between vfork and exec, SCM_RIGHTS, capabilities.
// Every function returns 0 (or a count, or a descriptor), or -1 with errno set, unless it says otherwise.
#ifndef CGATESYS_H
#define CGATESYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/types.h>

// One descriptor of the child: `child` becomes a copy of the parent's `parent`.
struct gate_descriptor {
    int parent;
    int child;
};

struct gate_spawn_options {
    const struct gate_descriptor *descriptors;
    size_t descriptor_count;
    // A new session (and so a new process group), or, without it, a new process group alone.
    int new_session;
    int new_group;
    // Sent to the child when the *thread* that called gate_spawn ends; 0 for none (prctl(2), PR_SET_PDEATHSIG).
    int parent_death_signal;
    // Non-zero: setgroups(0), setresgid and setresuid before exec.
    int change_user;
    uid_t uid;
    gid_t gid;
    // NULL keeps the parent's folder.
    const char *directory;
    // Non-zero keeps the parent's RLIMIT_CORE; otherwise the child dumps no core.
    int allow_core;
};

// Starts `path` with exactly these arguments, environment and descriptors. 0, 1 and 2 are /dev/null unless given; every
// other descriptor is closed. Returns 0, or the errno of the step that failed, execve included.
int gate_spawn(const char *path, char *const argv[], char *const envp[], const struct gate_spawn_options *options,
               pid_t *out);

// A close-on-exec descriptor that becomes readable when the process ends (Linux 5.3).
int gate_pidfd_open(pid_t pid);

// pipe2(2) with O_CLOEXEC: `ends[1]` is written, `ends[0]` read.
int gate_pipe(int ends[2]);

// A close-on-exec file without a name, memfd_create(2), that holds these bytes and is read from its start.
int gate_memory_file(const void *bytes, size_t length);

// SO_PEERCRED of a connected Unix socket: who made the other end.
int gate_peer_credentials(int fd, pid_t *pid, uid_t *uid, gid_t *gid);

// One message with at most GATE_MESSAGE_DESCRIPTORS descriptors on a Unix socket; never raises SIGPIPE.
#define GATE_MESSAGE_DESCRIPTORS 2
ssize_t gate_send_message(int socket, const void *bytes, size_t length, const int *fds, size_t fd_count);
// `fds` has room for GATE_MESSAGE_DESCRIPTORS; received ones are close-on-exec. A message that does not fit whole is
// refused with EMSGSIZE and its descriptors are closed.
ssize_t gate_receive_message(int socket, void *bytes, size_t capacity, int *fds, size_t *fd_count);

// PR_SET_DUMPABLE 0 and RLIMIT_CORE 0.
int gate_harden_process(void);

// Blocks of 1 MiB and more are mapped and unmapped one by one (mallopt(3)); otherwise the first one that is freed makes
// glibc keep later ones for good. Returns 0, or -1 when the C library refuses.
int gate_unmap_large_blocks(void);

// Becomes another user for good. With `keep_kill` the process keeps CAP_KILL and nothing else, and must still have one
// thread (EBUSY otherwise), because Linux keeps capabilities per thread. EPERM when root could be had back.
int gate_drop_privileges(uid_t uid, gid_t gid, const gid_t *groups, size_t group_count, int keep_kill);

// Starts this very program again (/proc/self/exe) as another user, in this process: same pid. It keeps descriptors 0 to 2
// and those named, CAP_NET_BIND_SERVICE where it had it, and can never gain more (PR_SET_NO_NEW_PRIVS). Returns only when
// that failed; the calling thread may have changed its user by then, so the process has to end.
int gate_exec_self_as(uid_t uid, gid_t gid, const gid_t *groups, size_t group_count, const int *kept,
                      size_t kept_count, char *const argv[], char *const envp[]);

// What a name in a folder stands for, a symbolic link itself included, held without opening it (O_PATH); and its owner
// changed through that, so that no exchange of the name in between can matter.
int gate_open_entry(int folder, const char *name);
int gate_change_owner(int entry, uid_t uid, gid_t gid);

// flock LOCK_EX | LOCK_NB on a file made with mode 0600, never through a symbolic link: the descriptor that holds the
// lock, or -1 with EWOULDBLOCK when another process holds it.
int gate_lock_file(const char *path);

#endif
