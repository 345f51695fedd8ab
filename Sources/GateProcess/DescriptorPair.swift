import CGateSys
import Glibc

/// Two connected descriptors, both close-on-exec; the caller closes them.
public struct DescriptorPair: Sendable {
    public let first: Int32
    public let second: Int32

    /// A pipe: what is written to `second` is read from `first`.
    public static func pipe() throws -> DescriptorPair {
        var ends: [Int32] = [0, 0]
        guard gate_pipe(&ends) == 0 else { throw SystemError("pipe2") }
        return DescriptorPair(first: ends[0], second: ends[1])
    }

    /// A socket pair that keeps message boundaries and carries descriptors (`DescriptorMessage`).
    public static func messages() throws -> DescriptorPair {
        var ends: [Int32] = [0, 0]
        let kind = Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw SystemError("socketpair") }
        return DescriptorPair(first: ends[0], second: ends[1])
    }

    public func close() {
        Glibc.close(first)
        Glibc.close(second)
    }
}

/// One message on a Unix socket, with up to two descriptors.
public struct DescriptorMessage: Sendable {
    public let bytes: [UInt8]
    /// On receipt these are ours to close, and close-on-exec.
    public let descriptors: [Int32]

    public init(bytes: [UInt8], descriptors: [Int32] = []) {
        self.bytes = bytes
        self.descriptors = descriptors
    }

    /// Sends the message; throws with EAGAIN when a non-blocking socket is full.
    public func send(on socket: Int32) throws {
        let sent = gate_send_message(socket, bytes, bytes.count, descriptors, descriptors.count)
        guard sent == bytes.count else { throw SystemError("sendmsg", code: sent < 0 ? errno : EMSGSIZE) }
    }

    /// Receives one message; nil when the other end was closed. A longer message, or one with more than two
    /// descriptors, is refused with EMSGSIZE.
    public static func receive(on socket: Int32, capacity: Int = 4096) throws -> DescriptorMessage? {
        var bytes = [UInt8](repeating: 0, count: capacity)
        var descriptors: [Int32] = [-1, -1]
        var count = 0
        let received = gate_receive_message(socket, &bytes, capacity, &descriptors, &count)
        guard received >= 0 else { throw SystemError("recvmsg") }
        if received == 0, count == 0 { return nil }
        return DescriptorMessage(bytes: Array(bytes.prefix(received)), descriptors: Array(descriptors.prefix(count)))
    }
}
