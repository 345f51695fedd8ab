import Glibc

/// Tells systemd how the service does, over NOTIFY_SOCKET (sd_notify(3)).
public struct SystemdNotify: Sendable {
    private let socketPath: String

    /// Nil when no service supervisor asked to be told.
    public init?(environment: (String) -> String? = { getenv($0).map { String(cString: $0) } }) {
        guard let path = environment("NOTIFY_SOCKET"), path.hasPrefix("/") || path.hasPrefix("@"),
            path.utf8.count < 108
        else { return nil }
        socketPath = path
    }

    /// How often the supervisor wants `watchdog()`: half of WATCHDOG_USEC, as sd_watchdog_enabled(3) advises; nil when
    /// it does not, or when it means another process.
    public static func watchdogInterval(
        environment: (String) -> String? = { getenv($0).map { String(cString: $0) } }
    ) -> Duration? {
        guard let text = environment("WATCHDOG_USEC"), let microseconds = Int64(text), microseconds > 0 else {
            return nil
        }
        if let pid = environment("WATCHDOG_PID"), Int32(pid) != getpid() { return nil }
        return .microseconds(max(microseconds / 2, 1))
    }

    @discardableResult
    public func ready(status: String? = nil) -> Bool {
        send(["READY=1"] + (status.map { ["STATUS=" + Self.line($0)] } ?? []))
    }

    @discardableResult
    public func stopping() -> Bool { send(["STOPPING=1"]) }

    @discardableResult
    public func watchdog() -> Bool { send(["WATCHDOG=1"]) }

    @discardableResult
    public func status(_ text: String) -> Bool { send(["STATUS=" + Self.line(text)]) }

    /// Say `ready()` when the reload is done.
    @discardableResult
    public func reloading() -> Bool {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return send(["RELOADING=1", "MONOTONIC_USEC=\(Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000)"])
    }

    /// A line break would begin another assignment.
    private static func line(_ text: String) -> String {
        String(text.map { $0.isNewline ? " " : $0 })
    }

    private func send(_ lines: [String]) -> Bool {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var (address, length) = UnixSocketAddress.make(socketPath)
        let message = Array(lines.joined(separator: "\n").utf8)
        let flags = Int32(MSG_NOSIGNAL | MSG_DONTWAIT)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, message, message.count, flags, $0, length) == message.count
            }
        }
    }
}

enum UnixSocketAddress {
    /// `@name` is a name in the abstract namespace (unix(7)), whose length counts: no NUL at its end.
    static func make(_ path: String) -> (sockaddr_un, socklen_t) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let isAbstract = path.hasPrefix("@")
        let bytes = isAbstract ? [0] + Array(path.utf8.dropFirst()) : Array(path.utf8)
        let used = min(bytes.count, MemoryLayout.size(ofValue: address.sun_path) - 1)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes.prefix(used)) }
        let header = MemoryLayout<sa_family_t>.size
        return (address, socklen_t(header + used + (isAbstract ? 0 : 1)))
    }
}
