/// An IPv4 or IPv6 address as bytes, in network order.
public struct IPAddress: Hashable, Sendable {
    /// 4 or 16 of them.
    public let bytes: [UInt8]

    /// Nil unless there are 4 or 16 bytes.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        self.bytes = Array(bytes)
    }

    /// Four bytes of a longer address.
    private init(v4 bytes: ArraySlice<UInt8>) { self.bytes = Array(bytes) }

    public var isIPv4: Bool { bytes.count == 4 }

    /// True when the address begins with these bytes' first `bits` bits.
    func isIn(_ prefix: [UInt8], _ bits: Int) -> Bool {
        guard bits <= min(bytes.count, prefix.count) * 8 else { return false }
        let whole = bits / 8
        guard bytes.prefix(whole) == prefix.prefix(whole)[...] else { return false }
        let rest = bits % 8
        return rest == 0 || (bytes[whole] ^ prefix[whole]) >> UInt8(8 - rest) == 0
    }

    /// The IPv4 addresses that this IPv6 address carries inside it, where a translator or a tunnel on the way would send
    /// the packets to them. Empty for an IPv4 address.
    public var embedded: [IPAddress] {
        guard !isIPv4 else { return [] }
        var found: [IPAddress] = []
        // IPv4-mapped (RFC 4291, 2.5.5.2), IPv4-translated (RFC 2765), IPv4-compatible (RFC 4291, 2.5.5.1) and the
        // well-known NAT64 prefix (RFC 6052): in the last four bytes. `::` and `::1` aren't IPv4-compatible.
        let isLow = isIn([UInt8](repeating: 0, count: 16), 96)
        if isIn(Self.mapped, 96) || isIn(Self.translated, 96) || isIn(Self.nat64, 96)
            || (isLow && bytes[12..<15].contains { $0 != 0 })
        {
            found.append(Self(v4: bytes[12..<16]))
        }
        // 6to4 (RFC 3056).
        if isIn([0x20, 0x02], 16) { found.append(Self(v4: bytes[2..<6])) }
        // Teredo (RFC 4380): the server, and the client with its bits inverted.
        if isIn([0x20, 0x01, 0, 0], 32) {
            found.append(Self(v4: bytes[4..<8]))
            found.append(Self(v4: bytes[12..<16].map { ~$0 }[...]))
        }
        // ISATAP (RFC 5214), under any prefix.
        if bytes[8] & 0xFD == 0, bytes[9..<12] == [0, 0x5E, 0xFE] { found.append(Self(v4: bytes[12..<16])) }
        return found
    }

    private static let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
    private static let translated: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0]
    private static let nat64: [UInt8] = [0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0]
}
