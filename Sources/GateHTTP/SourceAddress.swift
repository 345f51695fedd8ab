import Glibc
import NIOCore

/// A block of addresses, `10.0.0.0/8` or `fd00::/8`; a bare address is a block of one.
public struct AddressBlock: Sendable, Equatable {
    private let bytes: [UInt8]
    private let bits: Int

    /// Nil unless the text is a literal address with an optional prefix length in range.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let bytes = addressBytes(String(parts[0])) else { return nil }
        self.bytes = bytes
        guard parts.count == 2 else {
            bits = bytes.count * 8
            return
        }
        guard let bits = Int(parts[1]), (0...bytes.count * 8).contains(bits) else { return nil }
        self.bits = bits
    }

    public func contains(_ address: String) -> Bool {
        guard let other = addressBytes(address), other.count == bytes.count else { return false }
        for index in 0..<bits where (bytes[index / 8] ^ other[index / 8]) & (0x80 >> UInt8(index % 8)) != 0 {
            return false
        }
        return true
    }
}

/// Who really asks: the peer, or what a trusted proxy says of it.
public struct SourceAddress: Sendable {
    private let trusted: [AddressBlock]

    public init(trusted: [AddressBlock]) { self.trusted = trusted }

    /// Walks `X-Forwarded-For` from the right, past trusted proxies; the first other address counts. Text that isn't an
    /// address ends the walk: whoever wrote it isn't one of ours.
    func resolve(peer: SocketAddress?, forwardedFor: [String]) -> String {
        guard let peer = peer?.ipAddress.map(plainAddress) else { return "local" }
        guard trusted.contains(where: { $0.contains(peer) }) else { return peer }
        var source = peer
        for entry in forwardedFor.joined(separator: ",").split(separator: ",").reversed().prefix(16) {
            let address = plainAddress(String(entry.filter { $0 != " " && $0 != "\t" }))
            guard addressBytes(address) != nil else { break }
            source = address
            guard trusted.contains(where: { $0.contains(address) }) else { break }
        }
        return source
    }
}

/// An IPv4 address that came through an IPv6 socket is that IPv4 address.
private func plainAddress(_ address: String) -> String {
    address.hasPrefix("::ffff:") && address.contains(".") ? String(address.dropFirst(7)) : address
}

private func addressBytes(_ text: String) -> [UInt8]? {
    guard text.utf8.count <= 45 else { return nil }
    for (family, length) in [(AF_INET, 4), (AF_INET6, 16)] {
        var bytes = [UInt8](repeating: 0, count: length)
        if inet_pton(family, text, &bytes) == 1 { return bytes }
    }
    return nil
}
