import Glibc

enum Output {
    /// False when the text could not be written whole.
    @discardableResult
    static func write(_ text: String, to descriptor: Int32) -> Bool {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}

/// sshd throws our standard error away, so words go to the system's log.
///
/// Not syslog(3), which waits when the daemon's queue is full.
enum Syslog {
    static func warn(_ message: String) {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var address = UnixAddress.make("/dev/log")
        // LOG_AUTH (4), LOG_WARNING (4): the number is 8 × facility + level (RFC 3164, 4.1.1).
        let line = Array("<36>tidegate-keys[\(getpid())]: \(message)".utf8)
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = sendto(
                    descriptor, line, line.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT), $0,
                    socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
