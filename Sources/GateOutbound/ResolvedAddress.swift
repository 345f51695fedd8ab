import GateModel
import Glibc

/// An address and its text, as inet_ntop(3) writes it.
package struct ResolvedAddress: Sendable, Hashable {
    package let address: IPAddress
    package let text: String

    package init?(_ address: IPAddress) {
        var spelt = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard
            inet_ntop(address.isIPv4 ? AF_INET : AF_INET6, address.bytes, &spelt, socklen_t(spelt.count)) != nil
        else { return nil }
        self.address = address
        text = String(decoding: spelt.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Of a literal in the one spelling; nil for any other text.
    package init?(literal text: String) {
        let isIPv4 = !text.contains(":")
        var bytes = [UInt8](repeating: 0, count: isIPv4 ? 4 : 16)
        guard inet_pton(isIPv4 ? AF_INET : AF_INET6, text, &bytes) == 1, let address = IPAddress(bytes: bytes) else {
            return nil
        }
        self.init(address)
    }

    /// Of a `sockaddr` that the C library filled in; nil for a family without addresses. An IPv6 scope is left out: it
    /// belongs to link-local addresses, which are refused.
    init?(sockaddr: UnsafePointer<sockaddr>) {
        let raw = UnsafeRawPointer(sockaddr)
        let bytes: UnsafeRawBufferPointer
        // ip(7) and ipv6(7): family and port come first, in IPv6 the flow label too.
        switch Int32(sockaddr.pointee.sa_family) {
        case AF_INET: bytes = UnsafeRawBufferPointer(start: raw + 4, count: 4)
        case AF_INET6: bytes = UnsafeRawBufferPointer(start: raw + 8, count: 16)
        default: return nil
        }
        guard let address = IPAddress(bytes: bytes) else { return nil }
        self.init(address)
    }
}
