import CGateSys
import Glibc

/// Keeps a process's memory from its neighbours.
public enum ProcessHardening {
    /// No core dumps, and no ptrace or /proc/PID/mem for other processes of the same user.
    public static func apply() throws {
        guard gate_harden_process() == 0 else { throw SystemError("PR_SET_DUMPABLE") }
    }
}

/// Secrets handed over in the environment.
public enum SecretEnvironment {
    /// Reads the variable and removes it, so that no child inherits it; nil when unset. Call it while there is one
    /// thread: setenv(3) and getenv(3) do not mix across threads.
    public static func take(_ name: String) -> String? {
        guard let value = getenv(name) else { return nil }
        let text = String(cString: value)
        // /proc/PID/environ shows the original bytes, which unsetenv leaves where they are.
        memset(value, 0, strlen(value))
        unsetenv(name)
        return text
    }
}
