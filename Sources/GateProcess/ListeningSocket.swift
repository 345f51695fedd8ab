/// A TCP socket of this network namespace that listens, as /proc/net/tcp and /proc/net/tcp6 show it (proc(5)).
public struct ListeningSocket: Hashable, Sendable {
    /// Numeric: dotted IPv4, or IPv6 as eight groups of hexadecimal digits without abbreviation.
    public let address: String
    public let port: UInt16
    /// The owner of the socket; for an sshd forwarding the user that logged in.
    public let uid: UInt32
    public let inode: UInt64

    /// Everything that listens, on any address and port.
    public static func all() -> [ListeningSocket] {
        ["/proc/net/tcp", "/proc/net/tcp6"].flatMap { path in parse(ProcFile.read(path, limit: 64 << 20) ?? []) }
    }

    /// All that listen on the port, on any address.
    public static func all(port: UInt16) -> [ListeningSocket] { all().filter { $0.port == port } }

    /// The owner of what answers at an IPv4 address and port, be it bound to that address or to all; nil when nobody.
    public static func owner(address: String = "127.0.0.1", port: UInt16) -> UInt32? {
        let sockets = all(port: port)
        for candidate in [address, "0.0.0.0", "0:0:0:0:0:0:0:0"] {
            if let socket = sockets.first(where: { $0.address == candidate }) { return socket.uid }
        }
        return nil
    }

    package static func parse(_ table: [UInt8]) -> [ListeningSocket] {
        table.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 10)
            // 0A is TCP_LISTEN.
            guard fields.count >= 10, fields[3].elementsEqual("0A".utf8) else { return nil }
            let local = fields[1].split(separator: UInt8(ascii: ":"))
            guard local.count == 2, let address = address(fromHex: String(decoding: local[0], as: UTF8.self)),
                let port = UInt16(String(decoding: local[1], as: UTF8.self), radix: 16),
                let uid = UInt32(String(decoding: fields[7], as: UTF8.self)),
                let inode = UInt64(String(decoding: fields[9], as: UTF8.self))
            else { return nil }
            return ListeningSocket(address: address, port: port, uid: uid, inode: inode)
        }
    }

    /// The kernel prints each 32-bit word in the host's own byte order.
    private static func address(fromHex text: String) -> String? {
        guard text.count == 8 || text.count == 32 else { return nil }
        var bytes: [UInt8] = []
        var rest = text[...]
        while !rest.isEmpty {
            guard let word = UInt32(rest.prefix(8), radix: 16) else { return nil }
            withUnsafeBytes(of: word) { bytes += $0 }
            rest = rest.dropFirst(8)
        }
        if bytes.count == 4 { return bytes.map { "\($0)" }.joined(separator: ".") }
        return stride(from: 0, to: 16, by: 2)
            .map { String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16) }.joined(separator: ":")
    }
}
