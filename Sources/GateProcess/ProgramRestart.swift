import CGateSys
import Glibc

/// Starts this program again as another user.
public enum ProgramRestart {
    /// Replaces the process by a fresh run of its own program: same pid, same arguments, these variables, descriptors 0 to
    /// 2 and `keeping`, the account with its groups, at most CAP_NET_BIND_SERVICE (capabilities(7)), and no way to gain
    /// more.
    ///
    /// Returns only the error of what failed; the process must then end, because it may be half changed.
    public static func become(
        _ account: UserAccount, arguments: [String], environment: [String: String], keeping descriptors: [Int32]
    ) -> SystemError {
        var argv = arguments.map { strdup($0) } + [nil]
        var envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        let groups = account.groups
        _ = gate_exec_self_as(
            account.uid, account.gid, groups, groups.count, descriptors, descriptors.count, &argv, &envp)
        return SystemError("start again as \(account.name)")
    }

    /// After `become` the kernel calls the process `exe`: gives it its name back, at most 15 bytes, for ps(1) and top(1).
    public static func takeName(_ name: String) {
        let descriptor = open("/proc/self/comm", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = Array(name.utf8).withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        close(descriptor)
    }
}
