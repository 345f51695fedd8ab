public import GateModel
import Synchronization

/// Cached key grants and the sshd processes that asked for them, under one lock.
///
/// A lookup is not a login: anybody who knows a public key can cause one, so a fingerprint maps to the *set* of
/// processes that asked, and an entry leaves only when its process has ended. A lookup first registers its process, then
/// decides; a revoke first commits, then raises the epoch and drops, then ends every registered process. Either the
/// lookup sees the revoke or the revoke sees the process.
public final class KeyTable: Sendable {
    /// A live sshd process as lists show it.
    public struct Connection: Hashable, Sendable {
        public let process: SSHProcess
        public let key: ID<TunnelKey>
        /// `reverse`, `jump` or `control`.
        public let purpose: String
        public let source: String
        public let startedAt: Timestamp
    }

    private struct Live {
        var fingerprints: Set<String> = []
        var grants: [String: KeyGrant] = [:]
        var source: String
        var startedAt: Timestamp
    }

    private struct State {
        var epoch: UInt64 = 0
        var grants: [String: KeyGrant] = [:]
        var live: [SSHProcess: Live] = [:]
        var askers: [String: Set<SSHProcess>] = [:]
    }

    package enum Answer {
        case grant(KeyGrant)
        case miss(epoch: UInt64)
    }

    private let limit: Int
    private let state = Mutex(State())

    public init(limit: Int = 100_000) { self.limit = limit }

    /// Registers the process and answers from memory if that is allowed, in one step.
    package func ask(_ fingerprint: String, by process: SSHProcess?, source: String, at now: Timestamp) -> Answer {
        state.withLock { state in
            if let process {
                state.live[process, default: Live(source: source, startedAt: now)].fingerprints.insert(fingerprint)
                state.askers[fingerprint, default: []].insert(process)
            }
            guard let grant = state.grants[fingerprint], grant.loginUntil > now else {
                return .miss(epoch: state.epoch)
            }
            if let process { state.live[process]?.grants[fingerprint] = grant }
            return .grant(grant)
        }
    }

    /// Keeps the answer of a read begun after `ask`; false when something was revoked meanwhile: then read again.
    package func fill(_ grant: KeyGrant, by process: SSHProcess?, epoch: UInt64) -> Bool {
        state.withLock { state in
            guard state.epoch == epoch else { return false }
            if state.grants.count >= limit { state.grants.removeAll(keepingCapacity: true) }
            state.grants[grant.fingerprint] = grant
            if let process { state.live[process]?.grants[grant.fingerprint] = grant }
            return true
        }
    }

    /// The process asked for a key that isn't one: it holds nothing that could be revoked.
    package func forget(_ fingerprint: String, by process: SSHProcess) {
        state.withLock { state in
            state.live[process]?.fingerprints.remove(fingerprint)
            if state.live[process]?.fingerprints.isEmpty == true { state.live[process] = nil }
            state.askers[fingerprint]?.remove(process)
            if state.askers[fingerprint]?.isEmpty == true { state.askers[fingerprint] = nil }
        }
    }

    /// sshd said which key logged in: what else the process asked for no longer binds it.
    public func loggedIn(_ process: SSHProcess, with fingerprint: String) {
        state.withLock { state in
            guard var live = state.live[process], live.fingerprints.contains(fingerprint) else { return }
            for other in live.fingerprints where other != fingerprint {
                state.askers[other]?.remove(process)
                if state.askers[other]?.isEmpty == true { state.askers[other] = nil }
                live.grants[other] = nil
            }
            live.fingerprints = [fingerprint]
            state.live[process] = live
        }
    }

    /// A process of an earlier gateway that still runs and whose key still lives.
    public func adopt(_ process: SSHProcess, grant: KeyGrant, source: String, startedAt: Timestamp) {
        state.withLock { state in
            var live = state.live[process] ?? Live(source: source, startedAt: startedAt)
            live.fingerprints.insert(grant.fingerprint)
            live.grants[grant.fingerprint] = grant
            state.live[process] = live
            state.askers[grant.fingerprint, default: []].insert(process)
        }
    }

    /// The process has ended.
    public func ended(_ process: SSHProcess) {
        state.withLock { state in
            guard let live = state.live.removeValue(forKey: process) else { return }
            for fingerprint in live.fingerprints {
                state.askers[fingerprint]?.remove(process)
                if state.askers[fingerprint]?.isEmpty == true { state.askers[fingerprint] = nil }
            }
        }
    }

    /// Raises the epoch, drops these grants and those that name these machines, and returns the processes to end.
    package func revoke(
        fingerprints: [String], machines: [ID<Machine>] = [], agentKeys: [ID<AgentKey>] = []
    ) -> [SSHProcess] {
        state.withLock { state in
            state.epoch += 1
            var doomed: Set<SSHProcess> = []
            for fingerprint in fingerprints {
                state.grants[fingerprint] = nil
                doomed.formUnion(state.askers[fingerprint] ?? [])
            }
            guard !machines.isEmpty || !agentKeys.isEmpty else { return Array(doomed) }
            func names(_ grant: KeyGrant) -> Bool {
                grant.machines.contains(where: machines.contains) || grant.agentKey.map(agentKeys.contains) == true
            }
            state.grants = state.grants.filter { !names($0.value) }
            for (process, live) in state.live where live.grants.values.contains(where: names) { doomed.insert(process) }
            return Array(doomed)
        }
    }

    /// Drops cached lines that name these machines without ending anything: their port or its end changed.
    package func refresh(machines: Set<ID<Machine>>) {
        state.withLock { state in
            state.epoch += 1
            state.grants = state.grants.filter {
                !$0.value.machines.contains(where: machines.contains)
                    && $0.value.awaited.isDisjoint(with: machines)
            }
        }
    }

    /// After a commit whose outcome is unknown: nothing cached may answer.
    package func dropAll() {
        state.withLock { state in
            state.epoch += 1
            state.grants.removeAll(keepingCapacity: true)
        }
    }

    /// Where these processes' connections come from.
    package func sources(of processes: [SSHProcess]) -> Set<String> {
        state.withLock { state in Set(processes.compactMap { state.live[$0]?.source }) }
    }

    /// The processes that asked for any of these keys.
    package func askers(of fingerprints: [String]) -> [SSHProcess] {
        state.withLock { state in
            Array(fingerprints.reduce(into: Set()) { $0.formUnion(state.askers[$1] ?? []) })
        }
    }

    public func contains(_ process: SSHProcess) -> Bool { state.withLock { $0.live[process] != nil } }

    /// Every registered process, logged in or not.
    public var processes: [SSHProcess] { state.withLock { Array($0.live.keys) } }

    /// What is live, with the key each process holds.
    public var connections: [Connection] {
        state.withLock { state in
            state.live.flatMap { process, live in
                live.grants.values.map {
                    Connection(
                        process: process, key: $0.key, purpose: $0.reach.purpose.rawValue, source: live.source,
                        startedAt: live.startedAt)
                }
            }
        }
    }

    /// Machines whose own reverse key is held by a live process.
    public var machinesWithTunnel: Set<ID<Machine>> {
        state.withLock { state in
            var machines: Set<ID<Machine>> = []
            for live in state.live.values {
                for grant in live.grants.values {
                    if case .reverse = grant.reach { machines.formUnion(grant.machines) }
                }
            }
            return machines
        }
    }
}
