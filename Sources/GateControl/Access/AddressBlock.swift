import Glibc

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

    /// The network's own address with its length, which sshd's `from=` takes too: no bit is set behind the prefix.
    public var text: String {
        var network = bytes
        for index in network.indices {
            let kept = min(max(bits - index * 8, 0), 8)
            network[index] &= UInt8(truncatingIfNeeded: 0xFF00 >> kept)
        }
        return "\(spelt(network))/\(bits)"
    }

    /// Whether every address of `other` is one of this block.
    public func contains(_ other: AddressBlock) -> Bool {
        bytes.count == other.bytes.count && bits <= other.bits && contains(spelt(other.bytes))
    }

    public func contains(_ address: String) -> Bool {
        guard let other = addressBytes(address), other.count == bytes.count else { return false }
        for index in 0..<bits where (bytes[index / 8] ^ other[index / 8]) & (0x80 >> UInt8(index % 8)) != 0 {
            return false
        }
        return true
    }

    /// The one spelling of an address, so that refusals of one source are counted together; an IPv4 address that came
    /// through an IPv6 socket is that IPv4 address. Nil for text that is no address.
    public static func plainAddress(_ text: String) -> String? {
        guard var bytes = addressBytes(text) else { return nil }
        if bytes.count == 16, bytes.prefix(10).allSatisfy({ $0 == 0 }), bytes[10] == 0xFF, bytes[11] == 0xFF {
            bytes.removeFirst(12)
        }
        return spelt(bytes)
    }
}

extension [String] {
    /// Whether an address lies in one of these blocks; none lets any pass.
    func admits(_ source: String) -> Bool {
        isEmpty || contains { AddressBlock($0)?.contains(source) ?? false }
    }
}

/// inet_ntop(3).
private func spelt(_ bytes: [UInt8]) -> String {
    var spelt = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    guard inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &spelt, socklen_t(spelt.count)) != nil else {
        return ""
    }
    return String(decoding: spelt.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

func addressBytes(_ text: String) -> [UInt8]? {
    // A NUL would end the text for inet_pton and hide what follows it.
    guard text.utf8.count <= 45, !text.utf8.contains(0) else { return nil }
    for (family, length) in [(AF_INET, 4), (AF_INET6, 16)] {
        var bytes = [UInt8](repeating: 0, count: length)
        if inet_pton(family, text, &bytes) == 1 { return bytes }
    }
    return nil
}
