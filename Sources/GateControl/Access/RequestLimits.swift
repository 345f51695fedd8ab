import GateModel
import Synchronization

/// How much one may ask of the gateway (docs/decisions/0021).
///
/// What strangers send counts for the source it comes from: refused credentials, and what is done for nobody. What is
/// asked with a good credential counts for that credential alone, wherever it comes from: neighbours behind one address
/// share nothing, so neither a fleet nor somebody's rubbish locks out the rest.
public final class RequestLimits: Sendable {
    public enum Limit: String, CaseIterable, Sendable {
        /// Refused credentials of a source.
        case refused
        /// Requests of a source that need no credential.
        case anonymous
        /// Requests with one credential.
        case work
    }

    public struct Rules: Sendable {
        public var refused = (burst: 300, interval: Duration.milliseconds(200))
        public var anonymous = (burst: 500, interval: Duration.milliseconds(20))
        /// Requests a second with one credential, twice as many at once; nil: as many as there are.
        public var work: Int? = 1_000

        public init() {}
    }

    /// What work is counted for.
    private enum Credential: Hashable, Sendable {
        case user(ID<User>, UserCredential)
        case machine(ID<Machine>)
        case environment(EnvironmentCredential)
        /// A fleet shows one key: each machine it names has a share of its own.
        case agentAPIKey(AgentID?)
    }

    /// The most recently seen sources and credentials that are remembered, of each kind.
    static let remembered = 16_384

    private let refusals: RefusalLog
    private let refusedSources: Pacing<String>
    private let anonymousSources: Pacing<String>
    private let credentials: Pacing<Credential>?
    private let counts = Mutex<[Limit: UInt64]>([:])

    /// `refusals` gets what was limited, counted as all refusals are.
    public init(_ rules: Rules = Rules(), refusals: RefusalLog) {
        self.refusals = refusals
        refusedSources = Pacing(
            burst: rules.refused.burst, interval: rules.refused.interval, limit: Self.remembered)
        anonymousSources = Pacing(
            burst: rules.anonymous.burst, interval: rules.anonymous.interval, limit: Self.remembered)
        credentials = rules.work.map { perSecond in
            Pacing(burst: perSecond * 2, interval: .seconds(1) / perSecond, limit: Self.remembered)
        }
    }

    /// Counts a refused credential. Not nil: there were too many, and the source is to be told to wait that long rather
    /// than that the credential is bad. A good one is served all the while, for it is never asked how many bad ones its
    /// neighbours sent.
    public func refused(from source: String, at now: ContinuousClock.Instant = .now) -> Duration? {
        note(.refused, refusedSources.take(sourceGroup(source), at: now), source: source)
    }

    /// Counts a request that needs no credential, before anything is done for it. Not nil: it isn't done now.
    public func anonymous(from source: String, at now: ContinuousClock.Instant = .now) -> Duration? {
        note(.anonymous, anonymousSources.take(sourceGroup(source), at: now), source: source)
    }

    /// Counts a request of whoever showed a good credential, before anything is done for it. Not nil: it isn't done now.
    /// `claim` is the machine that a request with agents' shared key names.
    public func work(
        of caller: Caller, claiming claim: String? = nil, at now: ContinuousClock.Instant = .now
    ) -> Duration? {
        let credential: Credential
        switch caller.principal {
        // The operator on the gateway's own host.
        case .localAdministrator: return nil
        case .user(let user, let shown, _): credential = .user(user.id, shown)
        case .machine(let machine, _, _): credential = .machine(machine)
        case .environment(.agent, _): credential = .agentAPIKey(claim.flatMap { AgentID(rawValue: $0) })
        case .environment(let secret, _): credential = .environment(secret)
        }
        guard let wait = credentials?.take(credential, at: now) else { return nil }
        return note(.work, wait, source: caller.source, credential: caller.credential)
    }

    /// Requests limited since start, for metrics.
    public func count(_ limit: Limit) -> UInt64 { counts.withLock { $0[limit] ?? 0 } }

    private func note(_ limit: Limit, _ wait: Duration?, source: String, credential: String = "") -> Duration? {
        guard let wait else { return nil }
        counts.withLock { $0[limit, default: 0] += 1 }
        refusals.note(.init(kind: "rate", reason: limit.rawValue, source: source, credential: credential))
        return wait
    }
}
