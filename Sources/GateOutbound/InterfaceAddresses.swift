import GateModel
import Glibc

/// The addresses of this host's interfaces, as getifaddrs(3) lists them now; they change while a gateway runs.
package enum InterfaceAddresses {
    /// Nil when the kernel won't say.
    @Sendable package static func current() -> Set<IPAddress>? {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return nil }
        defer { freeifaddrs(first) }
        var found: Set<IPAddress> = []
        var next = first
        while let entry = next?.pointee {
            next = entry.ifa_next
            if let raw = entry.ifa_addr, let address = ResolvedAddress(sockaddr: raw) { found.insert(address.address) }
        }
        return found
    }
}
