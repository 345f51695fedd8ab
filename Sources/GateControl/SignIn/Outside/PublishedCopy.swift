import GateModel
import Logging
import Synchronization

/// Why something that a provider should have said can't be had, in words for the log.
enum ProviderFault: Error {
    case cancelled
    case unusable(String)
}

/// What a provider publishes (its description, its keys), fetched when it is needed and kept for an hour. Strangers decide
/// when it is needed, so how often it is fetched is bounded.
final class PublishedCopy<Value: Sendable>: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// How long one is good.
    static var lifetime: Duration { .seconds(3_600) }
    /// Between two tries while it can't be had.
    static var pauseAfterFailure: Duration { .seconds(5) }
    /// Between two fetches because something isn't in it.
    static var pauseOfRenewals: Duration { .seconds(60) }

    private struct State {
        var value: Value?
        var fetched: Instant?
        var failed: Instant?
        var renewed: Instant?
        var fault: String?
    }

    private let what: String
    private let logger: Logger
    private let elapsed: @Sendable () -> Instant
    private let fetch: @Sendable () async throws(ProviderFault) -> Value
    private let state = Mutex(State())
    private let flights = SingleFlight<Bool, Value?>()

    /// `what` names it in the log.
    init(
        _ what: String, logger: Logger, elapsed: @escaping @Sendable () -> Instant,
        fetch: @escaping @Sendable () async throws(ProviderFault) -> Value
    ) {
        self.what = what
        self.logger = logger
        self.elapsed = elapsed
        self.fetch = fetch
    }

    /// One that is at most an hour old. Throws `providerUnavailable`.
    func current() async throws -> Value {
        if let value = fresh() { return value }
        return try await flown(isRenewal: false)
    }

    /// One fetched for this, or in the last minute; throws `providerUnavailable`.
    func renewed() async throws -> Value { try await flown(isRenewal: true) }

    private func flown(isRenewal: Bool) async throws -> Value {
        let value = try await flights.value(of: isRenewal) { () async throws(CancellationError) -> Value? in
            let now = elapsed()
            let isDue = state.withLock { state in
                if let failed = state.failed, now - failed < Self.pauseAfterFailure { return false }
                if isRenewal {
                    if let renewed = state.renewed, now - renewed < Self.pauseOfRenewals { return false }
                    state.renewed = now
                }
                return true
            }
            guard isDue else { return state.withLock { $0.fault == nil } ? fresh() : nil }
            return try await fetched()
        }
        guard let value else { throw ControlError.providerUnavailable }
        return value
    }

    private func fetched() async throws(CancellationError) -> Value? {
        do throws(ProviderFault) {
            let asked = elapsed()
            let value = try await fetch()
            let hadFault = state.withLock { state in
                defer { (state.value, state.fetched, state.failed, state.fault) = (value, asked, nil, nil) }
                return state.fault != nil
            }
            if hadFault { logger.notice("an identity provider answers again", metadata: ["gate.what": "\(what)"]) }
            return value
        } catch {
            switch error {
            case .cancelled: throw CancellationError()
            case .unusable(let words):
                let isNew = state.withLock { state in
                    defer { (state.failed, state.fault) = (elapsed(), words) }
                    return state.fault != words
                }
                // So that an outage is two log lines, however many try to sign in meanwhile.
                if isNew {
                    logger.warning(
                        "an identity provider can't be relied on; nobody signs in with it",
                        metadata: ["gate.what": "\(what)", "gate.reason": "\(words)"])
                }
                return nil
            }
        }
    }

    private func fresh() -> Value? {
        let now = elapsed()
        return state.withLock { state in
            guard let value = state.value, let fetched = state.fetched, now - fetched < Self.lifetime else {
                return nil
            }
            return value
        }
    }
}

extension OutboundSender {
    /// A document that a provider publishes.
    func document(
        _ purpose: OutboundPurpose, _ url: OutboundURL
    ) async throws(ProviderFault) -> [UInt8] {
        let response: OutboundResponse
        do throws(OutboundError) {
            response = try await send(OutboundRequest(purpose, .get, url, headers: [("Accept", "application/json")]))
        } catch {
            throw ProviderFault(error, from: url)
        }
        guard response.status == 200 else { throw .unusable("\(url.origin) answers \(response.status)") }
        return response.body
    }
}

extension ProviderFault {
    init(_ error: OutboundError, from url: OutboundURL) {
        self = error == .cancelled ? .cancelled : .unusable("\(url.origin): \(error)")
    }
}
