public import GateControl
import GateProcess
import Glibc

/// Who holds leased ports, as the kernel sees it.
public struct PortOwnership: Sendable {
    private let loginUID: UInt32

    public init(loginUID: UInt32) { self.loginUID = loginUID }

    /// Nil when the port is free. A trial bind decides, at the same cost however many sockets there are; only a held port is
    /// looked up in /proc.
    public func holder(_ address: String, _ port: Int) -> PortHolder? {
        guard !canBind(address, port) else { return nil }
        guard let number = UInt16(exactly: port) else { return nil }
        let owners = ListeningSocket.all(port: number).map(\.uid)
        if owners.isEmpty {
            // Held by something that doesn't listen: an outgoing connection whose own port this happens to be.
            return .stranger(uid: UInt32.max)
        }
        if let stranger = owners.first(where: { $0 != loginUID }) { return .stranger(uid: stranger) }
        return .ownSSHD
    }

    /// The ports that the login user's sshd listens on.
    public func listeningPorts() -> Set<Int> {
        Set(ListeningSocket.all().filter { $0.uid == loginUID }.map { Int($0.port) })
    }

    private func canBind(_ address: String, _ port: Int) -> Bool {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(address, String(port), &hints, &found) == 0, let info = found else { return false }
        defer { freeaddrinfo(found) }
        let descriptor = socket(info.pointee.ai_family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        return bind(descriptor, info.pointee.ai_addr, info.pointee.ai_addrlen) == 0
    }
}
