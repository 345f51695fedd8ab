public import GateModel

/// Which addresses the gateway may be made to call, whoever names them: an SSRF has a policy or it has holes.
///
/// Private networks are allowed, because that is where self-hosted issuers and webhooks are.
public struct OutboundPolicy: Sendable {
    /// Why an address is refused. Words for whoever chose the URL; they tell the kind and not the address, so that a
    /// refusal is no way to read the gateway's name server.
    public enum Refusal: String, Error, Sendable, CaseIterable {
        case unspecified = "this host"
        case loopback = "this host's loopback"
        case linkLocal = "a link-local address"
        case metadata = "a cloud's metadata service"
        case multicast = "a multicast address"
        case broadcast = "the broadcast address"
        case reserved = "a reserved address"
        case embedded = "one of those inside another address"
        case ownPort = "the gateway's own listeners or leased ports"
    }

    private let ownPorts: [ClosedRange<Int>]

    /// `ownPorts`: the gateway's listeners, and the ports behind which its machines are.
    public init(ownPorts: [ClosedRange<Int>]) { self.ownPorts = ownPorts }

    /// Nil: the address may be called. `allowsLoopback` for a literal that was meant; `ownAddresses` are this host's.
    public func refusal(
        of address: IPAddress, port: Int, allowsLoopback: Bool, ownAddresses: Set<IPAddress>
    ) -> Refusal? {
        switch address.kind {
        case .unspecified: return .unspecified
        case .loopback: if !allowsLoopback { return .loopback }
        case .linkLocal: return .linkLocal
        case .metadata: return .metadata
        case .multicast: return .multicast
        case .broadcast: return .broadcast
        case .reserved: return .reserved
        case .ordinary: break
        }
        for inner in address.embedded {
            // Also loopback and this host itself: a literal that was meant is written as what it is.
            guard inner.kind == .ordinary, !ownAddresses.contains(inner) else { return .embedded }
        }
        if address.kind == .loopback || ownAddresses.contains(address), ownPorts.contains(where: { $0.contains(port) })
        {
            return .ownPort
        }
        return nil
    }
}
