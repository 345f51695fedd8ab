public import GateModel
package import GateSSH
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

    /// Fleets register at once: what a machine's grants and processes are is looked up, never searched for.
    private struct State {
        var epoch: UInt64 = 0
        private(set) var grants: [String: KeyGrant] = [:]
        private var grantsNaming = ReverseIndex<GrantName, String>()
        private(set) var live: [SSHProcess: Live] = [:]
        private var holders = ReverseIndex<GrantName, SSHProcess>()
        var askers = ReverseIndex<String, SSHProcess>()

        mutating func keep(_ grant: KeyGrant) {
            drop(grant.fingerprint)
            grants[grant.fingerprint] = grant
            grantsNaming.insert(grant.fingerprint, under: grant.names + grant.awaited.map(GrantName.machine))
        }

        mutating func drop(_ fingerprint: String) {
            guard let grant = grants.removeValue(forKey: fingerprint) else { return }
            grantsNaming.remove(fingerprint, under: grant.names + grant.awaited.map(GrantName.machine))
        }

        mutating func dropAll() {
            grants.removeAll(keepingCapacity: true)
            grantsNaming.removeAll()
        }

        func fingerprints(naming names: [GrantName]) -> Set<String> { grantsNaming.members(of: names) }
        func processes(holding names: [GrantName]) -> Set<SSHProcess> { holders.members(of: names) }

        /// Puts `entry` in the place of what is known of the process; nil forgets it.
        mutating func set(_ entry: Live?, for process: SSHProcess) {
            if let old = live[process] {
                holders.remove(process, under: old.grants.values.flatMap(\.names))
                askers.remove(process, under: old.fingerprints)
            }
            live[process] = entry
            if let entry {
                holders.insert(process, under: entry.grants.values.flatMap(\.names))
                askers.insert(process, under: entry.fingerprints)
            }
        }

        mutating func hold(_ grant: KeyGrant, by process: SSHProcess?) {
            guard let process, var entry = live[process] else { return }
            entry.grants[grant.fingerprint] = grant
            set(entry, for: process)
        }
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
                var entry = state.live[process] ?? Live(source: source, startedAt: now)
                entry.fingerprints.insert(fingerprint)
                state.set(entry, for: process)
            }
            guard let grant = state.grants[fingerprint], grant.loginUntil > now else {
                return .miss(epoch: state.epoch)
            }
            state.hold(grant, by: process)
            return .grant(grant)
        }
    }

    /// Keeps the answer of a read begun after `ask`; false when something was revoked meanwhile: then read again.
    package func fill(_ grant: KeyGrant, by process: SSHProcess?, epoch: UInt64) -> Bool {
        state.withLock { state in
            guard state.epoch == epoch else { return false }
            if state.grants.count >= limit { state.dropAll() }
            state.keep(grant)
            state.hold(grant, by: process)
            return true
        }
    }

    /// The process asked for a key that isn't one: it holds nothing that could be revoked.
    package func forget(_ fingerprint: String, by process: SSHProcess) {
        state.withLock { state in
            guard var entry = state.live[process] else { return }
            entry.fingerprints.remove(fingerprint)
            state.set(entry.fingerprints.isEmpty ? nil : entry, for: process)
        }
    }

    /// sshd said which key logged in: what else the process asked for no longer binds it.
    public func loggedIn(_ process: SSHProcess, with fingerprint: String) {
        state.withLock { state in
            guard var entry = state.live[process], entry.fingerprints.contains(fingerprint) else { return }
            entry.grants = entry.grants.filter { $0.key == fingerprint }
            entry.fingerprints = [fingerprint]
            state.set(entry, for: process)
        }
    }

    /// A process of an earlier gateway that still runs and whose key still lives.
    public func adopt(_ process: SSHProcess, grant: KeyGrant, source: String, startedAt: Timestamp) {
        state.withLock { state in
            var entry = state.live[process] ?? Live(source: source, startedAt: startedAt)
            entry.fingerprints.insert(grant.fingerprint)
            entry.grants[grant.fingerprint] = grant
            state.set(entry, for: process)
        }
    }

    /// The process has ended.
    public func ended(_ process: SSHProcess) {
        state.withLock { $0.set(nil, for: process) }
    }

    /// Raises the epoch, drops these grants and those that name these machines, and returns the processes to end.
    package func revoke(
        fingerprints: [String], machines: [ID<Machine>] = [], agentKeys: [ID<AgentKey>] = []
    ) -> [SSHProcess] {
        state.withLock { state in
            state.epoch += 1
            var doomed = state.askers.members(of: fingerprints)
            for fingerprint in fingerprints { state.drop(fingerprint) }
            let names = machines.map(GrantName.machine) + agentKeys.map(GrantName.agentKey)
            // Grants that only wait for such a machine name no port of it.
            for fingerprint in state.fingerprints(naming: names)
            where state.grants[fingerprint]?.names.contains(where: names.contains) == true {
                state.drop(fingerprint)
            }
            doomed.formUnion(state.processes(holding: names))
            return Array(doomed)
        }
    }

    /// Drops cached lines without ending anything: what they may reach has to be read again.
    package func recall(_ fingerprints: [String]) {
        state.withLock { state in
            state.epoch += 1
            for fingerprint in fingerprints { state.drop(fingerprint) }
        }
    }

    /// What live processes may do by one person's key: all that any of their lines names.
    package struct HeldReach: Sendable {
        package let key: ID<TunnelKey>
        package var machines: Set<ID<Machine>> = []
        package var targets: Set<SSHTarget> = []
        package var allowFrom: Set<[String]> = []
    }

    /// What is held of these keys for the jump or for targets behind proxies.
    package func heldReach(_ fingerprints: [String]) -> [String: HeldReach] {
        state.withLock { state in
            var held: [String: HeldReach] = [:]
            for fingerprint in fingerprints {
                for process in state.askers.members(of: [fingerprint]) {
                    guard let grant = state.live[process]?.grants[fingerprint], grant.reach.isPersonal else { continue }
                    held[fingerprint, default: HeldReach(key: grant.key)].machines.formUnion(grant.machines)
                    held[fingerprint]?.targets.formUnion(grant.reach.targets)
                    held[fingerprint]?.allowFrom.insert(grant.allowFrom)
                }
            }
            return held
        }
    }

    /// Every person's key that a live process holds.
    package var livePersonalKeys: [String] {
        state.withLock { state in
            Array(
                Set(
                    state.live.values.flatMap { live in
                        live.grants.values.compactMap { $0.reach.isPersonal ? $0.fingerprint : nil }
                    }))
        }
    }

    /// Drops cached lines that name these machines without ending anything: their port or its end changed.
    package func refresh(machines: Set<ID<Machine>>) {
        state.withLock { state in
            state.epoch += 1
            for fingerprint in state.fingerprints(naming: machines.map(GrantName.machine)) { state.drop(fingerprint) }
        }
    }

    /// After a commit whose outcome is unknown: nothing cached may answer.
    package func dropAll() {
        state.withLock { state in
            state.epoch += 1
            state.dropAll()
        }
    }

    /// Where these processes' connections come from.
    package func sources(of processes: [SSHProcess]) -> Set<String> {
        state.withLock { state in Set(processes.compactMap { state.live[$0]?.source }) }
    }

    /// The processes that asked for any of these keys.
    package func askers(of fingerprints: [String]) -> [SSHProcess] {
        state.withLock { Array($0.askers.members(of: fingerprints)) }
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

/// What ends a grant's connections when it is taken away.
private enum GrantName: Hashable, Sendable {
    case machine(ID<Machine>)
    case agentKey(ID<AgentKey>)
}

extension KeyGrant {
    fileprivate var names: [GrantName] {
        machines.map(GrantName.machine) + (agentKey.map { [.agentKey($0)] } ?? [])
    }
}
