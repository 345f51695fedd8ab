public import GateControl
import GateModel

/// The one way by which the gateway calls others.
///
/// Resolves the name itself, asks the policy about every address it leads to, and connects to a checked address under the
/// URL's name (SNI, certificate and Host are the name's). A second resolution, which could answer otherwise (DNS
/// rebinding), never happens. No redirects, no proxies, no decompression, and bounds on time, size and number.
public final class OutboundClient: OutboundSender {
    /// A name may have many addresses; more than this many connections aren't tried.
    static let attempts = 4
    /// Set here and nowhere else; the others would change where the message ends.
    static let ownHeaders: Set<String> = [
        "host", "content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade", "expect", "user-agent",
        "proxy-authorization", "proxy-connection", "keep-alive",
    ]

    private let policy: OutboundPolicy
    private let resolver: NameResolver
    private let ownAddresses: @Sendable () -> Set<IPAddress>?
    private let targets: TargetClients
    private let slots: [OutboundPurpose: CallSlots]

    /// `trustRoots`: a PEM file of certificates trusted beside the system's. Throws `TrustRootsFault` when it can't be
    /// read.
    public convenience init(policy: OutboundPolicy, trustRoots: String? = nil) throws {
        self.init(
            policy: policy, resolver: NameResolver(), ownAddresses: InterfaceAddresses.current,
            targets: try TargetClients(trustRoots: trustRoots))
    }

    package init(
        policy: OutboundPolicy, resolver: NameResolver, ownAddresses: @escaping @Sendable () -> Set<IPAddress>?,
        targets: TargetClients
    ) {
        self.policy = policy
        self.resolver = resolver
        self.ownAddresses = ownAddresses
        self.targets = targets
        slots = Dictionary(
            uniqueKeysWithValues: OutboundPurpose.allCases.map { purpose in
                (purpose, CallSlots(places: purpose.limits.concurrent, waiting: purpose.limits.waiting))
            })
    }

    public func send(_ request: OutboundRequest) async throws(OutboundError) -> OutboundResponse {
        try await send(request, limits: request.purpose.limits)
    }

    package func send(
        _ request: OutboundRequest, limits: OutboundPurpose.Limits
    ) async throws(OutboundError) -> OutboundResponse {
        try Self.check(request, limits)
        let deadline = ContinuousClock.now + limits.time
        // One race around all of it: AsyncHTTPClient's own deadline ends with the answer's head, and a body may drip for ever.
        do {
            return try await finishing(by: deadline) { try await self.call(request, limits, until: deadline) }
        } catch let error as OutboundError {
            throw error
        } catch {
            throw error is DeadlinePassed ? .timedOut : .cancelled
        }
    }

    private static func check(_ request: OutboundRequest, _ limits: OutboundPurpose.Limits) throws(OutboundError) {
        guard (request.body?.reveal().count ?? 0) <= limits.requestBytes else {
            throw .invalidRequest("its body is larger than \(limits.requestBytes) bytes")
        }
        for (name, value) in request.headers {
            guard (1...128).contains(name.utf8.count), name.utf8.allSatisfy(isTokenByte) else {
                throw .invalidRequest("a header's name is letters, digits and '-'")
            }
            guard !ownHeaders.contains(name.lowercased()) else {
                throw .invalidRequest("the header \(name) is the client's own")
            }
            // A line break would begin another header, or another request.
            guard value.utf8.count <= 8_192, value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                throw .invalidRequest("the header \(name) has a value that can't be sent")
            }
        }
    }

    private func call(
        _ request: OutboundRequest, _ limits: OutboundPurpose.Limits, until deadline: ContinuousClock.Instant
    ) async throws(OutboundError) -> OutboundResponse {
        guard let slots = slots[request.purpose] else { throw .busy }
        try await slots.take()
        defer { slots.give() }
        var last = OutboundError.unresolvable
        for address in try await checkedAddresses(of: request, until: deadline).prefix(Self.attempts) {
            do throws(ExchangeFailure) {
                return try await targets.exchange(request, limits, at: address)
            } catch {
                // Where nothing was sent yet, the next address may answer.
                guard error.isBeforeConnection, !Task.isCancelled else { throw error.reason }
                last = error.reason
            }
        }
        throw last
    }

    /// Every address of the URL's host, if all of them may be called. One that may not be spoils the name: whoever can put
    /// it there could as well have put it first.
    private func checkedAddresses(
        of request: OutboundRequest, until deadline: ContinuousClock.Instant
    ) async throws(OutboundError) -> [ResolvedAddress] {
        let url = request.url
        let addresses: [ResolvedAddress]
        if url.isLiteral {
            addresses = ResolvedAddress(literal: url.host).map { [$0] } ?? []
        } else {
            addresses = try await resolver.addresses(
                of: url.host, isTenantChosen: request.purpose == .webhook, until: deadline)
        }
        guard !addresses.isEmpty else { throw .unresolvable }
        // Not knowing which addresses are this host's, nothing can be said of its ports.
        guard let own = ownAddresses() else { throw .unreachable }
        for address in addresses {
            if let refusal = policy.refusal(
                of: address.address, port: url.port, allowsLoopback: url.isLoopback, ownAddresses: own)
            {
                throw .refusedAddress(refusal)
            }
        }
        return addresses
    }
}

private func isTokenByte(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || byte == UInt8(ascii: "-")
}
