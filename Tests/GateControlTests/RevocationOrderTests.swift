import GateControl
import GateModel
import GateTesting
import Testing

/// Every order of lookups and a revoke: the promise that makes the cache safe is a statement about all of them.
@Suite struct RevocationOrderTests {
    /// One key in a store that only knows whether it lives, two sshd processes that ask for it, one revoke.
    private final class World {
        let table = KeyTable()
        var isAlive = true
        /// Processes that were told yes, and whether that was after the revoke had returned.
        var accepted: [(process: SSHProcess, late: Bool)] = []
        var doomed: [SSHProcess]?

        func lookup(_ process: SSHProcess) -> Interleavings.Actor {
            var epoch: UInt64 = 0
            var read: KeyGrant?
            var step = 0
            return { [self] in
                switch step {
                case 0:
                    switch table.ask("f", by: process, source: "s", at: KeyTableTests.now) {
                    case .grant:
                        accepted.append((process, doomed != nil))
                        return false
                    case .miss(let seen): epoch = seen
                    }
                case 1:
                    read = isAlive ? KeyTableTests.grant("f") : nil
                default:
                    guard let read else {
                        table.forget("f", by: process)
                        return false
                    }
                    if table.fill(read, by: process, epoch: epoch) {
                        accepted.append((process, doomed != nil))
                        return false
                    }
                    step = -1
                }
                step += 1
                return true
            }
        }

        func revoke() -> Interleavings.Actor {
            var hasCommitted = false
            return { [self] in
                guard hasCommitted else {
                    isAlive = false
                    hasCommitted = true
                    return true
                }
                doomed = table.revoke(fingerprints: ["f"], machines: [])
                return false
            }
        }
    }

    @Test func `no order of two lookups and a revoke lets the key survive`() throws {
        let orders = try Interleavings.explore {
            let world = World()
            return (
                world,
                [
                    world.lookup(KeyTableTests.process(1)), world.lookup(KeyTableTests.process(2)), world.revoke(),
                ]
            )
        } check: { world, order in
            let doomed = world.doomed ?? []
            for (process, late) in world.accepted {
                #expect(!late, "a yes after the revoke had returned, in order \(order)")
                #expect(doomed.contains(process), "\(process) survives order \(order)")
            }
            if case .grant = world.table.ask("f", by: nil, source: "s", at: KeyTableTests.now) {
                Issue.record("the revoked key is remembered after order \(order)")
            }
        }
        #expect(orders > 500)
    }

    /// The same for bearer credentials: here nothing is ended, so no yes may come after the revoke returned.
    private final class CredentialWorld {
        let cache = CredentialCache()
        let digest = CredentialDigest(of: "x")
        let principal = Principal.localAdministrator(tenant: .random())
        var isAlive = true
        var isRevoked = false
        var lateAcceptance = false

        func lookup() -> Interleavings.Actor {
            var epoch: UInt64 = 0
            var read: CredentialCache.Entry?
            var step = 0
            var startedLate = false
            return { [self] in
                switch step {
                case 0:
                    startedLate = isRevoked
                    let found = cache.entry(for: digest)
                    if found.entry != nil {
                        if startedLate { lateAcceptance = true }
                        return false
                    }
                    epoch = found.epoch
                case 1:
                    read = isAlive ? .init(principal: principal, expiresAt: nil) : nil
                default:
                    guard let read else { return false }
                    if cache.fill(read, for: digest, epoch: epoch) {
                        if isRevoked { lateAcceptance = true }
                        return false
                    }
                    step = -1
                }
                step += 1
                return true
            }
        }

        func revoke() -> Interleavings.Actor {
            var hasCommitted = false
            return { [self] in
                guard hasCommitted else {
                    isAlive = false
                    hasCommitted = true
                    return true
                }
                cache.drop { $0 == principal }
                isRevoked = true
                return false
            }
        }
    }

    @Test func `no order of two requests and a revoke lets the credential survive`() throws {
        let orders = try Interleavings.explore {
            let world = CredentialWorld()
            return (world, [world.lookup(), world.lookup(), world.revoke()])
        } check: { world, order in
            #expect(!world.lateAcceptance, "a yes after the revoke had returned, in order \(order)")
            #expect(world.cache.entry(for: world.digest).entry == nil, "remembered after order \(order)")
        }
        #expect(orders > 500)
    }
}
