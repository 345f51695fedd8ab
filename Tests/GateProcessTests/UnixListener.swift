import GateProcess
import Glibc
import Synchronization

/// A Unix socket of a test, with a body for each connection.
final class UnixListener: Sendable {
    let path: String
    let descriptor: Int32
    private let received = Mutex<[UInt8]>([])

    /// Without a body nothing is ever accepted.
    init(path: String, backlog: Int32 = 16, serve: (@Sendable (Int32) -> Void)? = nil) throws {
        self.path = path
        descriptor = try Self.bind(path, kind: Int32(SOCK_STREAM.rawValue))
        guard listen(descriptor, backlog) == 0 else { throw SystemError("listen") }
        guard let serve else { return }
        onThread { [descriptor] in
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else { return }
                onThread {
                    self.readRequest(connection)
                    serve(connection)
                    close(connection)
                }
            }
        }
    }

    deinit { close(descriptor) }

    /// Ends the thread that accepts.
    func stop() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// All that the clients sent.
    var request: String { received.withLock { text($0) } }

    private func readRequest(_ connection: Int32) {
        var byte: UInt8 = 0
        while read(connection, &byte, 1) == 1 {
            received.withLock { $0.append(byte) }
            if byte == UInt8(ascii: "\n") { return }
        }
    }

    static func bind(_ path: String, kind: Int32) throws -> Int32 {
        let descriptor = socket(AF_UNIX, kind | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard call(Glibc.bind, descriptor, path) == 0 else { throw SystemError("bind") }
        return descriptor
    }

    /// One more connection that waits to be accepted; false when the queue is full.
    static func fillQueue(of path: String) -> Int32? {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, kind, 0)
        if call(Glibc.connect, descriptor, path) == 0 { return descriptor }
        close(descriptor)
        return nil
    }

    private static func call(
        _ function: (Int32, UnsafePointer<sockaddr>?, socklen_t) -> Int32, _ descriptor: Int32, _ path: String
    ) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let isAbstract = path.hasPrefix("@")
        let bytes = isAbstract ? [0] + Array(path.utf8.dropFirst()) : Array(path.utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count + (isAbstract ? 0 : 1))
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { function(descriptor, $0, length) }
        }
    }
}
