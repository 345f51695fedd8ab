import Glibc

/// A TCP listener of our own, as a plain descriptor: accepted sockets become an sshd's standard input.
final class ListeningPort: Sendable {
    struct Fault: Error, CustomStringConvertible {
        let description: String
    }

    let descriptor: Int32
    let port: Int

    /// Binds a literal address. Throws words that name address and reason.
    init(host: String, port: Int) throws {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &found) == 0, let info = found else {
            throw Fault(description: "--ssh-listen: \(host) is not a literal address")
        }
        defer { freeaddrinfo(found) }
        let descriptor = socket(
            info.pointee.ai_family,
            Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else {
            throw Fault(description: "--ssh-listen: no socket: \(String(cString: strerror(errno)))")
        }
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard bind(descriptor, info.pointee.ai_addr, info.pointee.ai_addrlen) == 0, listen(descriptor, 1_024) == 0
        else {
            let reason = String(cString: strerror(errno))
            close(descriptor)
            throw Fault(description: "--ssh-listen \(host):\(port): \(reason)")
        }
        self.descriptor = descriptor
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        _ = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        self.port = Self.endpoint(of: address).port
    }

    /// The next connection and where it comes from; nil when there is none now.
    func accept() -> (descriptor: Int32, source: String)? {
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let accepted = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                // A child started at this very moment can't inherit it: spawning closes everything it isn't given.
                Glibc.accept(descriptor, $0, &length)
            }
        }
        guard accepted >= 0 else { return nil }
        _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
        return (accepted, Self.endpoint(of: address).host)
    }

    private static func endpoint(of address: sockaddr_storage) -> (host: String, port: Int) {
        var address = address
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var service = [CChar](repeating: 0, count: 32)
        let length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getnameinfo(
                    $0, length, &host, socklen_t(host.count), &service, socklen_t(service.count),
                    NI_NUMERICHOST | NI_NUMERICSERV)
            }
        }
        guard result == 0 else { return ("unknown", 0) }
        func text(_ characters: [CChar]) -> String {
            String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        let name = text(host)
        return (name.hasPrefix("::ffff:") ? String(name.dropFirst(7)) : name, Int(text(service)) ?? 0)
    }
}
