import GateControl
import GateModel
import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// getaddrinfo(3) on threads of its own, given up at a deadline.
///
/// The call can't be stopped, so a name server that never answers holds a thread for as long as the C library waits.
/// Names that a tenant chose (webhooks) therefore have other threads than those of the operator's own settings.
package final class NameResolver: Sendable {
    /// More than this is no name of one service.
    static let limit = 64

    package typealias Lookup = @Sendable (_ host: String) -> [ResolvedAddress]

    private let operators: NIOThreadPool
    private let tenants: NIOThreadPool
    private let lookup: Lookup

    package init(lookup: @escaping Lookup = NameResolver.system) {
        operators = NIOThreadPool(numberOfThreads: 2)
        tenants = NIOThreadPool(numberOfThreads: 2)
        self.lookup = lookup
        operators.start()
        tenants.start()
    }

    deinit {
        operators.shutdownGracefully { _ in }
        tenants.shutdownGracefully { _ in }
    }

    /// At most 64 addresses in the system's order of preference; empty when there are none.
    package func addresses(
        of host: String, isTenantChosen: Bool, until deadline: ContinuousClock.Instant
    ) async throws(OutboundError) -> [ResolvedAddress] {
        let promise = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: [ResolvedAddress].self)
        // Whoever gave up needn't be answered: their turn in the queue costs nothing then.
        let givenUp = GivenUp()
        let lookup = lookup
        (isTenantChosen ? tenants : operators).submit { state in
            guard case .active = state, !givenUp.flag.load(ordering: .relaxed) else {
                return promise.fail(OutboundError.cancelled)
            }
            promise.succeed(lookup(host))
        }
        let left = deadline - ContinuousClock.now
        let timeout = promise.futureResult.eventLoop.scheduleTask(
            in: .nanoseconds(max(0, left.wholeMicroseconds) * 1_000)
        ) { promise.fail(OutboundError.timedOut) }
        defer {
            timeout.cancel()
            givenUp.flag.store(true, ordering: .relaxed)
        }
        do {
            return try await withTaskCancellationHandler {
                try await promise.futureResult.get()
            } onCancel: {
                promise.fail(OutboundError.cancelled)
            }
        } catch {
            throw error as? OutboundError ?? .unresolvable
        }
    }

    private final class GivenUp: Sendable {
        let flag = Atomic(false)
    }

    /// Blocks while the C library asks /etc/hosts and the name servers.
    package static let system: Lookup = { host in
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &first) == 0 else { return [] }
        defer { freeaddrinfo(first) }
        var found: [ResolvedAddress] = []
        var next = first
        while let entry = next?.pointee, found.count < limit {
            next = entry.ai_next
            guard let raw = entry.ai_addr, let address = ResolvedAddress(sockaddr: raw), !found.contains(address) else {
                continue
            }
            found.append(address)
        }
        return found
    }
}
